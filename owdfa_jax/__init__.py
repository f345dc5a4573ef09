"""Open-world deepfake attribution: networks, losses, methods, training.

`owdfa_jax.load` gives a trained run that names the sources of new images.
"""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
  from owdfa_jax.inference.run import TrainedRun

__version__ = '0.2.0.dev0'


def load(
  workdir: str | os.PathLike[str],
  *,
  checkpoint: str | int | None = None,
  batch_size: int | None = None,
  num_threads: int | None = None,
) -> 'TrainedRun':
  """Returns a trained run, see `inference.run.load_run`.

  Args:
    workdir: the folder of the run, or of one of its stages.
    checkpoint: 'best', 'latest' or a step; None: as the run was configured.
    batch_size: images in a batch; None: as in the evaluation of the run.
    num_threads: threads that read images; None: as in the run.

  Raises:
    input_pipeline.errors.UserError: there is no run, it is damaged, or it was
      trained by an earlier version and its data is not there.
  """
  # Imported late: it loads JAX, which takes seconds.
  from owdfa_jax.inference.run import load_run

  return load_run(
    workdir,
    checkpoint=checkpoint,
    batch_size=batch_size,
    num_threads=num_threads,
  )
