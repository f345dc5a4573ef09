"""Evaluation of a checkpoint: metrics and report files."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import pytest

from helpers.csv_files import read_csv
from helpers.paths import ROOT
from helpers.runs import initial_state, tiny_experiment
from input_pipeline.errors import UserError
from input_pipeline.text_tables import percent
from owdfa_jax import report_fields
from owdfa_jax.evaluation import evaluate
from owdfa_jax.evaluation.epoch_evaluator import EpochEvaluator
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
    eval__classify_by='centres' if selection == 'last' else 'head',
  )
  training = set_up_training(experiment)
  state = initial_state(experiment)
  evaluator = EpochEvaluator(experiment, training.graphdef)
  result = evaluator.evaluate_epoch(9, state)
  by_head = '(by the head; the final table is by centres)' in result.summary
  assert by_head == (selection == 'last')
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


@pytest.mark.parametrize('part', ['params', 'batch_stats'])
def test_network_that_is_not_finite_has_no_report(trained, monkeypatch, part):
  """It would call every image by the name of the first class."""
  restored = evaluate.restore_network(trained)
  # One channel of one layer is enough.
  leaves, tree = jax.tree.flatten(getattr(restored, part))
  leaves[0] = leaves[0].at[(0,) * leaves[0].ndim].set(jnp.nan)
  broken = dataclasses.replace(
    restored, **{part: jax.tree.unflatten(tree, leaves)}
  )
  monkeypatch.setattr(evaluate, 'restore_network', lambda _: broken)
  report = trained.workdir / 'report.json'
  report.unlink(missing_ok=True)
  with pytest.raises(UserError, match='NaN or infinite numbers for .* images'):
    evaluate.evaluate(trained)
  assert not report.exists()


def test_network_that_is_not_finite_is_never_selected(packed, tmp_path):
  experiment = tiny_experiment(packed, tmp_path)
  training = set_up_training(experiment)
  state = initial_state(experiment)
  params = jax.tree.map(lambda x: x.at[...].set(jnp.inf), state.params)
  evaluator = EpochEvaluator(experiment, training.graphdef)
  with pytest.raises(UserError, match='has diverged'):
    evaluator.evaluate_epoch(5, dataclasses.replace(state, params=params))


def test_reports_of_benchmarks_say_what_selected(trained):
  report = evaluate.evaluate(trained)
  assert report['selected_by'] == 'all_nmi on test images'
  assert report['heap'] is None and report['num_without_truth'] == 0
  assert report['not_available'] == {
    'heap': 'every image has a true class',
    'num_outputs_in_use': 'the method prunes no outputs',
    'real_fake_auc': 'there are not both real and forged images',
    'real_fake_eer': 'there are not both real and forged images',
  }
  assert report['report_version'] == 2
  low, high = report['intervals']['figures']['all_acc']
  assert low <= report['all_acc'] <= high


def test_every_field_of_a_report_is_documented(packed, trained):
  experiment = tiny_experiment(
    packed, trained.workdir, epochs=1, eval__split='unlabelled'
  )
  page = (ROOT / 'docs/metrics.md').read_text()
  for report in (evaluate.evaluate(trained), evaluate.evaluate(experiment)):
    del report['not_available'], report['last']
    del report['intervals']['figures']
    for name in keys_of(report):
      assert f'`{name}`' in page, name


def keys_of(content):
  if isinstance(content, list):
    return {key for entry in content for key in keys_of(entry)}
  if isinstance(content, dict):
    return {*content} | keys_of([*content.values()])
  return set()


@pytest.mark.parametrize('metric', ['new_acc', 'novel_nmi'])
def test_metric_that_cannot_select_says_so(packed, tmp_path, capsys, metric):
  experiment = tiny_experiment(
    packed, tmp_path, eval__selection='validation', eval__metric=metric
  )
  training = set_up_training(experiment)
  evaluator = EpochEvaluator(experiment, training.graphdef)
  (line,) = capsys.readouterr().out.splitlines()
  assert line == (
    f'{metric} cannot select the best checkpoint: all validation images are '
    'of known classes; the last epoch counts'
  )
  result = evaluator.evaluate_epoch(9, initial_state(experiment))
  assert result.metrics[report_fields.SELECTION_SCORE] == 9
