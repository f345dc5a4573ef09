"""Clusters are found, known classes keep theirs, and order does not matter."""

import numpy as np
import pytest

from owdfa_jax.spectrum import whitening
from owdfa_jax.spectrum.kmeans import (
  merge_centres,
  semi_supervised_kmeans,
  squared_distances,
  unit_rows,
)


def four_sources(per_source=60, seed=0):
  """Returns rows of two known and two novel sources, their labels and truth."""
  generator = np.random.default_rng(seed)
  truth = np.repeat(np.arange(4), per_source)
  rows = np.eye(4, 8)[truth] + 0.1 * generator.normal(size=(len(truth), 8))
  labelled = (truth < 2) & (np.arange(len(truth)) % 2 == 0)
  return (
    unit_rows(rows.astype(np.float32)),
    np.where(labelled, truth, -1),
    truth,
  )


def cluster(rows, label, clusters=4, seed=0):
  return semi_supervised_kmeans(
    rows,
    label,
    num_known=label.max() + 1,
    num_clusters=clusters,
    seed=(seed,),
    num_restarts=3,
  )


@pytest.mark.parametrize('chunk', [50, 4096])
def test_sources_are_found(monkeypatch, chunk):
  monkeypatch.setattr(whitening, 'CHUNK', chunk)
  rows, label, truth = four_sources()
  found = cluster(rows, label)
  assert (found.assigned[truth < 2] == truth[truth < 2]).all()
  names = [np.unique(found.assigned[truth == c]) for c in (2, 3)]
  assert sorted(np.concatenate(names)) == [2, 3]
  np.testing.assert_allclose(
    found.centres[0], rows[truth == 0].mean(0), atol=1e-6
  )
  own = squared_distances(rows, found.centres)[
    np.arange(len(rows)), found.assigned
  ]
  np.testing.assert_allclose(found.inertia, own.sum(), rtol=1e-5)


def test_a_labelled_row_stays_with_its_class():
  rows, label, truth = four_sources()
  # Rows of source 3 that are labelled as class 0.
  label[truth == 3] = np.where(np.arange(60) < 5, 0, -1)
  found = cluster(rows, label)
  assert (found.assigned[label >= 0] == label[label >= 0]).all()


def test_the_order_of_rows_does_not_matter():
  rows, label, _ = four_sources()
  order = np.random.default_rng(5).permutation(len(rows))
  found, other = cluster(rows, label), cluster(rows[order], label[order])
  # Novel clusters may be numbered otherwise.
  assert other.inertia == pytest.approx(found.inertia, rel=1e-5)
  pairs = set(zip(found.assigned[order], other.assigned, strict=True))
  assert len(pairs) == 4


def test_more_clusters_than_rows_leaves_some_empty():
  rows, label, _ = four_sources(per_source=2)
  found = cluster(rows, label, clusters=12)
  assert found.centres.shape == (12, 8)
  assert np.isfinite(found.centres).all()


@pytest.mark.parametrize('given', [-1, 0])
def test_no_label_and_all_labels(given):
  rows, _, truth = four_sources()
  label = np.full(len(rows), -1) if given < 0 else truth
  found = cluster(rows, label)
  pairs = set(zip(found.assigned, truth, strict=True))
  assert len(pairs) == 4


def test_rows_of_zeros_stay_zero():
  np.testing.assert_array_equal(unit_rows(np.zeros((2, 3))), 0)


def test_overclustering_finds_what_plain_starts_miss():
  """Twenty sources in a plane: k-means++ gives some two centres, some none."""
  generator = np.random.default_rng(3)
  truth = np.repeat(np.arange(20), 30)
  middle = generator.uniform(-40, 40, (20, 2))
  rows = (middle[truth] + generator.normal(size=(600, 2))).astype(np.float32)
  label = np.where(truth < 2, truth, -1)
  best = ((rows - middle[truth]) ** 2).sum()

  def inertia(seed, overclustering):
    return semi_supervised_kmeans(
      rows,
      label,
      num_known=2,
      num_clusters=20,
      seed=(seed,),
      num_restarts=1,
      overclustering=overclustering,
    ).inertia

  plain = [inertia(seed, 1) for seed in range(8)]
  overclustered = [inertia(seed, 4) for seed in range(8)]
  assert np.mean(overclustered) < 1.2 * best < np.mean(plain)


def test_the_cheapest_pairs_are_merged():
  centres = np.array([[5, 0], [5.2, 0], [9, 9], [7, 7]], np.float32)
  size = np.array([10, 30, 40, 0])
  merged = merge_centres(centres, size, 2)
  # The empty cluster first, then the two at 5 and 5.2, by their sizes.
  np.testing.assert_allclose(merged, [[5.15, 0], [9, 9]], rtol=1e-6)
  np.testing.assert_array_equal(merge_centres(centres, size, 4), centres)
