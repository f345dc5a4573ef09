"""New images of new sources: their groups, and how many sources there are."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from helpers import imagesets
from helpers.csv_files import read_csv
from input_pipeline.errors import UserError
from owdfa_jax.commands import discover
from owdfa_jax.inference.new_sources import (
  count_known,
  estimate_new,
  find_new_sources,
  group_rows,
)
from owdfa_jax.inference.prepare import prepare_run

pytestmark = pytest.mark.usefixtures('quick_compile')


def blobs(sizes, apart=8.0, width=6, first=0):
  """Rows of sources that lie apart, and the source of each."""
  rows, source = [], []
  for number, size in enumerate(sizes, start=first):
    generator = np.random.default_rng(number)
    centre = apart * generator.standard_normal(width)
    rows.append(centre + generator.standard_normal((size, width)))
    source += [number] * size
  return np.concatenate(rows).astype(np.float32), np.array(source)


def test_groups_are_sources_the_largest_first():
  rows, source = blobs([10, 30, 20])
  cluster, confidence = group_rows(rows, 3)
  assert [set(cluster[source == k]) for k in range(3)] == [{2}, {0}, {1}]
  assert ((confidence > 0) & (confidence <= 1)).all()


def test_between_two_groups_the_confidence_is_0():
  rows = np.array([[1, 0]] * 5 + [[0, 1]] * 5 + [[1, 1]], np.float32)
  cluster, confidence = group_rows(rows, 2)
  assert len(set(cluster[:5])) == len(set(cluster[5:10])) == 1
  assert confidence[-1] < 0.3 < 0.8 < confidence[:10].min()


def test_one_group_has_no_confidence():
  cluster, confidence = group_rows(blobs([3])[0], 1)
  assert (cluster == 0).all() and np.isnan(confidence).all()


def test_as_many_groups_as_rows():
  assert set(group_rows(blobs([4])[0], 4)[0]) == {0, 1, 2, 3}


def test_the_number_of_new_sources():
  known, label = blobs([20] * 3)
  new, _ = blobs([15] * 3, first=3)
  found = estimate_new(known, label, new)
  assert found.low <= 3 <= found.high and 2 <= found.number <= 4
  assert found.doubt is None


def test_known_sources_among_the_images_are_counted():
  known, label = blobs([20] * 3)
  again = blobs([15] * 3)[0]
  assert estimate_new(known, label, again).number == 1
  assert estimate_new(known, label, again, num_known=3).number == 3
  more = blobs([15] * 5)[0]
  assert 4 <= estimate_new(known, label, more, num_known=3).number <= 6


@pytest.mark.parametrize('each, known', [(8, 2), (7, 0)])
def test_stray_answers_are_no_known_source(each, known):
  answers = [
    SimpleNamespace(verdict=verdict, source=source)
    for verdict, source, times in [
      ('known', 'a', each),
      ('known', 'b', each),
      ('known', 'c', 1),
      ('found', 'novel-3', 20),
    ]
    for _ in range(times)
  ]
  assert count_known(answers) == known


def test_few_new_images_are_doubted_whatever_their_sources():
  known, label = blobs([20] * 3)
  for sizes in ([5], [1] * 5):
    found = estimate_new(known, label, blobs(sizes, first=3)[0])
    assert str(found.doubt).startswith('5 images of unknown source are too few')


def test_images_of_known_and_found_sources_are_set_aside(
  trained, tmp_path, monkeypatch
):
  monkeypatch.setattr(
    'owdfa_jax.inference.new_sources._try_estimate',
    lambda *words: (None, 'for the test'),
  )
  imagesets.write_set(tmp_path, known=2, novel=0, per_class=6, size=32)
  (tmp_path / '0' / 'broken.png').write_bytes(b'x')
  images = sorted(map(str, tmp_path.glob('*/*.png')))
  experiment = prepare_run(trained)
  some = find_new_sources(experiment, images, clusters=2)
  aside = [x.verdict in ('known', 'found') for x in some.answers]
  broken = [x.error is not None for x in some.answers]
  assert ((some.cluster < 0) == np.logical_or(aside, broken)).all()
  assert some.no_estimate == 'for the test' and sum(broken) == 1
  with pytest.raises(UserError, match='--clusters=99 of 12 images'):
    find_new_sources(experiment, images, every=True, clusters=99)
  with pytest.raises(UserError, match='for the test; give --clusters=N'):
    find_new_sources(experiment, images, every=True)


def test_the_command_writes_a_table_and_a_summary(
  trained, tmp_path, monkeypatch, capsys
):
  prepare_run(trained)
  monkeypatch.chdir(tmp_path)
  imagesets.write_set(tmp_path / 'new', known=2, novel=0, per_class=4, size=64)
  words = ['--workdir', str(trained.workdir), '--images', 'new', '--out', 'out']
  discover.main([*words, '--all', '--clusters=2', '--config.eval.batch_size=8'])
  printed = capsys.readouterr().out
  assert 'images: 8 (' in printed and '); 1 no image\n' in printed
  assert 'warning: half of these images have a side of 64 pixels' in printed
  assert 'warning: no source of real images was trained' in printed
  assert 'number of new sources: ' in printed
  assert 'warning: 8 images of unknown source are too few' in printed
  summary = json.loads((tmp_path / 'out' / 'summary.json').read_text())
  steps = trained.workdir / 'checkpoints' / str(summary['checkpoint_step'])
  assert steps.is_dir() and len(summary['checkpoint']) == 64
  assert summary['num_images'] + summary['num_not_images'] == 9
  assert '8 images' in summary['estimated_sources']['doubt']
  table = read_csv(tmp_path / 'out' / 'clusters.csv')
  # The meta CSV is no image.
  assert len(table) == 9
  assert {row['cluster'] for row in table} == {'new-1', 'new-2', ''}
  with pytest.raises(SystemExit):
    discover.main([*words, '--config.epochs=2'])
  assert 'the folder exists: --out=out' in capsys.readouterr().err
  words[-1] = 'other'
  with pytest.raises(SystemExit):
    discover.main([*words, '--config.epochs=2'])
  assert 'a setting of the training: --config.epochs' in capsys.readouterr().err
  words[-1] = 'out/clusters.csv/other'
  # What takes long is not reached.
  monkeypatch.delattr('owdfa_jax.inference.prepare.prepare_run')
  with pytest.raises(SystemExit):
    discover.main([*words, '--clusters=2'])
  error = capsys.readouterr().err.splitlines()
  assert len(error) == 1 and 'cannot write ' in error[0]
