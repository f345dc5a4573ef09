"""Which runs of a leaderboard count as finished."""

import pytest

from helpers.boards import (
  make_config,
  make_runs,
  pretend_finished,
  run_leaderboard,
)
from input_pipeline.errors import UserError
from owdfa_jax.evaluation.epoch_evaluator import train_with_evaluation
from owdfa_jax.experiment import build_experiment
from owdfa_jax.leaderboard import results


@pytest.mark.parametrize(
  'changes, finished',
  [
    ({}, True),
    ({'novel_acc': None}, True),
    ({'split': 'train'}, False),
    ({'checkpoint': 'best'}, False),
    # Written before the last epochs.
    ({'last': {'checkpoint_step': 1}}, False),
    ({'last': None}, False),
  ],
)
def test_only_a_complete_report_counts(packed, tmp_path, changes, finished):
  run = make_runs(packed, tmp_path)[0]
  assert results.finished_report(run) is None
  pretend_finished(run.last, **changes)
  assert (results.finished_report(run) is not None) == finished


def test_run_that_could_not_start_can_be_corrected(packed, tmp_path):
  shared = (*make_config(packed).shared, 'model.init=typo.npz')
  run = make_runs(packed, tmp_path, shared=shared)[0]
  with pytest.raises(UserError, match='no such weights'):
    train_with_evaluation(build_experiment(run.last))
  assert results.finished_report(make_runs(packed, tmp_path)[0]) is None


def test_damaged_report_is_not_finished(packed, tmp_path):
  run = make_runs(packed, tmp_path)[0]
  pretend_finished(run.last)
  report = run.last.workdir / 'report.json'
  report.write_text(report.read_text()[:99])
  assert results.finished_report(run) is None


@pytest.mark.parametrize(
  'setting, difference',
  [
    ('optimizer.learning_rate=0.5', 'learning_rate=0.001 .now 0.5'),
    ('epochs=2', 'epochs=1 .now 2'),
    ('eval.metric=all_acc', 'eval.metric=all_nmi'),
  ],
)
def test_runs_with_other_settings_are_not_mixed_in(
  packed, tmp_path, setting, difference
):
  config = make_config(packed)
  pretend_finished(make_runs(packed, tmp_path)[1].last)
  changed = make_config(packed, shared=(*config.shared, setting))
  with pytest.raises(UserError, match=f'another config.*{difference}'):
    run_leaderboard(changed, tmp_path)


def test_settings_that_change_no_result_may_differ(packed, tmp_path):
  config = make_config(packed)
  pretend_finished(make_runs(packed, tmp_path)[1].last)
  shared = (*config.shared, 'log.every_steps=1')
  run = make_runs(packed, tmp_path, shared=shared)[1]
  assert results.finished_report(run)['new_acc'] == 0.5


def test_run_without_recorded_settings_is_an_error(packed, tmp_path):
  run = make_runs(packed, tmp_path)[0]
  pretend_finished(run.last)
  (run.last.workdir / 'config.json').unlink()
  with pytest.raises(UserError, match='lower-bound-3 has no config.json'):
    results.finished_report(run)


def test_reports_of_earlier_versions_count_in_the_means(packed, tmp_path):
  """They call the number of outputs in use `estimated_classes`."""
  old, new = (
    run
    for run in make_runs(packed, tmp_path, seeds=(3, 4))
    if run.row.name == 'CPL'
  )
  pretend_finished(old.last, estimated_classes=10)
  pretend_finished(new.last, num_outputs_in_use=20)
  (entry,) = results.collect_entries([old, new])
  assert entry.values('num_outputs_in_use') == [10, 20]
  assert entry.mean('num_outputs_in_use') == 15


def test_old_figures_of_a_heap_are_not_available(packed, tmp_path):
  """Earlier versions computed them from the images with a true class."""
  run = make_runs(packed, tmp_path)[1]
  entries = [{'count': 10}, {'count': 20}]
  pretend_finished(run.last, num_examples=90, per_class=entries)
  report = results.finished_report(run)
  assert report['all_acc'] is None and report['new_acc'] is None
  assert report['known_acc'] == 0.5
  assert report['heap_novel_share'] is None


@pytest.mark.parametrize('number', ['NaN', 'Infinity', '-Infinity'])
def test_report_of_a_diverged_network_is_not_finished(packed, tmp_path, number):
  """Earlier versions wrote such a report, which is not JSON."""
  run = make_runs(packed, tmp_path)[1]
  pretend_finished(run.last)
  assert results.finished_report(run) is not None
  path = run.last.workdir / 'report.json'
  path.write_text(path.read_text().replace('0.5', number, 1))
  assert results.finished_report(run) is None


def test_report_that_cannot_be_read_is_an_error(packed, tmp_path):
  run = make_runs(packed, tmp_path)[0]
  pretend_finished(run.last)
  (run.last.workdir / 'report.json').unlink()
  (run.last.workdir / 'report.json').mkdir()
  with pytest.raises(UserError, match='cannot read .*report.json .Is a dir'):
    results.finished_report(run)
