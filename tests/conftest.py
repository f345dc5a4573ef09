"""Eight simulated devices, exact matrix products, and the golden files."""

import os
import pathlib

# Before the first import of jax: the platform and its devices are read once.
os.environ.setdefault('JAX_PLATFORMS', 'cpu')
os.environ.setdefault('JAX_NUM_CPU_DEVICES', '8')

import jax
import numpy as np
import pytest
from absl import flags

jax.config.update('jax_default_matmul_precision', 'highest')
# grain's workers read absl flags, which only `app.run` would have parsed.
flags.FLAGS.mark_as_parsed()

GOLDENS = pathlib.Path(
  os.environ.get('OWDFA_GOLDENS', pathlib.Path(__file__).parent / 'goldens')
)


@pytest.fixture(scope='session')
def golden():
  """Returns a loader: `golden('cpl_pairs')` is the dict of that file."""

  def load(name):
    with np.load(GOLDENS / f'{name}.npz', allow_pickle=False) as file:
      return dict(file)

  return load


@pytest.fixture(scope='module')
def quick_compile():
  """Compiles in half the time what runs only a few times."""
  jax.config.update('jax_disable_most_optimizations', True)
  yield
  jax.config.update('jax_disable_most_optimizations', False)


def cases(golden_file):
  """The case prefixes (`c0`, `c1`, ...) of a golden file, whatever their number."""
  prefixes = {key.split('_')[0] for key in golden_file}
  return sorted(p for p in prefixes if p[0] == 'c' and p[1:].isdigit())
