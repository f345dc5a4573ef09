"""Sets up JAX for all tests: eight simulated devices, exact matrix products."""

import gc
import os
import signal

# Before the first import of jax: the platform and its devices are read once.
os.environ.setdefault('JAX_PLATFORMS', 'cpu')
os.environ.setdefault('JAX_NUM_CPU_DEVICES', '8')

import jax
import numpy as np
import pytest
from absl import flags

from helpers import imagesets
from helpers.paths import GOLDENS
from input_pipeline import folder, pack
from owdfa_jax import report_fields
from owdfa_jax.evaluation import calibration

jax.config.update('jax_default_matmul_precision', 'highest')
# grain's workers read absl flags, which only `app.run` would have parsed.
flags.FLAGS.mark_as_parsed()
# Shells let what runs in the background ignore Ctrl-C, and programs that tests
# start and interrupt would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
  signal.signal(signal.SIGINT, signal.default_int_handler)
# A sixth of the tests' time went into walks over objects that live on: modules,
# tests, compiled programs. Tests make little garbage in cycles.
gc.set_threshold(50_000, 20, 20)


def pytest_collection_finish():
  """Spares the collector what has been imported and collected."""
  gc.collect()
  gc.freeze()


@pytest.fixture(scope='session')
def golden():
  """Returns a function that loads a golden file: `golden('cpl_pairs')`."""

  def load(name):
    with np.load(GOLDENS / f'{name}.npz', allow_pickle=False) as file:
      return dict(file)

  return load


@pytest.fixture(scope='session', autouse=True)
def compilation_cache(pytestconfig):
  """Keeps compiled programs for other tests, and for later runs of the tests.

  They lie in pytest's own cache, so `pytest --cache-clear` removes them.
  """
  folder = pytestconfig.cache.mkdir('owdfa')
  # Commands that tests start keep theirs in the same place.
  os.environ['OWDFA_CACHE'] = str(folder)
  jax.config.update('jax_compilation_cache_dir', str(folder / 'compiled'))
  # Small programs too: each process compiles hundreds.
  os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0'
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)


@pytest.fixture(scope='session')
def packed(tmp_path_factory):
  """A packed dataset of 32-pixel images: two known and two novel classes."""
  folder = tmp_path_factory.mktemp('packed')
  table = imagesets.write_set(
    folder / 'images', known=2, novel=2, per_class=30, size=32
  )
  pack.pack(table, folder / 'packed', pack.Options(size=32), workers=1)
  return folder / 'packed'


@pytest.fixture(scope='session')
def unsorted(tmp_path_factory):
  """A packed dataset of two known classes and a heap of images.

  The images of three novel sources, and some of the known ones, lie in a folder
  without names.
  """
  root = tmp_path_factory.mktemp('unsorted')
  imagesets.write_set(root / 'known', known=2, novel=0, per_class=30, size=32)
  imagesets.write_set(root / 'mixed', known=0, novel=5, per_class=20, size=32)
  (root / 'known' / 'meta.csv').unlink()
  folder.prepare_folder(
    root / 'known', ['0', '1'], root / 'meta', unlabelled=root / 'mixed'
  )
  pack.pack(
    root / 'meta' / 'meta.csv',
    root / 'packed',
    pack.Options(size=32),
    workers=1,
  )
  return root / 'packed'


@pytest.fixture(scope='module')
def quick_compile():
  """Halves the time of compiling, for programs that run only a few times."""
  jax.config.update('jax_disable_most_optimizations', True)
  yield
  jax.config.update('jax_disable_most_optimizations', False)


@pytest.fixture(scope='module')
def two_blocks():
  """Makes `small` a network of two blocks, not four, which compiles sooner.

  For tests of programs that no other tests compile. Its feature map has the
  shape of the four blocks'.
  """
  from owdfa_jax.models import resnet

  shallow = resnet.ResNetConfig(
    depths=(1, 1),
    widths=(32, 256),
    strides=(1, 4),
    stem_kernel=3,
    stem_pool=False,
  )
  with pytest.MonkeyPatch.context() as patch:
    patch.setitem(resnet.CONFIGS, 'small', shallow)
    yield


@pytest.fixture(scope='session')
def trained(packed, tmp_path_factory):
  """An experiment whose workdir has the checkpoint of one epoch."""
  # Imported late: most tests do without what takes seconds.
  from helpers.runs import tiny_experiment
  from owdfa_jax.evaluation.epoch_evaluator import train_with_evaluation

  experiment = tiny_experiment(
    packed, tmp_path_factory.mktemp('trained'), epochs=1
  )
  # A few steps do not repay optimised programs.
  jax.config.update('jax_disable_most_optimizations', True)
  assert train_with_evaluation(experiment) == 0
  jax.config.update('jax_disable_most_optimizations', False)
  return experiment


@pytest.fixture(scope='session', autouse=True)
def fits_of_tiny_runs_count():
  """Takes every fit of a temperature as one that did not fail.

  The runs of the tests are hardly trained, so that their temperatures lie at an
  end of the range; tests are to see what a temperature does.
  """
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(calibration, 'is_end_of_range', lambda _: False)
    yield


@pytest.fixture
def fits_can_fail(monkeypatch):
  """Undoes `fits_of_tiny_runs_count` for a test."""
  monkeypatch.setattr(
    calibration, 'is_end_of_range', report_fields.is_end_of_range
  )
