"""The parts of split clusters: which images belong to which."""

import numpy as np
import pytest

from input_pipeline.errors import UserError
from owdfa_jax.evaluation import cluster_parts
from owdfa_jax.evaluation.training_sample import TrainingSample


@pytest.fixture
def sample():
  """Cluster 3 has 20 images around one direction and 30 around another."""
  rng = np.random.default_rng(0)
  place = np.repeat(np.eye(4)[[0, 1, 2]], (20, 30, 12), axis=0)
  place += 0.1 * rng.normal(size=place.shape)
  place /= np.linalg.norm(place, axis=1, keepdims=True)
  output = np.repeat([3, 3, 2], (20, 30, 12)).astype(np.int32)
  return TrainingSample(
    place.astype(np.float16), output, [f'{k}.png' for k in range(62)]
  )


def test_parts_are_the_groups_of_images_the_largest_first(sample):
  centres = cluster_parts.part_centres(sample, 3, 2)
  np.testing.assert_allclose(centres, np.eye(4)[[1, 0]], atol=0.1)
  (size, images), (other, _) = cluster_parts.part_of_sample(sample, 3, centres)
  assert (size, other) == (30, 20)
  # The most typical one first.
  cosine = {k: sample.place[k] @ centres[0] for k in range(20, 50)}
  assert images[0] == f'{max(cosine, key=cosine.get)}.png'


def test_the_order_of_the_images_does_not_matter(sample):
  order = np.random.default_rng(1).permutation(62)
  other = TrainingSample(
    sample.place[order], sample.output[order], [sample.name[k] for k in order]
  )
  np.testing.assert_allclose(
    cluster_parts.part_centres(other, 3, 2),
    cluster_parts.part_centres(sample, 3, 2),
    atol=1e-3,
  )


def test_the_nearest_part_gets_the_probability(sample):
  parts = cluster_parts.parts_of_names({3: ('A', '')}, sample, 'run')
  assert parts is not None
  names = parts.expand_names(('k0', 'k1', 'novel-2', 'X', 'novel-4'))
  assert names == ('k0', 'k1', 'novel-2', 'A', 'novel-3.2', 'novel-4')
  probability = np.array([0.1, 0.1, 0.2, 0.5, 0.1])
  near_first = parts.expand(probability, np.array([0.1, 3, 0, 0]))
  np.testing.assert_array_equal(near_first, [0.1, 0.1, 0.2, 0.5, 0, 0.1])
  near_second = parts.expand(probability, np.array([3, 0.1, 0, 0]))
  np.testing.assert_array_equal(near_second, [0.1, 0.1, 0.2, 0, 0.5, 0.1])


@pytest.mark.parametrize(
  ('output', 'count', 'message'),
  [
    (3, 11, r'too many parts: novel-3 in 11 .* split it into 10 at most'),
    (2, 3, r'novel-2 in 3 \(the run carries 12 .* into 2 at most'),
    (4, 2, 'too few training images to split novel-4: the run carries 0'),
  ],
)
def test_clusters_that_cannot_be_split(sample, output, count, message):
  with pytest.raises(UserError, match=message):
    cluster_parts.part_centres(sample, output, count)


def test_images_that_are_all_alike(sample):
  alike = sample._replace(place=np.ones_like(sample.place))
  with pytest.raises(UserError, match='novel-3: its training images are alike'):
    cluster_parts.part_centres(alike, 3, 2)


def test_a_run_without_training_images():
  with pytest.raises(UserError, match='carries no training images; `owdfa ev'):
    cluster_parts.parts_of_names({3: ('', '')}, None, 'run')
  assert cluster_parts.parts_of_names({}, None, 'run') is None
