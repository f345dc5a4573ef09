"""The file of a checkpoint's whitened centres, `centres-STEP.npz` in its run.

It names the checkpoint that it belongs to by a digest of its files: centres of
another network would classify at random. Its own digest shows damage.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from etils import epath

from owdfa_jax.evaluation.centres import Centres
from owdfa_jax.evaluation.checkpoint_arrays import CheckpointArrays
from owdfa_jax.evaluation.whitening_map import Whitening
from owdfa_jax.training.manifest import checkpoint_digest

_ARRAYS = ('mean', 'matrix', 'direction', 'in_use')
CENTRES = CheckpointArrays('centres', (*_ARRAYS, 'checkpoint', 'made'))


class CentresFile(NamedTuple):
  """What a file of centres holds.

  Attributes:
    checkpoint: the digest of the checkpoint that the centres belong to.
    made: how they were made, for the report; it includes `setting`, the
      value of `eval.whitening`.
    centres: the centres.
  """

  checkpoint: str
  made: Mapping[str, Any]
  centres: Centres


def write_centres(
  workdir: epath.Path,
  checkpoint: epath.Path,
  centres: Centres,
  made: Mapping[str, Any],
) -> None:
  """Writes the centres of a checkpoint, complete or not at all.

  Args:
    workdir: the run's folder.
    checkpoint: the folder of the checkpoint, named by its step.
    centres: on every device or on the host.
    made: see `CentresFile`; for JSON.

  Raises:
    UserError: the file cannot be written.
  """
  found = jax.device_get(centres)
  content = {
    'mean': found.whitening.mean,
    'matrix': found.whitening.matrix,
    'direction': found.direction,
    'in_use': found.in_use,
    'checkpoint': np.array(checkpoint_digest(checkpoint)),
    'made': np.array(json.dumps(dict(made))),
  }
  CENTRES.write(workdir, int(checkpoint.name), content)


def read_centres(workdir: epath.Path, step: int) -> CentresFile | None:
  """Returns the centres of a checkpoint; None if there is no file of them.

  Args:
    workdir: the run's folder.
    step: the step of the checkpoint.

  Raises:
    UserError: the file is damaged or cannot be read.
  """
  content = CENTRES.read(workdir, step)
  if content is None:
    return None
  mean, matrix, direction, in_use = (jnp.array(content[x]) for x in _ARRAYS)
  return CentresFile(
    str(content['checkpoint']),
    json.loads(str(content['made'])),
    Centres(Whitening(mean, matrix), direction, in_use),
  )


def belongs_to(
  found: CentresFile,
  checkpoint: epath.Path,
  config: ml_collections.ConfigDict,
) -> bool:
  """Returns whether centres are those of a checkpoint under a run's settings.

  Args:
    found: the centres.
    checkpoint: the folder of the checkpoint.
    config: the run's settings; `eval.whitening` matters.
  """
  return (
    found.checkpoint == checkpoint_digest(checkpoint)
    and found.made['setting'] == config.eval.whitening
  )
