"""One verdict a group, by summed log-probabilities."""

import json
import pathlib
import shutil

import jax
import numpy as np
import pytest

from helpers import imagesets
from helpers.csv_files import read_csv
from helpers.runs import initial_state, tiny_experiment
from input_pipeline import pack
from input_pipeline.supervision import validation_rows
from owdfa_jax import report_fields
from owdfa_jax.evaluation import evaluate, metrics
from owdfa_jax.evaluation.epoch_evaluator import (
  EpochEvaluator,
  train_with_evaluation,
)
from owdfa_jax.evaluation.groups import VerdictSums
from owdfa_jax.evaluation.new_images import list_new_images
from owdfa_jax.inference.attribute import attribute
from owdfa_jax.training.setup import set_up_training

pytestmark = pytest.mark.usefixtures('quick_compile')
TILES = 3


def log_softmax(logits):
  logits = logits - logits.max(1, keepdims=True)
  return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def made_up(rows=40, outputs=5):
  draws = np.random.default_rng(3)
  logits = draws.normal(size=(rows, outputs), scale=3)
  return log_softmax(logits).astype(np.float32)


def verdicts(group, log_probability, rows=None, parts=3, real=(), num_known=2):
  rows = np.arange(len(log_probability)) if rows is None else rows
  sums = VerdictSums(group)
  for part in np.array_split(rows, parts):
    sums.add(part, log_probability[part])
  return sums.columns(list(real), num_known)


def test_a_verdict_is_the_normalised_product_of_probabilities():
  probability = np.array(
    [[0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.2, 0.7, 0.1], [0.5, 0.3, 0.2]]
  )
  group = np.array([0, 1, 0, 0])
  found = verdicts(group, np.log(probability).astype(np.float32), real=[2])
  product = np.array([0.6 * 0.2 * 0.5, 0.3 * 0.7 * 0.3, 0.1 * 0.1 * 0.2])
  product /= product.sum()
  np.testing.assert_array_equal(found['row'], [0, 1])
  np.testing.assert_array_equal(found['predicted'], [1, 2])
  np.testing.assert_allclose(found['confidence'], [product[1], 0.7], rtol=1e-6)
  np.testing.assert_allclose(
    found['fake_probability'], [1 - product[2], 0.3], rtol=1e-6
  )
  np.testing.assert_allclose(
    found['novel_probability'], [product[2], 0.7], rtol=1e-6
  )


def test_the_order_of_rows_and_batches_does_not_matter():
  log_probability = made_up()
  group = np.random.default_rng(0).integers(0, 9, 40)
  one = verdicts(group, log_probability)
  order = np.random.default_rng(1).permutation(40)
  other = verdicts(group, log_probability, order, parts=7)
  for name, column in one.items():
    np.testing.assert_array_equal(other[name], column)


def test_groups_of_one_row_are_the_rows():
  log_probability = made_up()
  found = verdicts(np.arange(40), log_probability)
  np.testing.assert_array_equal(found['row'], np.arange(40))
  np.testing.assert_array_equal(found['predicted'], log_probability.argmax(1))
  np.testing.assert_allclose(
    found['confidence'], np.exp(log_probability.max(1)), rtol=1e-6
  )


def test_groups_without_an_added_row_have_no_verdict():
  group = np.arange(40) // 4
  rows = np.array([30, 9, 31, 11])
  found = verdicts(group, made_up(), rows, parts=1)
  np.testing.assert_array_equal(found['row'], [9, 30])


def test_many_certain_rows_do_not_vanish():
  log_probability = np.full((2000, 3), -80.0, np.float32)
  log_probability[:, 1] = 0
  found = verdicts(np.zeros(2000, int), log_probability)
  assert found['predicted'] == [1] and found['confidence'] == [1]


@pytest.fixture(scope='module')
def tiled(tmp_path_factory):
  """A run of one epoch on tiles of 4 classes, and the folder of its images."""
  root = tmp_path_factory.mktemp('tiled')
  csv = imagesets.write_set(
    root / 'images', known=2, novel=2, per_class=12, size=48
  )
  options = pack.Options(size=32, tiles=TILES)
  pack.pack(csv, root / 'packed', options, workers=1)
  experiment = tiny_experiment(root / 'packed', root / 'run', epochs=1)
  jax.config.update('jax_disable_most_optimizations', True)
  assert train_with_evaluation(experiment) == 0
  jax.config.update('jax_disable_most_optimizations', False)
  return experiment, root / 'images'


def read_report(experiment):
  return json.loads((experiment.workdir / 'report.json').read_text())


def test_a_report_has_figures_of_groups_beside_those_of_tiles(tiled, capsys):
  experiment, _ = tiled
  evaluate.evaluate(experiment)
  report, printed = read_report(experiment), capsys.readouterr().out
  groups = report['groups']
  assert report['num_examples'] == TILES * groups['num_examples'] > 0
  assert groups['not_available'] == report['not_available']
  classes = [entry['name'] for entry in groups['per_class']]
  assert classes == ['m0', 'm1', 'm2', 'm3']
  assert '8 groups' in printed and 'one verdict a group' in printed
  lines = read_csv(experiment.workdir / 'group_attributions.csv')
  assert len({line['image'] for line in lines}) == len(lines) == 8
  tiles = read_csv(experiment.workdir / 'attributions.csv')
  assert all(line['group'] == line['image'] for line in tiles)
  assert [line['image'] for line in tiles[::TILES]] == [
    line['image'] for line in lines
  ]
  # The file has what the figures were computed from.
  names = {entry.name: entry.label for entry in experiment.dataset.classes}
  label = np.array([names[line['true_source']] for line in lines])
  output = np.array([int(line['output']) for line in lines])
  accuracy = metrics.clustering_accuracy(label, output)
  assert groups['all_acc'] == pytest.approx(accuracy)


def test_groups_select_the_checkpoint_and_are_logged(tiled):
  experiment, _ = tiled
  lines = (experiment.workdir / 'metrics.jsonl').read_text().splitlines()
  (logged,) = [
    line for line in map(json.loads, lines) if 'eval/group_all_nmi' in line
  ]
  score = logged[f'eval/{report_fields.SELECTION_SCORE}']
  assert score == logged['eval/group_all_nmi']
  assert (
    logged['eval/num_examples'] == TILES * logged['eval/group_num_examples']
  )


def test_a_new_image_gets_one_verdict_as_in_the_test_split(tiled, tmp_path):
  experiment, images = tiled
  evaluate.evaluate(experiment)
  wanted = read_csv(experiment.workdir / 'group_attributions.csv')
  for line in wanted:
    copy = tmp_path / 'new' / line['image'].replace('/', '-')
    copy.parent.mkdir(exist_ok=True)
    shutil.copy(images / line['image'], copy)
  assert attribute(experiment, list_new_images(str(tmp_path / 'new'))) == 0
  lines = read_csv(experiment.workdir / 'new_attributions.csv')
  found = {pathlib.Path(line['image']).name: line for line in lines}
  assert len(found) == len(wanted)
  for line in wanted:
    new = found[line['image'].replace('/', '-')]
    assert new['output'] == line['output']
    assert float(new['confidence']) == pytest.approx(
      float(line['confidence']), abs=2e-4
    )


def test_a_new_image_smaller_than_a_tile_is_an_error(tiled, tmp_path, capsys):
  experiment, _ = tiled
  imagesets.write_set(tmp_path, known=1, novel=0, per_class=1, size=20)
  assert attribute(experiment, list_new_images(str(tmp_path))) == 1
  assert 'a tile has 32 x 32 and is not enlarged' in capsys.readouterr().err


def test_held_out_groups_select_by_their_verdicts(tiled, tmp_path):
  experiment, images = tiled
  experiment = tiny_experiment(
    images.parent / 'packed',
    tmp_path,
    eval__selection='validation',
    eval__metric='known_acc',
    data__validation_share=0.4,
  )
  training = set_up_training(experiment)
  evaluator = EpochEvaluator(experiment, training.graphdef)
  result = evaluator.evaluate_epoch(5, initial_state(experiment))
  train = experiment.dataset.train
  held = validation_rows(experiment.dataset, experiment.config.seed, 0.4)
  groups = len(set(train.group[held].tolist()))
  assert len(held) == TILES * groups
  score = result.metrics[report_fields.SELECTION_SCORE]
  assert score * groups == pytest.approx(round(score * groups))
