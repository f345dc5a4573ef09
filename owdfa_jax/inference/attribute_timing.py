"""Command that times attributing files beside evaluating packed images.

  python -m owdfa_jax.inference.attribute_timing RUN

Training images of the run are written as files of the network's size, with the
bytes that were packed. Then the run evaluates the packed images and attributes
the files, in turns, with the same batches and the same number of threads. An
attribution reads, decodes and classifies the files and writes its table with
all columns. An evaluation reads, decodes and classifies the packed images, or,
as the evaluations of a training do, takes decoded ones from memory.
"""

import pathlib
import tempfile
from collections.abc import Sequence

from input_pipeline.argument_parser import (
  DATA_FLAG,
  add_packed_data,
  add_run,
  described_parser,
)
from input_pipeline.errors import UserError, one_line_errors
from input_pipeline.number_ranges import check_flags, whole
from input_pipeline.packed_arguments import crop_of, tiling_of
from input_pipeline.progress_bars import without_progress

_RANGES = {
  'images': whole(1, 10**6),
  'rounds': whole(1, 10**4),
  'batch_size': whole(1, 2**16),
  'threads': whole(1, 256),
}


@one_line_errors()
def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
  """Runs the command.

  Args:
    argv: the arguments; by default those of the process.
    prog: the program's name, for the help.
  """
  parser = described_parser(
    prog or 'python -m owdfa_jax.inference.attribute_timing', __doc__
  )
  add_run(parser, 'a trained run, with its packed data')
  add_packed_data(parser)
  add = parser.add_argument
  add(
    '--images',
    type=int,
    default=1024,
    help='how many, at most all training images (default: %(default)s)',
  )
  add('--rounds', type=int, default=5, help='of turns (default: %(default)s)')
  add('--batch_size', type=int, default=256, help='default: %(default)s')
  add(
    '--threads',
    type=int,
    default=2,
    help='that read images (default: %(default)s)',
  )
  arguments = parser.parse_args(argv)
  check_flags(arguments, _RANGES)
  # Imported late: they load JAX, which takes seconds.
  from owdfa_jax.experiment import build_experiment
  from owdfa_jax.inference.attribute_costs import costs_report, time_turns
  from owdfa_jax.inference.open_run import open_run
  from owdfa_jax.training.run_data import inputs_with_images

  opened = open_run(
    arguments.run,
    batch_size=arguments.batch_size,
    num_threads=arguments.threads,
    data=arguments.data,
    data_option=DATA_FLAG,
  )
  inputs = inputs_with_images(opened.config, opened.workdir, DATA_FLAG)
  experiment = build_experiment(inputs, trains=False)
  if crop_of(experiment.dataset) or tiling_of(experiment.dataset):
    raise UserError(
      f'no images to attribute as files: {opened.workdir}: its packed images '
      'are cut-out faces or tiles, which would be cut again; give a run of '
      'whole images'
    )
  with tempfile.TemporaryDirectory() as folder, without_progress():
    turns = time_turns(
      experiment, pathlib.Path(folder), arguments.images, arguments.rounds
    )
  print(costs_report(turns))


if __name__ == '__main__':
  main()
