"""Checks of a loss's arguments, where a mistake would stay silent."""

import jax
import jax.numpy as jnp


def check_logits(**arrays: jax.Array) -> None:
  """Raises `ValueError` unless all arrays are floating-point [B, K].

  Args:
    **arrays: the arguments by name.
  """
  for name, array in arrays.items():
    if array.ndim != 2 or not jnp.issubdtype(array.dtype, jnp.floating):
      raise ValueError(
        f'{name} must be floating-point of shape [B, K], got {array.dtype} of '
        f'shape {array.shape}'
      )


def check_label(size: int, **arrays: jax.Array) -> None:
  """Raises `ValueError` unless all arrays are integers of shape [size].

  Args:
    size: number of rows of the batch.
    **arrays: the arguments by name.
  """
  # [B, 1] would broadcast to a loss of each row with each label.
  for name, array in arrays.items():
    if array.shape != (size,) or not jnp.issubdtype(array.dtype, jnp.integer):
      raise ValueError(
        f'{name} must be integers of shape [{size}], got {array.dtype} of '
        f'shape {array.shape}'
      )
