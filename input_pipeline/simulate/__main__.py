"""Command: `python -m input_pipeline.simulate --out DIR`."""

from collections.abc import Sequence

from input_pipeline.argument_parser import ArgumentParser
from input_pipeline.errors import one_line_errors
from input_pipeline.escape import terminal


@one_line_errors()
def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
  """Writes a simulated dataset.

  Args:
    argv: the arguments; the command line's by default.
    prog: the command's name in its help.
  """
  flags = _parser(prog).parse_args(argv)
  # Imported late: OpenCV and NumPy would slow down `--help`.
  from input_pipeline.simulate.simulated_dataset import CSV_NAMES, simulate

  written = simulate(
    flags.out, flags.images_per_class, flags.size, flags.seed, flags.faces
  )
  done = 'wrote' if written else 'already complete, reused'
  names = ', '.join(CSV_NAMES.values())
  print(terminal(f'{done}: {flags.out} ({names})'))


def _parser(prog: str | None) -> ArgumentParser:
  parser = ArgumentParser(
    prog=prog or 'python -m input_pipeline.simulate',
    description='Writes simulated forgeries with the classes of OW-DFA: images '
    'and the meta CSVs of Protocols 1 and 2.',
  )
  parser.add_argument(
    '--out', required=True, metavar='DIR', help='folder to write'
  )
  parser.add_argument(
    '--images_per_class',
    type=int,
    default=400,
    metavar='N',
    help='images of each class, 4 or more (default: %(default)s)',
  )
  parser.add_argument(
    '--size',
    type=int,
    default=64,
    metavar='PIXELS',
    help='width and height of an image, 32 or more (default: %(default)s)',
  )
  parser.add_argument(
    '--seed',
    type=int,
    default=0,
    help='seed of all random numbers (default: %(default)s)',
  )
  parser.add_argument(
    '--faces',
    metavar='DIR',
    help='folder of photos to forge instead of rendered portraits',
  )
  return parser


if __name__ == '__main__':
  main()
