"""Images of no source, from training with a class left out to the report."""

import json
import os
import re

import numpy as np
import pytest

from helpers import imagesets
from helpers.csv_files import read_csv
from helpers.paths import ROOT
from helpers.runs import tiny_experiment
from input_pipeline import pack
from input_pipeline.errors import UserError
from input_pipeline.meta import UNLABELLED
from input_pipeline.supervision import validation_rows
from owdfa_jax.discovery.find_centres import evaluate_run
from owdfa_jax.evaluation.calibration import Calibration
from owdfa_jax.evaluation.epoch_evaluator import train_with_evaluation
from owdfa_jax.evaluation.evaluate import evaluate
from owdfa_jax.evaluation.new_images import list_new_images
from owdfa_jax.evaluation.restore import restore_network
from owdfa_jax.evaluation.seen_sources import attach_sources
from owdfa_jax.evaluation.sources_file import (
  SOURCES,
  read_sources,
  write_sources,
)
from owdfa_jax.inference.attribute import attribute
from owdfa_jax.inference.prepare import prepare_run

pytestmark = pytest.mark.usefixtures('quick_compile')


@pytest.fixture(scope='module')
def larger(tmp_path_factory):
  """Two known and two novel classes, with enough test images to threshold."""
  root = tmp_path_factory.mktemp('packed')
  table = imagesets.write_set(
    root / 'images', known=2, novel=2, per_class=40, size=32
  )
  pack.pack(table, root / 'packed', pack.Options(size=32), workers=1)
  return root / 'packed'


@pytest.fixture(scope='module')
def run(larger, tmp_path_factory):
  """A run that was trained without the novel class m3, and evaluated."""
  experiment = tiny_experiment(
    larger,
    tmp_path_factory.mktemp('left_out'),
    epochs=1,
    data__leave_out='m3',
  )
  assert train_with_evaluation(experiment) == 0
  evaluate_run(experiment)
  return experiment


def report_of(run):
  return json.loads((run.workdir / 'report.json').read_text())


def test_neighbours_are_found_by_as_many_components_as_rows_allow(run):
  folder = restore_network(run).folder
  place = read_sources(run.workdir, folder, run.config).sample.place
  kept = len(run.dataset.train) // 10
  assert place[:, :kept].any(0).all() and not place[:, kept:].any()
  assert 0 < kept < place.shape[1]


def test_report_measures_the_class_that_was_left_out(run, capsys):
  report = evaluate(run)
  assert [entry['name'] for entry in report['per_class']] == ['m0', 'm1', 'm2']
  assert report['num_examples'] == len(run.dataset.test)
  assert report['unseen']['num_unseen'] == len(run.dataset.unseen) > 0
  page = (ROOT / 'docs/metrics.md').read_text()
  (row,) = re.findall(r'^\| `unseen` \| `threshold`.*', page, re.MULTILINE)
  for key in (*report['unseen'], *report['unseen']['histogram']):
    assert f'`{key}`' in row, key
  assert 0 <= report['unseen_auroc'] <= 1
  assert 0 <= report['unseen_rejected_at_95'] <= 1
  unlabelled = int((run.dataset.train.tag == UNLABELLED).sum())
  assert report['unseen']['num_threshold'] == unlabelled > 20
  assert report['unseen']['threshold_set_on'] == 'unlabelled training images'
  out = capsys.readouterr().out
  assert 'sources that were not seen: AUROC' in out
  share = 100 * report['unseen']['none_of_these']
  assert f'called none of these: {share:.2f} % of the images, 5 % asked' in out
  assert report_of(run) == report


def test_attributions_have_the_verdict_and_what_it_comes_from(run):
  report = evaluate(run)
  lines = read_csv(run.workdir / 'attributions.csv')
  limit = report['unseen']['threshold']
  for line in lines:
    assert float(line['unseen_threshold']) == pytest.approx(limit, abs=1e-4)
    score = float(line['unseen_score'])
    if abs(score - limit) > 1e-3:
      assert (line['verdict'] == 'none of these') == (score > limit)
    # The name of the output stays.
    assert line['source'] != 'none of these'
  above = sum(line['verdict'] == 'none of these' for line in lines)
  assert above == round(report['unseen']['none_of_these'] * len(lines))


def test_other_images_are_taken_from_a_folder_or_a_pack(run, larger, tmp_path):
  table = imagesets.write_set(
    tmp_path / 'images', known=1, novel=0, per_class=30, size=32
  )
  pack.pack(table, tmp_path / 'packed', pack.Options(size=32), workers=1)
  left_out = len(run.dataset.unseen)
  for name, count in (('images', 30), ('packed', 6)):
    again = tiny_experiment(
      larger,
      run.workdir,
      data__leave_out='m3',
      eval__unseen_path=str(tmp_path / name),
    )
    assert evaluate(again)['unseen']['num_unseen'] == left_out + count


def test_new_images_get_a_score_and_none_of_these(run, tmp_path, larger):
  imagesets.write_set(tmp_path / 'new', known=0, novel=2, per_class=6, size=32)
  # With a rate near 1 the threshold is below most scores.
  often = tiny_experiment(
    larger, run.workdir, data__leave_out='m3', eval__false_alarm_rate=0.99
  )
  for experiment in (run, often):
    attribute(prepare_run(experiment), list_new_images(str(tmp_path / 'new')))
    lines = read_csv(run.workdir / 'new_attributions.csv')
    lines = [line for line in lines if line['output']]
    limit = evaluate(experiment)['unseen']['threshold']
    for line in lines:
      is_none = line['source'] == 'none of these'
      assert is_none == (float(line['unseen_score']) > limit - 1e-4)
  assert any(line['source'] == 'none of these' for line in lines)


def test_sources_are_fitted_once_and_again_for_another_network(run, tmp_path):
  path = SOURCES.path(run.workdir, restore_network(run).step)
  before = os.stat(path).st_mtime_ns
  evaluate_run(run)
  assert os.stat(path).st_mtime_ns == before
  content = dict(np.load(path))
  content['mean'] = content['mean'] + 1
  np.savez(tmp_path / 'other.npz', **content)
  kept = path.read_bytes()
  path.write_bytes((tmp_path / 'other.npz').read_bytes())
  with pytest.raises(UserError, match='damaged sources: .* remove it'):
    evaluate(run)
  path.write_bytes(kept)


def test_threshold_of_test_images_is_made_anew(run, tmp_path, capsys):
  """As an earlier version wrote it."""
  path = SOURCES.path(run.workdir, restore_network(run).step)
  kept = path.read_bytes()
  content = dict(np.load(path))
  del content['sha256'], content['scored']
  content['verdict_score'] = content['image_score'] = np.arange(30.0)
  SOURCES.write(run.workdir, restore_network(run).step, content)
  # Without the images of the run it is used as it is.
  unseen = evaluate(run)['unseen']
  assert unseen['threshold_set_on'] == 'test images'
  assert unseen['threshold'] == 28
  assert evaluate_run(run)['unseen']['num_threshold'] > 30
  assert 'earlier version (its threshold): made anew' in capsys.readouterr().out
  assert path.read_bytes() == kept


def test_a_file_of_an_earlier_version_has_no_temperature(run, capsys):
  path = SOURCES.path(run.workdir, restore_network(run).step)
  kept = path.read_bytes()
  report = evaluate(run)
  section = report['calibration']
  assert 0 < section['expected_accuracy'] < 1
  assert section['reliability'] and section['temperature'] > 0
  assert 'confidence: temperature' in capsys.readouterr().out
  content = dict(np.load(path))
  later = [k for k in content if k.startswith(('sample', 'calibration'))]
  assert len(later) == 4
  for name in ('sha256', *later):
    del content[name]
  SOURCES.write(run.workdir, restore_network(run).step, content)
  # Without the images of the run it is used as it is.
  old = evaluate(run)
  assert old['calibration'] is None and old['not_available']['calibration']
  # No other figure changes.
  assert old['reliability'] == report['reliability']
  assert old['all_acc'] == report['all_acc']
  assert evaluate_run(run)['calibration'] == section
  assert 'of an earlier version (no temperature)' in capsys.readouterr().out
  assert path.read_bytes() == kept


@pytest.mark.usefixtures('fits_can_fail')
def test_a_temperature_that_failed_is_not_used(run, capsys):
  restored = restore_network(run)
  path = SOURCES.path(run.workdir, restored.step)
  kept = path.read_bytes()
  where = run.workdir, restored.folder, run.config
  at_an_end = Calibration(0.02, 0.02, 0.7, 0.7)
  seen = read_sources(*where)._replace(calibration=at_an_end, failed=None)
  write_sources(*where, seen)
  try:
    report = evaluate(run)
  finally:
    path.write_bytes(kept)
  reason = report['not_available']['calibration']
  assert 'stopped at 0.02, an end of its range' in reason
  assert f'confidence: without a temperature: {reason}' in (
    capsys.readouterr().out
  )
  assert report['calibration'] is None
  assert report['failed_calibration'] == {
    'temperature': 0.02,
    'expected_accuracy': 0.7,
  }
  lines = read_csv(run.workdir / 'attributions.csv')
  assert all(not line['calibrated_confidence'] for line in lines)


def test_validation_images_count_as_without_a_label(larger, tmp_path):
  """The network was not trained on them."""
  experiment = tiny_experiment(
    larger,
    tmp_path,
    epochs=1,
    eval__selection='validation',
    data__validation_share=0.4,
  )
  assert train_with_evaluation(experiment) == 0
  found = evaluate_run(experiment)['unseen']['num_threshold']
  rows = validation_rows(experiment.dataset, experiment.config.seed, 0.4)
  unlabelled = int((experiment.dataset.train.tag == UNLABELLED).sum())
  assert found - unlabelled == len(rows) > 0


def test_scores_do_not_depend_on_the_batch(run, larger):
  scores = []
  for batch_size in (16, 64):
    again = tiny_experiment(
      larger,
      run.workdir,
      data__leave_out='m3',
      eval__batch_size=batch_size,
    )
    restored, _ = attach_sources(again, restore_network(again))
    found = restored.predictor.predict(
      restored.params, restored.batch_stats, restored.predictor.batches('test')
    )
    scores.append(found.unseen_score)
  np.testing.assert_allclose(*scores, rtol=1e-3, atol=1e-2)


def test_a_run_without_such_images_says_so(trained):
  evaluate_run(trained)
  report = report_of(trained)
  assert report['unseen_auroc'] is report['unseen_rejected_at_95'] is None
  assert report['not_available']['unseen_auroc']
  assert 'num_unseen' not in report['unseen']
