"""Open-world deepfake attribution: networks, losses, methods, training.

`owdfa_jax.load` gives a trained run that names the sources of new images,
`owdfa_jax.load_export` the network of an export.
"""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
  from owdfa_jax.export.load import ExportedNetwork
  from owdfa_jax.inference.run import TrainedRun

__version__ = '0.2.0.dev0'


def load(
  workdir: str | os.PathLike[str],
  *,
  checkpoint: str | int | None = None,
  batch_size: int | None = None,
  num_threads: int | None = None,
  data: str | os.PathLike[str] | None = None,
) -> 'TrainedRun':
  """Returns a trained run, see `inference.load.load_run`.

  Args:
    workdir: the folder of the run, or of one of its stages.
    checkpoint: 'best', 'latest' or a step; None: as the run was configured.
    batch_size: images in a batch; None: as in the evaluation of the run.
    num_threads: threads that read images; None: as in the run.
    data: the packed directory, if it is no longer where the run had it.

  Raises:
    input_pipeline.errors.UserError: there is no run, it is damaged, or it was
      trained by an earlier version and its data is not there.
  """
  # Imported late: it loads JAX, which takes seconds.
  from owdfa_jax.inference.load import load_run

  return load_run(
    workdir,
    checkpoint=checkpoint,
    batch_size=batch_size,
    num_threads=num_threads,
    data=data,
  )


def load_export(folder: str | os.PathLike[str]) -> 'ExportedNetwork':
  """Returns the network of an export, see `export.load.load_exported`.

  Args:
    folder: what `owdfa export` wrote.

  Raises:
    input_pipeline.errors.UserError: a file is missing, damaged or of a later
      version.
  """
  # Imported late: it loads JAX, which takes seconds.
  from owdfa_jax.export.load import load_exported

  return load_exported(folder)
