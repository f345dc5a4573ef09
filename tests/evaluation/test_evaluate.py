"""Every image once, whatever the batch, and the report a person reads."""

import csv
import json
import pathlib

import jax
import numpy as np
import pytest
from flax import nnx

from helpers import imagesets
from helpers.runs import tiny_experiment
from input_pipeline import faces, folder, pack
from input_pipeline.errors import UserError
from owdfa_jax.evaluation import evaluate, metrics, report
from owdfa_jax.evaluation.attribute import attribute
from owdfa_jax.training import state
from owdfa_jax.training.loop import train

pytestmark = pytest.mark.usefixtures('quick_compile')


@pytest.fixture(scope='module')
def trained(packed, tmp_path_factory):
  experiment = tiny_experiment(
    packed, tmp_path_factory.mktemp('trained'), epochs=1
  )
  assert train(experiment) == 0
  return experiment


def initial_network(experiment):
  """An evaluator, and a network nobody trained."""
  build = lambda key: state.split(experiment.build(nnx.Rngs(key)))[1:]
  graphdef, _, _ = state.abstract_network(
    experiment.build, experiment.placement
  )
  network = jax.jit(build, out_shardings=experiment.placement.replicated)(
    jax.random.key(0)
  )
  return evaluate.Evaluator(experiment, graphdef), network


def test_padding_changes_nothing(packed, tmp_path):
  seen = []
  for batch_size in (8, 24, 256):
    experiment = tiny_experiment(packed, tmp_path, eval__batch_size=batch_size)
    evaluator, network = initial_network(experiment)
    seen.append(evaluator.predict(*network, evaluator.batches('test')))
  for other in seen[1:]:
    np.testing.assert_array_equal(other.row, seen[0].row)
    np.testing.assert_array_equal(other.predicted, seen[0].predicted)
    np.testing.assert_allclose(other.confidence, seen[0].confidence, rtol=1e-5)
  count = len(experiment.dataset.test)
  np.testing.assert_array_equal(seen[0].row, np.arange(count))


def test_chosen_rows_only(packed, tmp_path):
  evaluator, network = initial_network(tiny_experiment(packed, tmp_path))
  rows = np.array([7, 3, 11])
  some = evaluator.predict(*network, evaluator.batches('train', rows))
  np.testing.assert_array_equal(some.row, [3, 7, 11])


def test_report_has_the_papers_row_and_every_class(trained, capsys):
  evaluate.evaluate(trained)
  written = json.loads((trained.workdir / 'report.json').read_text())
  assert set(report.COLUMNS) | set(metrics.REPORT_KEYS) <= written.keys()
  assert written['checkpoint_step'] > 0
  assert written['num_examples'] == len(trained.dataset.test)
  assert written['selection'] == 'test'
  assert written['last']['checkpoint_step'] >= written['checkpoint_step']
  assert written['last'].keys() >= set(report.COLUMNS)
  names = [entry['name'] for entry in written['per_class']]
  assert names == [entry.name for entry in trained.dataset.classes]
  shown = capsys.readouterr().out
  assert '| Known ACC | Novel ACC | Novel NMI |' in shown
  assert report.percent(written['known_acc']) in shown


def test_another_split_has_files_of_its_own(trained, packed):
  evaluate.evaluate(trained)
  before = (trained.workdir / 'report.json').read_text()
  evaluate.evaluate(
    tiny_experiment(packed, trained.workdir, eval__split='unlabelled')
  )
  assert (trained.workdir / 'report.json').read_text() == before
  report = json.loads((trained.workdir / 'report_unlabelled.json').read_text())
  unlabelled = (trained.dataset.train.tag == 2).sum()
  assert report['num_examples'] == unlabelled
  table = (trained.workdir / 'attributions_unlabelled.csv').read_text()
  assert len(table.splitlines()) == 1 + unlabelled


def test_attributions_name_every_image(trained):
  evaluate.evaluate(trained)
  with open(trained.workdir / 'attributions.csv', newline='') as file:
    lines = list(csv.DictReader(file))
  assert len(lines) == len({line['image'] for line in lines})
  assert len(lines) == len(trained.dataset.test)
  known = {entry.name for entry in trained.dataset.classes if entry.known}
  for line in lines:
    named = line['source'] in known
    assert named == (int(line['output']) < trained.dataset.num_known)
    assert named or line['source'] == f'novel-{line["output"]}'
    assert 0 <= float(line['confidence']) <= 1


def test_training_images_can_be_attributed_too(trained, packed):
  experiment = tiny_experiment(
    packed, trained.workdir, epochs=1, eval__split='train'
  )
  result = evaluate.evaluate(experiment)
  assert result['num_examples'] == len(trained.dataset.train)


def test_percent():
  assert report.percent(0.98765) == '98.77'
  assert report.percent(None) == 'n/a'


@pytest.fixture(scope='module')
def heap(tmp_path_factory):
  """Two known classes in folders, and a heap nobody has sorted."""
  place = tmp_path_factory.mktemp('heap')
  imagesets.write_set(place / 'known', known=2, novel=0, per_class=30, size=32)
  imagesets.write_set(place / 'heap', known=0, novel=3, per_class=20, size=32)
  (place / 'known' / 'meta.csv').unlink()
  folder.prepare(
    place / 'known', ['0', '1'], place / 'meta', unlabelled=place / 'heap'
  )
  pack.pack(
    place / 'meta' / 'meta.csv',
    place / 'packed',
    pack.Options(size=32),
    workers=1,
  )
  return place / 'packed'


def test_heap_is_attributed_and_what_needs_labels_is_not_available(
  heap, tmp_path, capsys
):
  experiment = tiny_experiment(heap, tmp_path, epochs=1, data__num_classes=5)
  assert experiment.num_outputs == 5
  assert train(experiment) == 0
  result = evaluate.evaluate(experiment)
  assert result['known_acc'] is not None
  assert result['novel_acc'] is result['new_acc'] is None
  assert '| n/a |' in capsys.readouterr().out
  with open(tmp_path / 'attributions.csv', newline='') as file:
    lines = list(csv.DictReader(file))
  assert len(lines) == len(experiment.dataset.test)
  assert {line['true_source'] for line in lines} == {'0', '1', ''}


def test_new_images_are_attributed(trained, tmp_path, capsys):
  imagesets.write_set(tmp_path / 'new', per_class=7, size=48, suffix='jpg')
  assert attribute(trained, str(tmp_path / 'new')) == 0
  path = trained.workdir / 'new_attributions.csv'
  with open(path, newline='') as file:
    lines = list(csv.DictReader(file))
  files = sorted(str(path) for path in (tmp_path / 'new').rglob('*.jpg'))
  assert [line['image'] for line in lines] == files
  assert {x['source'] for x in lines} <= {'m0', 'm1', 'novel-2', 'novel-3'}
  assert not any(x['error'] for x in lines)
  assert f'written: {path}' in capsys.readouterr().out


def test_what_cannot_be_read_is_told_and_the_rest_is_attributed(
  trained, tmp_path, capsys
):
  imagesets.write_set(tmp_path, per_class=3, size=48)
  files = sorted(str(path) for path in tmp_path.rglob('*.png'))
  pathlib.Path(files[1]).write_bytes(b'not an image')
  assert attribute(trained, str(tmp_path)) == 1
  with open(trained.workdir / 'new_attributions.csv', newline='') as file:
    lines = list(csv.DictReader(file))
  assert [line['image'] for line in lines] == files
  assert [bool(line['source']) for line in lines] == [
    i != 1 for i in range(len(files))
  ]
  assert 'not an image' in lines[1]['error'] and not lines[1]['output']
  told = capsys.readouterr()
  assert files[1] in told.err and '1  (unreadable)' in told.out


def test_faces_are_cut_out_as_for_the_training(trained, tmp_path, monkeypatch):
  imagesets.write_set(tmp_path, per_class=1, size=48)
  asked = []

  def face_finder(crop):
    def find(image):
      asked.append(crop)
      return faces.Face(0, 0, 24, 24)

    return find

  monkeypatch.setattr(faces, 'detector', face_finder)
  arguments = trained.dataset.description['made']['arguments']
  monkeypatch.setitem(arguments, 'crop', 'opencv')
  attribute(trained, str(tmp_path))
  files = len(list(tmp_path.rglob('*.png')))
  assert asked == [faces.Crop('opencv', arguments['margin'], None)] * files


def test_no_new_images(trained, tmp_path):
  with pytest.raises(UserError, match='no images'):
    attribute(trained, str(tmp_path))
