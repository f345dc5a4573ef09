"""Loads a trained run from its folder alone, as a Python object."""

import os

from input_pipeline.errors import reworded
from owdfa_jax.inference.open_run import open_run
from owdfa_jax.inference.run import TrainedRun

# Errors name settings of a command. These are arguments here, or cannot be
# given.
_IN_PYTHON = {
  '--config.eval.checkpoint=': 'checkpoint=',
  ', or give --config.eval.classify_by=head': '',
}


def load_run(
  workdir: str | os.PathLike[str],
  *,
  checkpoint: str | int | None = None,
  batch_size: int | None = None,
  num_threads: int | None = None,
  data: str | os.PathLike[str] | None = None,
) -> TrainedRun:
  """Returns a trained run; `owdfa_jax.load` is this function.

  The folder of the run is enough: its packed data need not be there. Of a
  staged run, the last stage is taken.

  Args:
    workdir: the folder of the run, or of one of its stages.
    checkpoint: 'best', 'latest' or a step; None: what the run was configured
      with, which is what its report is of.
    batch_size: images in a batch, all of which are computed also for a single
      image; None: as in the evaluation of the run.
    num_threads: threads that read images; None: as in the run.
    data: the packed directory, if it is no longer where the run had it; read
      only for what the folder of the run lacks.

  Raises:
    UserError: there is no run, it is damaged, it has no network, or it was
      trained by an earlier version and its data is not there.
  """
  with reworded(_IN_PYTHON):
    experiment = open_run(
      workdir,
      checkpoint=checkpoint,
      batch_size=batch_size,
      num_threads=num_threads,
      data=data,
    )
    return TrainedRun(experiment, makes_sources=True)
