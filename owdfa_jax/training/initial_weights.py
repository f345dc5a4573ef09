"""Starts a run from the weights of another run or of a file."""

import dataclasses

from etils import epath

from owdfa_jax import weights
from owdfa_jax.models.classifier import IN_USE_NAME
from owdfa_jax.settings import check_initial_weights
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
    init: a file of weights (see `weights.read_weights`), the workdir of a run
      (for its best checkpoint), or one checkpoint, `RUN/checkpoints/STEP`.
    state: keeps its own values where `init` has no weights of that shape.
    with_head: whether to load the last layer too.

  Raises:
    UserError: `init` does not exist, is not a checkpoint or a file of weights,
      or belongs to another backbone.
  """
  check_initial_weights(init)
  path = epath.Path(init)
  if path.is_dir():
    source = weights.to_state_dict(*read_network(path))
  else:
    source = weights.read_weights(path)
  if not with_head:
    source = {
      k: v for k, v in source.items() if not k.startswith(HEAD_PREFIXES)
    }
  params, batch_stats, report = weights.fill_network(
    source, state.params, state.batch_stats, init
  )
  say(f'initialised with {report}')
  return dataclasses.replace(state, params=params, batch_stats=batch_stats)
