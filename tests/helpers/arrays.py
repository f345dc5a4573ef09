"""Random arrays for tests of models."""

import numpy as np


def random_normal(*shape, seed=0):
  """Returns standard normal numbers, float32."""
  return np.random.RandomState(seed).randn(*shape).astype(np.float32)


def random_features(batch=6, height=8, width=8, channels=5, seed=0):
  """Returns features as a ReLU leaves them, half of them 0."""
  return np.maximum(random_normal(batch, height, width, channels, seed=seed), 0)
