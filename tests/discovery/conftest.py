"""A trained network for the tests of discovery."""

import jax
import pytest

from helpers.runs import tiny_experiment
from owdfa_jax.evaluation.epoch_evaluator import train_with_evaluation


@pytest.fixture(scope='session')
def one_epoch(packed, tmp_path_factory):
  """An experiment whose workdir has the checkpoint of one epoch."""
  experiment = tiny_experiment(
    packed, tmp_path_factory.mktemp('one_epoch'), epochs=1
  )
  # A few steps do not repay optimised programs.
  jax.config.update('jax_disable_most_optimizations', True)
  assert train_with_evaluation(experiment) == 0
  jax.config.update('jax_disable_most_optimizations', False)
  return experiment
