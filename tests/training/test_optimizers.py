"""Tests of Adam and of the learning-rate schedules."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from input_pipeline.errors import UserError
from owdfa_jax.training import optimizers


def run_steps(optimizer, start, grads):
  """Returns the parameters after each step, and the optimiser's last state."""
  params, state = jnp.asarray(start), optimizer.init(jnp.asarray(start))
  history = []
  for grad in grads:
    updates, state = optimizer.update(jnp.asarray(grad), state, params)
    params = optax.apply_updates(params, updates)
    history.append(params)
  return np.stack(history), state


def settings(file, prefix):
  rate, decay, factor = file[f'{prefix}_lr_wd_gamma_f64']
  return {
    'schedule': 'step',
    'learning_rate': float(rate),
    'weight_decay': float(decay),
    'decay_factor': float(factor),
  }


def prefixes(file):
  suffix = '_lr_wd_gamma_f64'
  return [key.removesuffix(suffix) for key in file if key.endswith(suffix)]


@pytest.mark.golden
def test_adam_with_coupled_decay(golden):
  file = golden('optim')
  for prefix in prefixes(file):
    optimizer, _ = optimizers.make_optimizer(
      **settings(file, prefix), epochs=50, steps_per_epoch=100
    )
    params, state = run_steps(
      optimizer, file[f'{prefix}_p0'], file[f'{prefix}_grads']
    )
    np.testing.assert_allclose(
      params, file[f'{prefix}_params'], rtol=1e-6, atol=1e-7
    )
    adam = optax.tree.get(state, 'mu'), optax.tree.get(state, 'nu')
    for ours, key in zip(adam, ('exp_avg', 'exp_avg_sq'), strict=True):
      theirs = file[f'{prefix}_{key}'][-1]
      np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-12)


@pytest.mark.golden
def test_step_schedule_by_epoch(golden):
  file = golden('optim')
  for prefix in prefixes(file):
    expected = file[f'{prefix}_lr_per_epoch_f64']
    _, schedule = optimizers.make_optimizer(
      **settings(file, prefix), epochs=len(expected), steps_per_epoch=7
    )
    for offset in (0, 6):
      rates = [schedule(7 * e + offset) for e in range(len(expected))]
      np.testing.assert_allclose(rates, expected, rtol=1e-6)


@pytest.mark.golden
def test_trajectory_across_decays(golden):
  file = golden('optim')
  rates = file['steps_lr_f64']
  every = int(np.argmax(rates < rates[0]))
  optimizer, schedule = optimizers.make_optimizer(
    **settings(file, 'owdfa') | {'learning_rate': float(rates[0])},
    epochs=len(rates),
    steps_per_epoch=1,
    decay_epochs=every,
  )
  np.testing.assert_allclose(
    [schedule(i) for i in range(len(rates))], rates, rtol=1e-6
  )
  params, _ = run_steps(optimizer, file['steps_p0'], file['steps_grads'])
  np.testing.assert_allclose(params, file['steps_params'], rtol=1e-6, atol=1e-7)


def test_cosine_is_constant_within_an_epoch_and_ends_near_zero():
  schedule = optimizers.make_schedule(
    'cosine', learning_rate=1e-3, epochs=4, steps_per_epoch=3
  )
  rates = [float(schedule(step)) for step in range(12)]
  by_epoch = [1e-3 * 0.5 * (1 + np.cos(np.pi * e / 4)) for e in range(4)]
  np.testing.assert_allclose(rates, np.repeat(by_epoch, 3), rtol=1e-6)


def test_decay_is_coupled():
  # Without a gradient the moments contain only the decay, so Adam's first step
  # is a whole learning rate. Decoupled decay would move by 1e-3 * 1e-5.
  optimizer, _ = optimizers.make_optimizer(
    schedule='step',
    learning_rate=1e-3,
    weight_decay=1e-5,
    epochs=1,
    steps_per_epoch=1,
  )
  params, _ = run_steps(optimizer, np.ones(1, np.float32), np.zeros((1, 1)))
  np.testing.assert_allclose(params, [[1 - 1e-3]], rtol=1e-4)


def test_schedule_is_traceable():
  schedule = optimizers.make_schedule(
    'step', learning_rate=1.0, epochs=30, steps_per_epoch=2
  )
  rates = jax.jit(jax.vmap(schedule))(jnp.array([0, 19, 20, 40]))
  np.testing.assert_allclose(rates, [1, 1, 0.2, 0.04], rtol=1e-6)


def test_unknown_schedule_is_an_error_that_lists_the_known_ones():
  with pytest.raises(UserError, match='schedule=linear; .*step, cosine'):
    optimizers.make_schedule(
      'linear', learning_rate=1.0, epochs=1, steps_per_epoch=1
    )
