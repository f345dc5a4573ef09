"""The number of sources: constructed cases, and what it depends on."""

import numpy as np
import pytest

from input_pipeline import progress_bars
from owdfa_jax.discovery import num_sources
from owdfa_jax.discovery.num_sources import (
  SourceEstimate,
  choose_rows,
  estimate_num_sources,
  too_few_images,
)

# Enough for these small cases; the defaults are for real images.
FEW = {'_DRAWS': 6, '_NUMBERS': 8, '_REPEATS': 50}


@pytest.fixture(autouse=True)
def few(monkeypatch):
  for name, value in FEW.items():
    monkeypatch.setattr(num_sources, name, value)


def make(sources, known, each=40, size=12, spread=1.0, seed=0):
  """Returns features of Gaussian sources, and labels of half of the known."""
  generator = np.random.default_rng(seed)
  centre = 3 * generator.normal(size=(sources, size))
  truth = np.repeat(np.arange(sources), each)
  noise = spread * generator.normal(size=(len(truth), size))
  label = np.where(np.arange(len(truth)) % 2, -1, truth)
  label[truth >= known] = -1
  return (centre[truth] + noise).astype(np.float32), label


@pytest.mark.parametrize(('sources', 'known'), [(10, 5), (14, 5)])
def test_interval_holds_the_number_of_separate_sources(sources, known):
  found = estimate_num_sources(*make(sources, known))
  assert found.low <= sources <= found.high
  assert found.low <= found.number <= found.high
  assert known <= found.low
  assert found.doubt is None


def test_more_sources_give_a_larger_number():
  numbers = [estimate_num_sources(*make(k, 5)).number for k in (7, 14)]
  assert numbers == sorted(set(numbers))


def test_sources_that_overlap_wholly_are_not_reliable():
  found = estimate_num_sources(*make(10, 5, spread=30.0))
  assert found.agreement < 0.2 and found.doubt


def test_scale_shift_and_names_of_classes_have_no_effect():
  features, label = make(8, 4)
  once = estimate_num_sources(features, label)
  assert estimate_num_sources(5 * features + 3, label) == pytest.approx(once)
  # A gap among the labels, such as a class of which no row was drawn.
  moved = np.where(label >= 2, label + 3, label)
  assert estimate_num_sources(features, moved) == once


def test_the_same_rows_give_the_same_estimate():
  features, label = make(8, 4)
  once = estimate_num_sources(features, label, seed=3)
  assert estimate_num_sources(features, label, seed=3) == once


def test_constant_features_and_classes_of_one_row_are_no_error():
  features, label = make(6, 3, each=6)
  features[:, 2] = 7
  label[label == 0] = -1
  label[0] = 0
  found = estimate_num_sources(features, label)
  assert 3 <= found.low <= found.high
  assert np.isfinite([*found.curve.values()]).all()


def test_rows_that_are_all_alike_give_no_reliable_estimate():
  label = np.array([0, 0, 1, 1, *[-1] * 64])
  found = estimate_num_sources(np.full((68, 5), 3, np.float32), label)
  assert found.doubt
  assert f'{max(found.curve)} clusters, the most' in str(found.doubt)


@pytest.mark.parametrize(
  ('images', 'novel', 'is_enough'),
  [(5, 4, False), (15, 1, False), (16, 1, True), (31, 4, False), (32, 4, True)],
)
def test_too_few_images_of_unknown_source(images, novel, is_enough):
  assert (too_few_images(images, novel) is None) == is_enough


def test_an_estimate_from_few_images_is_doubted():
  features, label = make(8, 4)
  few = np.concatenate([np.flatnonzero(label >= 0), [200, 240, 280]])
  found = estimate_num_sources(features[few], label[few])
  assert found.images == 3 and found.novel == found.number - 4
  assert str(found.doubt).startswith('3 images of unknown source are too few')
  assert estimate_num_sources(features, label).doubt is None


@pytest.mark.parametrize(
  ('number', 'low', 'is_doubted'),
  [(5, 1, True), (5, 2, False), (1, 1, False)],
)
def test_an_interval_that_holds_one_source_is_doubted(number, low, is_doubted):
  found = SourceEstimate(
    number, low, 13, {2: 1.0}, 0.9, novel=number, images=102
  )
  assert (found.doubt is not None) == is_doubted
  assert not is_doubted or 'of 1 to 13 sources holds 1' in str(found.doubt)


def test_one_labelled_class_is_refused():
  features, label = make(4, 1)
  with pytest.raises(ValueError, match='rows of two classes, got 1'):
    estimate_num_sources(features, label)


def test_the_curve_compares_a_class_with_its_clusters():
  curve = estimate_num_sources(*make(8, 4)).curve
  # Half as many clusters as sources, and two and a half times as many.
  assert curve[4] < 0.6 and curve[20] > 1.5


def test_the_share_of_labelled_rows_hardly_changes_the_number():
  features, label = make(8, 4)
  fewer = np.where(np.arange(len(label)) % 4, -1, label)
  numbers = [estimate_num_sources(features, y).number for y in (label, fewer)]
  assert numbers == pytest.approx([8, 8], abs=1)


@pytest.mark.parametrize(
  ('labelled', 'others', 'share'),
  [(10, 5000, 0.1), (500, 9500, 0.125), (4000, 6000, 0.4), (9000, 1000, 0.5)],
)
def test_rows_are_drawn_with_enough_labelled_ones(labelled, others, share):
  label = np.repeat([0, -1], [labelled, others])
  rows = choose_rows(label, 100, np.random.default_rng(0))
  assert len(rows) == 100 == len(set(rows)) and (np.diff(rows) > 0).all()
  assert np.mean(label[rows] == 0) == pytest.approx(share, abs=0.01)
  few = choose_rows(label, labelled + others, np.random.default_rng(0))
  assert len(few) == labelled + others


def test_progress_is_shown(monkeypatch, capsys):
  monkeypatch.setattr(progress_bars, 'SECONDS_BETWEEN_LINES', 0.0)
  monkeypatch.setattr(progress_bars._Quiet, 'quiet', False)
  features = np.random.default_rng(0).normal(size=(40, 4))
  num_sources.estimate_num_sources(features, np.arange(40) % 3 - 1)
  lines = capsys.readouterr().err.splitlines()
  count = num_sources._DRAWS
  assert lines[0].startswith(f'number of sources: 1 of {count} draws')
  assert len(lines) == count
