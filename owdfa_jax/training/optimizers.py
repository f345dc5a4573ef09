"""Adam with L2 regularisation, and learning rates that change by epoch."""

import jax
import jax.numpy as jnp
import optax

from input_pipeline.errors import check_choice


def make_schedule(
  name: str,
  *,
  learning_rate: float,
  epochs: int,
  steps_per_epoch: int,
  decay_epochs: int = 10,
  decay_factor: float = 0.2,
) -> optax.Schedule:
  """Returns a function from a step to its learning rate.

  The rate is constant within an epoch, as in the papers' code.

  Args:
    name: 'step', which multiplies the rate by `decay_factor` every
      `decay_epochs` epochs, or 'cosine', for which it is
      learning_rate (1 + cos(pi epoch / epochs)) / 2.
    learning_rate: the rate in the first epoch.
    epochs: length of the whole run; only 'cosine' depends on it, so only a run
      with 'step' can be extended as if it had been longer from the start.
    steps_per_epoch: steps of one epoch.
    decay_epochs: see `name`.
    decay_factor: see `name`.

  Raises:
    UserError: `name` is neither of the two.
  """

  def step_decay(epoch: jax.Array) -> jax.Array:
    # Integer division: a float quotient can fall just below a whole number.
    return learning_rate * jnp.float32(decay_factor) ** (epoch // decay_epochs)

  schedules = {
    'step': step_decay,
    'cosine': optax.cosine_decay_schedule(learning_rate, epochs),
  }
  check_choice('--config.optimizer.schedule', name, schedules)
  by_epoch = schedules[name]

  def schedule(step: jax.typing.ArrayLike) -> jax.Array:
    return jnp.asarray(by_epoch(jnp.asarray(step) // steps_per_epoch))

  return schedule


def make_optimizer(
  *,
  schedule: str,
  learning_rate: float,
  weight_decay: float,
  epochs: int,
  steps_per_epoch: int,
  decay_epochs: int = 10,
  decay_factor: float = 0.2,
) -> tuple[optax.GradientTransformation, optax.Schedule]:
  """Returns Adam as in PyTorch, and the schedule of its learning rate.

  The moments decay with 0.9 and 0.999; epsilon is 1e-8.

  Args:
    schedule: the name of the schedule.
    learning_rate: see `make_schedule`.
    weight_decay: times the parameter, is added to the gradient before the
      moments are computed. This is PyTorch's `Adam(weight_decay=...)`, an L2
      penalty; the decay of AdamW does not pass through the moments.
    epochs: see `make_schedule`.
    steps_per_epoch: see `make_schedule`.
    decay_epochs: see `make_schedule`.
    decay_factor: see `make_schedule`.

  Raises:
    UserError: there is no such schedule.
  """
  rate = make_schedule(
    schedule,
    learning_rate=learning_rate,
    epochs=epochs,
    steps_per_epoch=steps_per_epoch,
    decay_epochs=decay_epochs,
    decay_factor=decay_factor,
  )
  optimizer = optax.chain(
    optax.add_decayed_weights(weight_decay),
    optax.scale_by_adam(),
    optax.scale_by_learning_rate(rate),
  )
  return optimizer, rate
