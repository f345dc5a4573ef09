"""A trained network for the tests of evaluation."""

import jax
import pytest

from helpers import imagesets
from helpers.runs import tiny_experiment
from input_pipeline import folder, pack
from owdfa_jax.evaluation.epoch_evaluator import train_with_evaluation


@pytest.fixture(scope='session')
def trained(packed, tmp_path_factory):
  """An experiment whose workdir has the checkpoint of one epoch."""
  experiment = tiny_experiment(
    packed, tmp_path_factory.mktemp('trained'), epochs=1
  )
  # A few steps do not repay optimised programs.
  jax.config.update('jax_disable_most_optimizations', True)
  assert train_with_evaluation(experiment) == 0
  jax.config.update('jax_disable_most_optimizations', False)
  return experiment


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
