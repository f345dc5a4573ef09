"""Adam with coupled L2, and learning rates that change by epoch."""

import jax
import jax.numpy as jnp
import optax

from input_pipeline.errors import UserError


def make_schedule(
  name: str,
  *,
  learning_rate: float,
  epochs: int,
  steps_per_epoch: int,
  decay_epochs: int = 10,
  decay_factor: float = 0.2,
) -> optax.Schedule:
  """Maps a step to its learning rate, constant within an epoch.

  'step' multiplies by `decay_factor` every `decay_epochs` epochs; 'cosine' is
  learning_rate (1 + cos(pi epoch / epochs)) / 2.

  Raises:
    UserError: an unknown name.
  """

  def step_decay(epoch: jax.Array) -> jax.Array:
    # Integers: a quotient in floats may fall just short of a whole number.
    return learning_rate * jnp.float32(decay_factor) ** (epoch // decay_epochs)

  schedules = {
    'step': step_decay,
    'cosine': optax.cosine_decay_schedule(learning_rate, epochs),
  }
  if name not in schedules:
    raise UserError(
      f'unknown learning-rate schedule: --config.optimizer.schedule={name}; '
      f'choose one of {", ".join(schedules)}'
    )
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
  """Adam (0.9, 0.999, 1e-8) as PyTorch's, and the schedule of its rate.

  `weight_decay` times the parameter joins the gradient before the moments (L2,
  not AdamW's decoupled decay). The other arguments are `make_schedule`'s.
  """
  rate = make_schedule(
    schedule,
    learning_rate=learning_rate,
    epochs=epochs,
    steps_per_epoch=steps_per_epoch,
    decay_epochs=decay_epochs,
    decay_factor=decay_factor,
  )
  transform = optax.chain(
    optax.add_decayed_weights(weight_decay),
    optax.scale_by_adam(),
    optax.scale_by_learning_rate(rate),
  )
  return transform, rate
