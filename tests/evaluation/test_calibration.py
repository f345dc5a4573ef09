"""Temperatures: fitted to the agreement of neighbours, and applied."""

import numpy as np
import pytest

from owdfa_jax.evaluation.calibration import (
  Calibration,
  agreement,
  calibrate,
  fit_temperature,
  tempered,
  usable_or_failed,
)
from owdfa_jax.evaluation.calibration_report import (
  calibration_lines,
  failed_fit_in_words,
  with_calibration,
)
from owdfa_jax.evaluation.groups import VerdictSums
from owdfa_jax.evaluation.training_rows import (
  TrainingRows,
  by_group,
  calibrate_rows,
  reliable_places,
)
from owdfa_jax.report_fields import (
  HIGHEST_TEMPERATURE,
  LOWEST_TEMPERATURE,
  current_report,
  main_figures,
)
from owdfa_jax.spectrum.kmeans import unit_rows


def log_softmax(logits):
  return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def draw(rows=400, seed=0, sharpness=3.0):
  """Returns log-probabilities, places and names of rows of three sources.

  A third of the places are of another source than the name.
  """
  generator = np.random.default_rng(seed)
  name = generator.integers(0, 3, rows)
  source = np.where(generator.random(rows) < 1 / 3, (name + 1) % 3, name)
  place = np.eye(3, 8)[source] + 0.05 * generator.normal(size=(rows, 8))
  logits = sharpness * np.eye(3)[name] + generator.normal(size=(rows, 3))
  return log_softmax(logits), unit_rows(place), name


def test_temperature_makes_the_mean_confidence_the_share():
  log_probability, _, _ = draw()
  for share in (0.4, 0.6, 0.9):
    temperature = fit_temperature(log_probability, share)
    confidence = tempered(log_probability, temperature).max(1)
    assert confidence.mean() == pytest.approx(share, abs=1e-6)


def test_temperature_does_not_change_the_order():
  log_probability, _, _ = draw()
  plain = tempered(log_probability, None)
  np.testing.assert_allclose(plain, np.exp(log_probability), rtol=1e-6)
  for temperature in (0.3, 4.0):
    changed = tempered(log_probability, temperature)
    np.testing.assert_array_equal(
      changed.argsort(1, kind='stable'), plain.argsort(1, kind='stable')
    )
    np.testing.assert_allclose(changed.sum(1), 1)


def test_agreement_counts_neighbours_of_the_same_name():
  place = unit_rows(np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1], [1, 0.2]]))
  name = np.array([0, 0, 1, 2, 0])
  every = np.ones(5, bool)
  alone = np.arange(5)
  assert agreement(place, name, alone, every) == 3 / 5
  # The neighbours of the rows that count may be any.
  assert agreement(place, name, alone, name == 1) == 0
  # Rows of one group are no neighbours: the first two then look at the last.
  group = np.array([0, 0, 1, 2, 2])
  assert agreement(place, name, group, every) == 3 / 5
  assert agreement(place, name, np.array([0, 0, 1, 2, 0]), every) == 0


def test_more_confident_rows_get_a_higher_temperature():
  found = {}
  for sharpness in (2.0, 6.0):
    log_probability, place, name = draw(sharpness=sharpness)
    every = np.ones(len(name), bool)
    temperature, share = calibrate(
      log_probability, place, name, np.arange(len(name)), every
    )
    assert 0.4 < share < 0.8
    confidence = tempered(log_probability, temperature).max(1)
    assert confidence.mean() == pytest.approx(share, abs=1e-6)
    found[sharpness] = temperature
  assert found[6.0] > 1.5 * found[2.0]


def make_rows(repeats):
  log_probability, place, name = draw(rows=60)
  count = len(name)
  order = np.random.default_rng(1).permutation(count * repeats)
  group = np.repeat(np.arange(count), repeats)[order]
  label = np.where(np.arange(count) < 20, name, -1)
  return TrainingRows(
    np.arange(len(order), dtype=np.int32),
    place[group].astype(np.float32),
    log_probability[group].astype(np.float32),
    label[group],
    group,
    (label < 0)[group],
  )


def test_groups_are_sums_and_means_of_their_rows():
  rows = make_rows(3)
  groups = by_group(rows)
  assert len(groups.row) == 60
  first = [int(np.flatnonzero(rows.group == g)[0]) for g in groups.group]
  assert groups.row.tolist() == sorted(first) == first
  sums = VerdictSums(rows.group)
  sums.add(rows.row, rows.log_probability)
  row, probability = sums.probability(2.0)
  np.testing.assert_array_equal(row, groups.row)
  np.testing.assert_allclose(
    tempered(groups.log_probability, 2.0), probability, rtol=1e-4
  )
  np.testing.assert_allclose(groups.place, rows.place[first], rtol=1e-5)
  np.testing.assert_array_equal(groups.label, rows.label[first])
  np.testing.assert_array_equal(groups.asked, rows.asked[first])


def test_verdicts_have_a_temperature_of_their_own():
  rows = make_rows(3)
  found = calibrate_rows(rows, by_group(rows), least=20)
  # Three equal rows are three times as sure.
  assert found.verdict == pytest.approx(3 * found.image, rel=1e-3)
  assert found.verdict_agreement == found.image_agreement
  single = make_rows(1)
  alone = calibrate_rows(single, by_group(single), least=20)
  assert alone.verdict == alone.image


def test_components_that_rows_are_too_few_for_choose_no_neighbour():
  draws = np.random.default_rng(0)
  name = np.repeat(np.arange(3), 80)
  place = draws.normal(size=(240, 64)).astype(np.float32)
  place[:, :3] += 4 * np.eye(3)[name]
  place = (place - place.mean(0)) / place.std(0)
  every = np.arange(240), np.ones(240, bool)
  reliable = reliable_places(place)
  assert np.array_equal(reliable[:, :24], place[:, :24])
  assert not reliable[:, 24:].any()
  before = agreement(unit_rows(place), name, *every)
  assert agreement(unit_rows(reliable), name, *every) > before + 0.1
  many = np.repeat(place, 3, axis=0)
  assert np.array_equal(reliable_places(many), many)


def test_too_few_rows_without_a_label_give_no_temperature():
  rows = make_rows(1)
  assert calibrate_rows(rows, by_group(rows), least=41) is None


def test_each_group_can_have_a_temperature():
  log_probability = draw(rows=4)[0].astype(np.float32)
  sums = VerdictSums(np.arange(4))
  sums.add(np.arange(4), log_probability)
  each = np.array([1.0, 2.0, 3.0, 0.5])
  _, found = sums.probability(each)
  for row, temperature in enumerate(each):
    np.testing.assert_allclose(
      found[row], tempered(log_probability, temperature)[row], rtol=1e-5
    )


@pytest.mark.usefixtures('fits_can_fail')
def test_a_temperature_at_an_end_of_its_range_is_not_used():
  usable = Calibration(1.2, 1.2, 0.7, 0.7)
  assert usable_or_failed(usable) == (usable, None)
  assert usable_or_failed(None) == (None, None)
  # All confidences are alike: no temperature makes their mean 0.99, or 0.
  flat = np.full((9, 60), -np.log(60.0)) + 1e-3 * np.arange(60)
  for share, end in ((0.99, LOWEST_TEMPERATURE), (0.0, HIGHEST_TEMPERATURE)):
    temperature = fit_temperature(flat, share)
    assert temperature == pytest.approx(end)
    fitted = Calibration(1.0, temperature, 0.7, share)
    assert usable_or_failed(fitted) == (None, fitted)
    assert fitted.failed == (temperature, share)


@pytest.mark.usefixtures('fits_can_fail')
@pytest.mark.parametrize('by_group', [False, True])
def test_a_failed_fit_is_said(by_group):
  failed = Calibration(0.02, 0.02, 0.7048, 0.7048)
  result = {'all_acc': 0.1} | ({'groups': {'all_acc': 0.2}} if by_group else {})
  report = with_calibration(result, None, 'test', None, None, failed)
  words = (
    'the fit of the temperature stopped at 0.02, an end of its range, for an '
    'expected accuracy of 70.48 %'
  )
  figures = main_figures(report)
  assert figures['calibration'] is None
  assert failed_fit_in_words(figures) == words
  assert calibration_lines(report) == [
    f'confidence: without a temperature: {words}'
  ]
  # A report of an earlier version, which used the temperature.
  section = {'temperature': 0.02, 'expected_accuracy': 0.7048, 'other': 1}
  earlier = {**result, 'calibration': section}
  if by_group:
    earlier['groups'] = {**result['groups'], 'calibration': section}
  assert current_report(earlier) == report


def test_a_usable_temperature_of_a_report_stays():
  report = {'calibration': {'temperature': 0.9, 'expected_accuracy': 0.7}}
  assert current_report(report) == report
  assert failed_fit_in_words(report) == ''
