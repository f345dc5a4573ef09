"""Small files of weights, and what reading them costs, for the tests."""

import tracemalloc

import numpy as np

from owdfa_jax.weights.files import read


def sample():
  return {
    'conv1.weight': np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    'bn1.num_batches_tracked': np.array(3, np.int64),
  }


def write(folder, content, name='weights.pth'):
  path = folder / name
  path.write_bytes(content)
  return path


def measured_read(path, limit):
  tracemalloc.start()
  try:
    return read(path)
  finally:
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < limit
