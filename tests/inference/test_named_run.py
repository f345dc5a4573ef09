"""A trained run whose two found clusters have one name."""

import dataclasses
import shutil

import numpy as np
import pytest
from etils import epath

from helpers.csv_files import read_csv
from input_pipeline.errors import UserError
from owdfa_jax.evaluation import (
  cluster_parts,
  evaluate,
  names_file,
  seen_sources,
)
from owdfa_jax.evaluation.source_names import source_names_or_warning
from owdfa_jax.evaluation.sources_file import read_sample
from owdfa_jax.inference.made_by import answers_made_by
from owdfa_jax.inference.run import TrainedRun

pytestmark = pytest.mark.usefixtures('quick_compile')


@pytest.fixture(scope='module')
def named(trained, tmp_path_factory):
  """A copy of a run, with the report before and after its clusters got a name.

  Returns:
    The experiment of the copy, and the two reports.
  """
  folder = tmp_path_factory.mktemp('named') / 'run'
  shutil.copytree(trained.workdir, folder)
  experiment = dataclasses.replace(trained, workdir=epath.Path(folder))
  before = evaluate.evaluate(experiment)
  clusters = names_file.clusters_of(folder, before['checkpoint_step'], 'head')
  found = names_file.NamesFile(clusters, {2: '=X', 3: '=X'})
  names_file.write_names(folder, found)
  return experiment, before, evaluate.evaluate(experiment)


def test_figures_do_not_change(named):
  _, before, after = named
  assert after.pop('names') == {'novel-2': '=X', 'novel-3': '=X'}
  assert after == before


def test_table_of_test_images_has_the_names(named):
  experiment, _, _ = named
  lines = read_csv(experiment.workdir / 'attributions.csv')
  run = TrainedRun(experiment)
  assert run.outputs == ('m0', 'm1', '=X', '=X')
  assert run.classes == ('m0', 'm1', '=X')
  # A spreadsheet does not run it.
  assert {line['source'] for line in lines} <= {'m0', 'm1', "'=X"}
  for line in lines:
    assert (line['verdict'] == 'found') <= (line['source'] == "'=X")


def test_probabilities_of_the_name_add_up(named):
  experiment, _, _ = named
  image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
  answer = TrainedRun(experiment).predict(image)[0]
  (experiment.workdir / 'names.json').rename(experiment.workdir / 'away')
  plain = TrainedRun(experiment).predict(image)[0]
  (experiment.workdir / 'away').rename(experiment.workdir / 'names.json')
  assert tuple(answer.probabilities) == ('m0', 'm1', '=X')
  np.testing.assert_allclose(
    answer.probability,
    [*plain.probability[:2], plain.probability[2:].sum()],
    rtol=1e-6,
  )
  assert answer.output == plain.output
  # Of none of these, the most probable source is the second choice.
  sure = answer.confidence or answer.second_confidence
  assert sure == max(answer.probabilities.values())


def test_names_of_another_checkpoint_stop_an_attribution_alone(named):
  experiment, report, _ = named
  path = experiment.workdir / 'names.json'
  text = path.read_text()
  path.write_text(text.replace('"step": ', '"step": 1'))
  with pytest.raises(UserError, match='names of other clusters'):
    TrainedRun(experiment)
  names, why = source_names_or_warning(experiment, report['checkpoint_step'])
  assert names == ('m0', 'm1', 'novel-2', 'novel-3')
  assert why.startswith('names of other clusters: ')
  path.write_text(text)


def test_a_part_of_a_split_cluster_answers(named, monkeypatch):
  experiment, report, _ = named
  path = experiment.workdir / 'names.json'
  kept = path.read_text()
  # The run carries few images.
  monkeypatch.setattr(cluster_parts, '_LEAST_IMAGES', 1)
  seen_sources.ensure_sources(experiment)
  sample = read_sample(experiment.workdir, report['checkpoint_step'])
  assert sample is not None
  sizes = {k: int((sample.output == k).sum()) for k in (2, 3)}
  split = max(sizes, key=lambda k: sizes[k])
  found = names_file.read_names(experiment.workdir)
  assert found is not None
  parts = {split: ('left', 'right')}
  names_file.write_names(experiment.workdir, found._replace(parts=parts))
  run = TrainedRun(experiment)
  assert {'left', 'right'} < {*run.classes}
  # An unfinished table goes on with the same parts alone.
  made_by = answers_made_by(run, experiment, {})
  assert made_by['parts'].keys() == {str(split)}
  other = found._replace(parts={split: ('left', 'right', 'left')})
  names_file.write_names(experiment.workdir, other)
  again = TrainedRun(experiment)
  assert again.classes == run.classes
  assert answers_made_by(again, experiment, {}) != made_by
  images = np.random.default_rng(1).integers(0, 256, (6, 32, 32, 3), np.uint8)
  answers = run.predict(list(images), stability=True)
  path.write_text(kept)
  for answer, plain in zip(
    answers, TrainedRun(experiment).predict(list(images)), strict=True
  ):
    left, right = (answer.probabilities[name] for name in ('left', 'right'))
    assert (left == 0) != (right == 0)
    rest = answer.probabilities.get('=X', 0)
    assert left + right + rest == pytest.approx(plain.probabilities['=X'])
    assert answer.output == plain.output
