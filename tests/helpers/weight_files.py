"""Small files of weights, and how much memory it takes to read them."""

import tracemalloc

import numpy as np

from owdfa_jax.weights.readers import read_weights


def sample_weights():
  """Returns a state dict of a tensor and a number."""
  return {
    'conv1.weight': np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    'bn1.num_batches_tracked': np.array(3, np.int64),
  }


def write_bytes(folder, content, name='weights.pth'):
  """Writes a file into a folder and returns its path."""
  path = folder / name
  path.write_bytes(content)
  return path


def read_within(path, limit):
  """Reads weights, and checks that it takes fewer than `limit` bytes."""
  tracemalloc.start()
  try:
    return read_weights(path)
  finally:
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < limit
