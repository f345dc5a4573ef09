"""Eight simulated devices, exact matrix products, and the golden files."""

import os

# Before the first import of jax: the platform and its devices are read once.
os.environ.setdefault('JAX_PLATFORMS', 'cpu')
os.environ.setdefault('JAX_NUM_CPU_DEVICES', '8')

import jax
import numpy as np
import pytest
from absl import flags

from helpers import imagesets
from helpers.paths import GOLDENS
from input_pipeline import pack

jax.config.update('jax_default_matmul_precision', 'highest')
# grain's workers read absl flags, which only `app.run` would have parsed.
flags.FLAGS.mark_as_parsed()


@pytest.fixture(scope='session')
def golden():
  """Returns a loader: `golden('cpl_pairs')` is the dict of that file."""

  def load(name):
    with np.load(GOLDENS / f'{name}.npz', allow_pickle=False) as file:
      return dict(file)

  return load


@pytest.fixture(scope='session', autouse=True)
def compilation_cache(tmp_path_factory):
  """Programs that several tests compile are compiled once for all of them."""
  folder = tmp_path_factory.getbasetemp()
  if 'PYTEST_XDIST_WORKER' in os.environ:
    folder = folder.parent
  jax.config.update('jax_compilation_cache_dir', str(folder / 'compiled'))
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.5)
  return folder / 'compiled'


@pytest.fixture(scope='session')
def packed(tmp_path_factory):
  """A packed dataset of 32-pixel images: two known and two novel classes."""
  folder = tmp_path_factory.mktemp('packed')
  table = imagesets.write_set(
    folder / 'images', known=2, novel=2, per_class=30, size=32
  )
  pack.pack(table, folder / 'packed', pack.Options(size=32), workers=1)
  return folder / 'packed'


@pytest.fixture(scope='module')
def quick_compile():
  """Compiles in half the time what runs only a few times."""
  jax.config.update('jax_disable_most_optimizations', True)
  yield
  jax.config.update('jax_disable_most_optimizations', False)
