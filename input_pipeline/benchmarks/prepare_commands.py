"""The subcommands `prepare owdfa`, `prepare owdfapp` and `prepare owdfa40`."""

import argparse
import pathlib

from input_pipeline.benchmarks.aigc_classes import GUESSED_TABLE
from input_pipeline.benchmarks.owdfa_classes import SIZE_FACTORS
from input_pipeline.files import absolute

PROTOCOLS_OF = {
  'owdfa': 'OW-DFA Protocols 1 and 2',
  'owdfapp': 'OW-DFA++ Protocols 3 and 4',
  'owdfa40': 'OWDFA-40 Protocols 1, 2 and 3',
}


def add_benchmark_commands(commands: argparse._SubParsersAction) -> None:
  """Adds one subcommand per benchmark to the command `prepare`."""
  for name, protocols in PROTOCOLS_OF.items():
    parser = commands.add_parser(
      name,
      help=f'{protocols}, from the downloaded datasets',
      description=f'Writes the meta CSVs of {protocols} from the downloaded '
      'datasets. Start with --dry_run.',
    )
    _add_folders(parser)
    _add_draw(parser, is_owdfa40=name == 'owdfa40')
    _add_files(parser)
    if name != 'owdfa40':
      _add_owdfa(parser)
    if name == 'owdfapp':
      parser.add_argument(
        '--table',
        type=_path,
        default=GUESSED_TABLE,
        metavar='FILE',
        help='JSON table of the classes that OW-DFA++ adds (default: a guess, '
        'see docs/owdfa.md)',
      )
    parser.set_defaults(run=_run, benchmark=name)


def _add_folders(parser: argparse.ArgumentParser) -> None:
  parser.add_argument(
    '--datasets',
    type=_path,
    required=True,
    metavar='DIR',
    help='folder that holds the datasets',
  )
  parser.add_argument(
    '--out',
    type=_path,
    required=True,
    metavar='DIR',
    help='folder to write the CSVs to',
  )
  parser.add_argument(
    '--dry_run',
    action='store_true',
    help='print what was found and what is missing; write nothing',
  )
  parser.add_argument(
    '--allow_missing',
    action='store_true',
    help='continue although classes have too few images or none',
  )


def _add_draw(parser: argparse.ArgumentParser, *, is_owdfa40: bool) -> None:
  parser.add_argument(
    '--scale',
    type=float,
    default=1.0,
    help='multiplies all counts of images; over 0, at most 1 (default: 1)',
  )
  parser.add_argument(
    '--seed',
    type=int,
    default=2025 if is_owdfa40 else 2000,
    help='seed of all draws (default: %(default)s)',
  )
  parser.add_argument(
    '--split',
    choices=('released', 'stratified', 'video'),
    default='stratified' if is_owdfa40 else 'released',
    help='how to split into training and test: by the released rule, with '
    'exact shares of every class, or with no video on both sides (default: '
    '%(default)s)',
  )


def _add_files(parser: argparse.ArgumentParser) -> None:
  how = parser.add_mutually_exclusive_group()
  how.add_argument(
    '--link',
    action='store_true',
    help='link the chosen images into OUT/images',
  )
  how.add_argument(
    '--copy',
    action='store_true',
    help='copy the chosen images to OUT/images',
  )
  parser.add_argument(
    '--on_error',
    choices=('stop', 'skip'),
    default='stop',
    help='what to do about a file or video that cannot be read (default: '
    '%(default)s)',
  )


def _add_owdfa(parser: argparse.ArgumentParser) -> None:
  parser.add_argument(
    '--size',
    choices=tuple(SIZE_FACTORS),
    default='benchmark',
    help='number of images: the published one or, as in the released notebook, '
    'five times as many (default: %(default)s)',
  )
  parser.add_argument(
    '--compression',
    choices=('c23', 'c40'),
    default='c23',
    help='version of FaceForensics++ (default: %(default)s)',
  )


def _path(text: str) -> pathlib.Path:
  return pathlib.Path(absolute(text))


def _run(arguments: argparse.Namespace) -> None:
  # Imported late: OpenCV and NumPy would slow down `--help`.
  from input_pipeline.benchmarks import prepare_benchmark

  prepare_benchmark.prepare_benchmark(
    arguments, PROTOCOLS_OF[arguments.benchmark]
  )
