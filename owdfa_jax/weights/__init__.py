"""Weights from elsewhere: a ResNet of torchvision or timm, or another run."""

import os
from typing import Any

from owdfa_jax.weights.files import read
from owdfa_jax.weights.match import Report, fill, state_dict

__all__ = ['Report', 'fill', 'load', 'read', 'state_dict']


def load(
  path: str | os.PathLike[str], params: Any, batch_stats: Any
) -> tuple[Any, Any, Report]:
  """Initialises a network from a file: its backbone whole, the rest if it fits.

  Args:
    path: a file of weights, see `read`.
    params: the network's parameters, a pytree of `jax.Array`, replicated or
      sharded; see `owdfa_jax.state.split`.
    batch_stats: its statistics, likewise.

  Returns:
    Parameters and statistics of the same structure, types and shardings, and
    the list of what was loaded, left out and left over.

  Raises:
    UserError: the file cannot be read, or its backbone is another one.
  """
  return fill(read(path), params, batch_stats, str(path))
