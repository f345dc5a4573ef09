"""Evaluation of a checkpoint: metrics and report files."""

import json

import numpy as np
import pytest

from helpers import imagesets
from helpers.csv_files import read_csv
from helpers.runs import initial_state, tiny_experiment
from input_pipeline import folder, pack
from owdfa_jax import report_fields
from owdfa_jax.evaluation import evaluate
from owdfa_jax.evaluation.epoch_evaluator import (
  EpochEvaluator,
  train_with_evaluation,
)
from owdfa_jax.evaluation.report import percent
from owdfa_jax.training.setup import set_up_training

pytestmark = pytest.mark.usefixtures('quick_compile')


def test_report_has_all_metrics_and_every_class(trained, capsys):
  evaluate.evaluate(trained)
  written = json.loads((trained.workdir / 'report.json').read_text())
  assert set(report_fields.METRICS) <= written.keys()
  assert written['checkpoint_step'] > 0
  assert written['num_examples'] == len(trained.dataset.test)
  assert written['selection'] == 'test'
  assert written['num_outputs_in_use'] is None
  assert written['last']['checkpoint_step'] >= written['checkpoint_step']
  assert written['last'].keys() >= {*report_fields.TABLE_COLUMNS}
  names = [entry['name'] for entry in written['per_class']]
  assert names == [entry.name for entry in trained.dataset.classes]
  shown = capsys.readouterr().out
  assert '| Known ACC | Novel ACC | Novel NMI |' in shown
  assert percent(written['known_acc']) in shown


def test_other_splits_have_files_of_their_own(trained, packed):
  evaluate.evaluate(trained)
  before = (trained.workdir / 'report.json').read_text()
  evaluate.evaluate(
    tiny_experiment(packed, trained.workdir, eval__split='unlabelled')
  )
  assert (trained.workdir / 'report.json').read_text() == before
  report = json.loads((trained.workdir / 'report_unlabelled.json').read_text())
  unlabelled = (trained.dataset.train.tag == 2).sum()
  assert report['num_examples'] == unlabelled
  lines = read_csv(trained.workdir / 'attributions_unlabelled.csv')
  assert len(lines) == unlabelled


def test_attributions_name_every_image(trained):
  evaluate.evaluate(trained)
  lines = read_csv(trained.workdir / 'attributions.csv')
  assert len(lines) == len({line['image'] for line in lines})
  assert len(lines) == len(trained.dataset.test)
  known = {entry.name for entry in trained.dataset.classes if entry.known}
  for line in lines:
    # An image of class m2 lies in the folder 2.
    assert line['true_source'] == f'm{line["image"].split("/")[0]}'
    is_known = line['source'] in known
    assert is_known == (int(line['output']) < trained.dataset.num_known)
    assert is_known or line['source'] == f'novel-{line["output"]}'
    assert 0 <= float(line['confidence']) <= 1


def test_training_split_is_evaluated_too(trained, packed):
  experiment = tiny_experiment(
    packed, trained.workdir, epochs=1, eval__split='train'
  )
  result = evaluate.evaluate(experiment)
  assert result['num_examples'] == len(trained.dataset.train)


@pytest.mark.parametrize('selection', ['test', 'validation', 'last'])
def test_selection_score_follows_the_setting(packed, tmp_path, selection):
  experiment = tiny_experiment(
    packed,
    tmp_path,
    eval__selection=selection,
    eval__metric='known_acc',
    data__validation_share=0.25,
  )
  training = set_up_training(experiment)
  state = initial_state(experiment)
  evaluator = EpochEvaluator(experiment, training.graphdef)
  result = evaluator.evaluate_epoch(9, state)
  score = result.metrics[report_fields.SELECTION_SCORE]
  known_acc = result.metrics['known_acc']
  assert f'Known ACC {percent(known_acc)}' in result.summary
  if selection == 'last':
    assert score == 9
  if selection == 'test':
    assert score == known_acc
  if selection == 'validation':
    # A share of as many images as are held out, not as are in the test split.
    held_out = round(0.25 * (experiment.dataset.train.tag == 1).sum())
    assert (score * held_out) == pytest.approx(round(score * held_out))


@pytest.fixture(scope='module')
def unsorted(tmp_path_factory):
  """A packed dataset of two known classes and images of unknown classes."""
  root = tmp_path_factory.mktemp('unsorted')
  imagesets.write_set(root / 'known', known=2, novel=0, per_class=30, size=32)
  imagesets.write_set(root / 'mixed', known=0, novel=3, per_class=20, size=32)
  (root / 'known' / 'meta.csv').unlink()
  folder.prepare_folder(
    root / 'known', ['0', '1'], root / 'meta', unlabelled=root / 'mixed'
  )
  pack.pack(
    root / 'meta' / 'meta.csv',
    root / 'packed',
    pack.Options(size=32),
    workers=1,
  )
  return root / 'packed'


def test_metrics_that_need_true_labels_are_none_without(
  unsorted, tmp_path, capsys
):
  experiment = tiny_experiment(
    unsorted, tmp_path, epochs=1, data__num_classes=5
  )
  assert experiment.num_outputs == 5
  assert train_with_evaluation(experiment) == 0
  result = evaluate.evaluate(experiment)
  assert result['known_acc'] is not None
  assert result['novel_acc'] is result['new_acc'] is None
  assert '| n/a |' in capsys.readouterr().out
  lines = read_csv(tmp_path / 'attributions.csv')
  assert len(lines) == len(experiment.dataset.test)
  assert {line['true_source'] for line in lines} == {'0', '1', ''}
  assert np.isin([int(line['output']) for line in lines], range(5)).all()
