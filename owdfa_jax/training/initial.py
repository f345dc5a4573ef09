"""The weights a run begins with: another run's, or a file's."""

import dataclasses

from etils import epath

from input_pipeline.errors import UserError
from owdfa_jax import weights
from owdfa_jax.training.checkpoints import CHECKPOINTS, read_network
from owdfa_jax.training.progress import say
from owdfa_jax.training.state import TrainState

# The last layer, and which of its outputs are in use.
HEAD = ('fc2.', 'live')


def start_from(
  init: str, state: TrainState, *, with_head: bool = True
) -> TrainState:
  """Puts weights into a fresh state, and says which found no place.

  Args:
    init: a file of weights (see `weights.read`), the workdir of a run (its
      best checkpoint), or one checkpoint of it, `RUN/checkpoints/STEP`.
    state: keeps whatever the source does not have.
    with_head: whether the last layer is taken over too.

  Raises:
    UserError: there is nothing there, or it is of another backbone.
  """
  path = epath.Path(init)
  if not path.exists():
    raise UserError(
      f'no such weights: --config.model.init={init}; give a .safetensors, '
      '.npz or .pth file, or the workdir of a run'
    )
  if path.is_dir():
    source = weights.state_dict(*read_network(path))
  else:
    source = weights.read(path)
  if not with_head:
    source = {k: v for k, v in source.items() if not k.startswith(HEAD)}
  params, batch_stats, report = weights.fill(
    source, state.params, state.batch_stats, init
  )
  say(f'initialised with {report}')
  return dataclasses.replace(state, params=params, batch_stats=batch_stats)


def checkpoint_of(workdir: epath.Path, step: int) -> str:
  """The `init` that means one checkpoint of a run."""
  return str(workdir / CHECKPOINTS / str(step))
