"""Command that makes meta CSVs, the input of packing, from files at hand."""

import argparse
import pathlib
from collections.abc import Sequence

from input_pipeline import folder
from input_pipeline.benchmarks import command
from input_pipeline.errors import one_line_errors


def main(argv: Sequence[str] | None = None) -> None:
  """Runs the subcommand that `argv` (default: the command line) names."""
  parser = argparse.ArgumentParser(
    prog='python -m input_pipeline.prepare', description=__doc__
  )
  commands = parser.add_subparsers(dest='command', required=True)
  _add_folder(commands)
  command.add(commands)
  arguments = parser.parse_args(argv)
  with one_line_errors():
    arguments.run(arguments)


def _add_folder(commands: argparse._SubParsersAction) -> None:
  parser = commands.add_parser(
    'folder',
    help='from your own images, one folder per class',
    description='Makes OUT/meta.csv from ROOT/<class>/*.{png,jpg,...}.',
  )
  path, names = pathlib.Path, _names
  add = parser.add_argument
  add('--root', type=path, required=True, help='one folder per class')
  add('--out', type=path, required=True, help='folder to write meta.csv to')
  add(
    '--known',
    type=names,
    default=[],
    metavar='A,B,...',
    help='known classes, ids 0, 1, ... in this order; the others are novel',
  )
  add(
    '--labelled_fraction',
    type=float,
    default=0.75,
    help='share of each known class that is labelled (default %(default)s)',
  )
  add('--seed', type=int, default=0, help='of the labelled draw')
  add(
    '--exclude',
    type=names,
    default=[],
    metavar='CLASS,...',
    help='class folders to leave out',
  )
  add(
    '--test_root',
    type=path,
    help='class folders of the test set (default: packing splits 80/20)',
  )
  add(
    '--unlabelled', type=path, help='more images to train on, classes unknown'
  )
  parser.set_defaults(run=_run_folder)


def _run_folder(arguments: argparse.Namespace) -> None:
  lines = folder.prepare(
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


def _names(text: str) -> list[str]:
  return [name.strip() for name in text.split(',') if name.strip()]


if __name__ == '__main__':
  main()
