"""Times the training step of each method on the devices of this machine.

  owdfa step-timing --batch=128,256

Prints a table for each backbone and batch: images a second, how many times as
long as the supervised step a step takes, and the share of the devices' peak
that it reaches. All methods are compiled first and then take turns, and the
medians count. The images are random; with `--data PACKED`, supervised steps are
also taken with real batches, and the table says for which share of the time
they are waited for.
"""

from collections.abc import Sequence

from input_pipeline.argument_parser import described_parser
from input_pipeline.errors import one_line_errors
from input_pipeline.number_ranges import (
  NumberRange,
  add_whole_numbers,
  check_flags,
  whole,
)
from owdfa_jax.scale.size_flags import (
  BATCH,
  RANGES,
  add_sizes,
  checked_names,
  ended_by_interrupt,
)

_RANGES = {
  'rounds': whole(1, 10**4),
  'steps': whole(1, 10**4),
  'peak': NumberRange(1e-3, 10**6),
  **RANGES,
}


@one_line_errors()
def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
  """Parses the command line, times the steps and prints the tables.

  Args:
    argv: the arguments; by default those of the process.
    prog: the program's name.
  """
  parser = described_parser(
    prog or 'python -m owdfa_jax.scale.step_timing', __doc__
  )
  add = parser.add_argument
  add_whole_numbers(
    parser,
    '--batch',
    '128',
    BATCH,
    'rows of the global batch, a table for each',
  )
  add_sizes(parser)
  add(
    '--rounds',
    type=int,
    default=10,
    help='turns of each method (default: %(default)s)',
  )
  add(
    '--steps',
    type=int,
    default=5,
    help='of a turn (default: %(default)s)',
  )
  add(
    '--peak',
    type=float,
    help='Tflop/s of one device in bfloat16, where the command does not know '
    'its kind',
  )
  add(
    '--data',
    metavar='DIR',
    default='',
    help='a packed directory, whose images have --image_size pixels',
  )
  options = parser.parse_args(argv)
  check_flags(options, _RANGES)
  methods, backbones = checked_names(options)
  # These import JAX, which takes seconds.
  from owdfa_jax.library_logs import silence_libraries

  silence_libraries()
  from owdfa_jax.scale.step_times import print_times

  with ended_by_interrupt():
    print_times(options, methods, backbones)


if __name__ == '__main__':
  main()
