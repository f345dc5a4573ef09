"""The training images that a run carries, and the nearest of them."""

import numpy as np

from owdfa_jax.evaluation import training_sample
from owdfa_jax.evaluation.training_sample import (
  TrainingSample,
  draw_sample,
  nearest_images,
  sample_of,
)

SAMPLE = TrainingSample(
  np.array([[1, 0], [0, 1], [0.6, 0.8], [1, 0]], np.float16),
  np.array([0, 1, 2, 0], np.int32),
  ['a/1.png', 'b/ü 2.png', 'c.png', 'd.png'],
)


def test_nearest_first_and_the_first_of_equals():
  place = np.array([[3, 0.1], [0.1, 0.2]])
  assert nearest_images(SAMPLE, place, 2) == [
    ('a/1.png', 'd.png'),
    ('c.png', 'b/ü 2.png'),
  ]
  # All of them, if more are asked for.
  ((*every,),) = nearest_images(SAMPLE, place[:1], 9)
  assert every == ['a/1.png', 'd.png', 'c.png', 'b/ü 2.png']


def test_arrays_of_a_file_give_it_back():
  found = sample_of(SAMPLE.arrays())
  np.testing.assert_array_equal(found.place, SAMPLE.place)
  np.testing.assert_array_equal(found.output, SAMPLE.output)
  assert found.name == SAMPLE.name
  assert sample_of({'sample_place': SAMPLE.place}) is None


def test_each_output_keeps_at_most_so_many(monkeypatch):
  monkeypatch.setattr(training_sample, 'MOST_OF_OUTPUT', 5)
  output = np.repeat([3, 0, 7], [20, 4, 6])
  drawn = draw_sample(output)
  assert np.array_equal(drawn, np.unique(drawn))
  found, count = np.unique(output[drawn], return_counts=True)
  assert found.tolist() == [0, 3, 7] and count.tolist() == [4, 5, 5]
  assert np.array_equal(drawn, draw_sample(output))
