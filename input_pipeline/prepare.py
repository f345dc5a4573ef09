"""Command that makes meta CSVs, the input of packing, from image files."""

import argparse
import pathlib
from collections.abc import Sequence

from input_pipeline.benchmarks import prepare_commands
from input_pipeline.errors import one_line_errors


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
  """Runs the subcommand that `argv` names.

  Args:
    argv: the arguments; None: those of the process.
    prog: the command's name in the help; None: the module's.
  """
  parser = argparse.ArgumentParser(
    prog=prog or 'python -m input_pipeline.prepare',
    description='Makes meta CSVs, the input of packing, from image files.',
  )
  commands = parser.add_subparsers(dest='command', required=True)
  _add_folder(commands)
  prepare_commands.add_benchmark_commands(commands)
  arguments = parser.parse_args(argv)
  with one_line_errors():
    arguments.run(arguments)


def _add_folder(commands: argparse._SubParsersAction) -> None:
  parser = commands.add_parser(
    'folder',
    help='from your own images, one folder for each class',
    description='Makes OUT/meta.csv from ROOT/<class>/*.{png,jpg,...}.',
  )
  path = pathlib.Path
  add = parser.add_argument
  add('--root', type=path, required=True, help='one folder for each class')
  add('--out', type=path, required=True, help='folder to write meta.csv to')
  add(
    '--known',
    type=_split_names,
    default=[],
    metavar='A,B,...',
    help='known classes, ids 0, 1, ... in this order; the others are novel',
  )
  add(
    '--labelled_fraction',
    type=float,
    default=0.75,
    help='share of each known class that is labelled (default: %(default)s)',
  )
  add(
    '--seed',
    type=int,
    default=0,
    help='seed that draws the labelled images (default: %(default)s)',
  )
  add(
    '--exclude',
    type=_split_names,
    default=[],
    metavar='A,B,...',
    help='class folders to leave out',
  )
  add(
    '--test_root',
    type=path,
    help='class folders of the test set (default: packing splits 80/20)',
  )
  add(
    '--unlabelled',
    type=path,
    help='folder of further training images, of unknown class',
  )
  parser.set_defaults(run=_run_folder)


def _run_folder(arguments: argparse.Namespace) -> None:
  # Imported late, so that --help answers at once.
  from input_pipeline.folder import prepare_folder

  lines = prepare_folder(
    arguments.root,
    arguments.known,
    arguments.out,
    labelled_fraction=arguments.labelled_fraction,
    seed=arguments.seed,
    exclude=arguments.exclude,
    test_root=arguments.test_root,
    unlabelled=arguments.unlabelled,
  )
  print('\n'.join(lines))


def _split_names(text: str) -> list[str]:
  return [name.strip() for name in text.split(',') if name.strip()]


if __name__ == '__main__':
  main()
