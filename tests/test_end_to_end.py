"""Tests each benchmark from its datasets' folders to a report.

There are a hundredth as many images as published. Each command reads what the
one before it wrote, at the paths that the guides name.
"""

import collections
import json
import math

import pytest

from helpers import trees
from helpers.runs import TINY
from input_pipeline import meta, pack, prepare
from input_pipeline.benchmarks import owdfa40_classes, owdfa_classes
from input_pipeline.benchmarks.aigc_classes import read_aigc_classes
from input_pipeline.forgery_types import REAL
from owdfa_jax import experiment, report_fields
from owdfa_jax.configs import cpl
from owdfa_jax.evaluation import evaluate
from owdfa_jax.evaluation.epoch_evaluator import train_with_evaluation

pytestmark = pytest.mark.usefixtures('quick_compile')

OW_DFA = {
  'owdfa1': 'Protocol1_openset_fake_meta.csv',
  'owdfa2': 'Protocol2_openset_real_fake_meta.csv',
}
OW_DFA_PP = {
  'owdfa3': 'Protocol3_openset_fake_aigc_meta.csv',
  'owdfa4': 'Protocol4_openset_real_fake_aigc_meta.csv',
}
OWDFA_40 = {f'owdfa40_{n}': f'owdfa40_protocol{n}_meta.csv' for n in (1, 2, 3)}
# (known classes, novel classes, training images, test images), as published.
# OW-DFA++ publishes the classes only; its counts are those of our table.
PUBLISHED = {
  'owdfa1': (8, 12, 27_200, 6_800),
  'owdfa2': (9, 13, 47_200, 11_800),
  'owdfa3': (10, 15, 34_000, 8_500),
  'owdfa4': (11, 16, 54_000, 13_500),
  'owdfa40_1': (19, 22, 33_600 + 37_600, 17_800),
  'owdfa40_2': (13, 28, 26_400 + 42_400, 17_200),
  'owdfa40_3': (29, 12, 45_600 + 29_600, 18_800),
}
QUICK = ('owdfa1', 'owdfa2', 'owdfa4', 'owdfa40_1')


def run_prepare(root, benchmark, datasets, out):
  prepare.main([
    benchmark, '--datasets', str(datasets), '--out', str(root / 'data' / out),
    '--scale', str(trees.SCALE),
  ])  # fmt: skip


@pytest.fixture(scope='module')
def root(tmp_path_factory):
  """A user's working directory with the CSVs of all benchmarks in `data`."""
  root = tmp_path_factory.mktemp('benchmarks')
  datasets = trees.write_owdfa(root / 'faces')
  trees.write_df3(datasets, [entry.folder for entry in read_aigc_classes()])
  run_prepare(root, 'owdfa', datasets, 'release')
  run_prepare(root, 'owdfapp', datasets, 'release')
  run_prepare(root, 'owdfa40', trees.write_owdfa40(root / 'OWDFA40'), 'owdfa40')
  return root


def csv_of(root, name):
  if name in OWDFA_40:
    return root / 'data' / 'owdfa40' / OWDFA_40[name]
  return root / 'data' / 'release' / (OW_DFA | OW_DFA_PP)[name]


def class_table(name):
  if name in OWDFA_40:
    return owdfa40_classes.owdfa40_protocol(int(name[-1]))
  return owdfa_classes.owdfa_protocol(int(name[-1]), read_aigc_classes())


def images_of(name, label):
  """Returns the numbers of labelled, training and test images of a class."""
  entry = class_table(name)[label]
  size = 20 if entry.known else 15
  if entry.forgery_type == REAL:
    size = 200 if entry.known else 50
  # OWDFA-40 labels a share of the training images, OW-DFA one of all images.
  labelled = size * 6 // 10 if name in OWDFA_40 else size * 3 // 4
  return labelled * entry.known, size * 4 // 5, size // 5


@pytest.mark.parametrize('name', PUBLISHED)
def test_csv_has_the_published_classes_and_counts(root, name):
  known, novel, train_images, test_images = PUBLISHED[name]
  table = meta.read_meta(csv_of(root, name))
  assert table.num_known == known
  assert len(table) * 100 == train_images + test_images
  assert [(c.method, c.face_type) for c in meta.classes(table)] == [
    (entry.method, int(entry.forgery_type == REAL))
    for entry in class_table(name)
  ]
  for label in range(known + novel):
    labelled, train_size, test_size = images_of(name, label)
    mine = table.label == label
    assert mine.sum() == train_size + test_size
    assert (table.tag[mine] == meta.LABELLED).sum() == labelled


@pytest.mark.parametrize(
  'name',
  [
    pytest.param(n, marks=[] if n in QUICK else pytest.mark.slow)
    for n in PUBLISHED
  ],
)
def test_benchmark_is_packed_trained_and_evaluated(root, monkeypatch, name):
  monkeypatch.chdir(root)
  settings = two_steps(name)
  known, novel, train_images, test_images = PUBLISHED[name]
  packed = pack.pack(
    csv_of(root, name), settings.data.path, pack.Options(size=32), workers=1
  )
  assert packed.path.resolve() == (root / 'data/packed' / name).resolve()
  assert (packed.num_known, packed.num_classes) == (known, known + novel)
  assert len(packed.train) * 100 == train_images
  assert len(packed.test) * 100 == test_images
  for info, entry in zip(packed.classes, class_table(name), strict=True):
    assert (info.method, info.known) == (entry.method, entry.known)
  for entry in packed.description['classes']:
    counts = collections.Counter(entry['counts'])
    _, train_size, test_size = images_of(name, entry['label'])
    assert counts['labelled'] + counts['unlabelled'] == train_size
    assert (counts['labelled'] > 0) == entry['known']
    assert (counts['test'], counts['skipped']) == (test_size, 0)

  assert train_with_evaluation(experiment.set_up(settings, f'runs/{name}')) == 0
  again = experiment.set_up(settings, f'runs/{name}')
  assert again.num_outputs == known + novel
  evaluate.evaluate(again)
  check_report(again, len(packed.test))


def two_steps(name):
  """Returns a tiny CPL config whose only epoch has two steps."""
  config = cpl.get_config(name)
  config.update_from_flattened_dict(TINY)
  config.model.backbone, config.model.dtype = 'small', 'float32'
  # A multiple of 16: 8 devices, each with labelled and unlabelled rows.
  config.batch_size = PUBLISHED[name][2] // 100 // 2 // 16 * 16
  config.epochs, config.log.every_steps = 1, 1
  return config.lock()


def check_report(done, num_examples):
  """Checks that the files of a run are complete and all numbers finite."""
  report = json.loads((done.workdir / 'report.json').read_text())
  assert report['checkpoint_step'] == 2
  assert report['num_examples'] == num_examples
  classes = done.dataset.classes
  has_real = any(info.face_type == 1 for info in classes)
  for key in report_fields.METRICS:
    if key.startswith('real_fake') and not has_real:
      assert report[key] is None
    else:
      assert math.isfinite(report[key]) and report[key] >= -1
  assert [entry['name'] for entry in report['per_class']] == [
    info.name for info in classes
  ]
  assert sum(e['count'] for e in report['per_class']) == num_examples
  table = (done.workdir / 'attributions.csv').read_text().splitlines()
  assert len(table) == 1 + num_examples
  lines = (done.workdir / 'metrics.jsonl').read_text().splitlines()
  logged = [json.loads(line) for line in lines]
  losses = [v for line in logged for k, v in line.items() if 'loss' in k]
  assert losses and all(map(math.isfinite, losses))
