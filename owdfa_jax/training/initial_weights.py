"""Starts a run from the weights of another run or of a file."""

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from input_pipeline.errors import UserError
from owdfa_jax import weights
from owdfa_jax.models.classifier import IN_USE_NAME
from owdfa_jax.settings import find_initial_weights
from owdfa_jax.training.checkpoints import read_network
from owdfa_jax.training.progress import say
from owdfa_jax.training.state import TrainState

# Names of the last layer's variables: its weights and its outputs in use.
HEAD_PREFIXES = ('fc2.', IN_USE_NAME)


def load_initial_weights(
  init: str, state: TrainState, *, with_head: bool = True
) -> TrainState:
  """Returns `state` with the weights that `init` has for it.

  Prints which weights were used and which were not.

  Args:
    init: a file of weights (see `weights.read_weights`), the short name of one
      (`weights.packages.PACKAGES`), the workdir of a run (for its best
      checkpoint), or one checkpoint, `RUN/checkpoints/STEP`.
    state: keeps its own values where `init` has no weights of that shape.
    with_head: whether to load the last layer too.

  Raises:
    UserError: `init` does not exist, is not a checkpoint or a file of weights,
      belongs to another backbone, or has weights that are not finite.
  """
  path = find_initial_weights(init)
  if path.is_dir():
    source = weights.to_state_dict(*read_network(path))
  else:
    source = weights.read_weights(path)
  # `check_loaded` reports what overflows float32.
  with np.errstate(over='ignore'):
    params, batch_stats, report = weights.fill_network(
      source,
      state.params,
      state.batch_stats,
      init,
      leave_out=() if with_head else HEAD_PREFIXES,
    )
  check_loaded(weights.to_state_dict(params, batch_stats), report.loaded, init)
  say(f'initialised with {report}')
  return dataclasses.replace(state, params=params, batch_stats=batch_stats)


def check_loaded(
  tensors: Mapping[str, np.ndarray], loaded: Iterable[str], where: str
) -> None:
  """Raises `UserError` if a tensor that was loaded is not finite.

  Args:
    tensors: the network's variables by PyTorch's names, after loading: a number
      beyond the range of float32 has become infinite.
    loaded: the names of those that were loaded.
    where: where they come from.
  """
  for name in loaded:
    tensor = tensors[name]
    num_bad = tensor.size - int(np.isfinite(tensor).sum())
    if num_bad:
      raise UserError(
        f'weights that are not finite: {where}: {name} has {num_bad} of '
        f'{tensor.size} numbers that are NaN or infinite in float32; give '
        'weights of a training that did not diverge (--config.model.init)'
      )
