"""Command that makes meta CSVs, the input of packing, from image files."""

import argparse
from collections.abc import Callable, Sequence

from input_pipeline.argument_parser import ArgumentParser
from input_pipeline.benchmarks import prepare_commands
from input_pipeline.class_names import split_names
from input_pipeline.errors import one_line_errors
from input_pipeline.escape import terminal_lines
from input_pipeline.files import path_type
from input_pipeline.pack_options import ON_ERROR, SPLIT_RULES


@one_line_errors()
def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
  """Runs the subcommand that `argv` names.

  Args:
    argv: the arguments; None: those of the process.
    prog: the command's name in the help; None: the module's.
  """
  parser = ArgumentParser(
    prog=prog or 'python -m input_pipeline.prepare',
    description='Makes meta CSVs, the input of packing, from image files.',
  )
  commands = parser.add_subparsers(title='commands', dest='command')
  _add_folder(commands)
  prepare_commands.add_benchmark_commands(commands)
  arguments = parser.parse_args(argv)
  if arguments.command is None:
    parser.error(f'no command: give one of {", ".join(commands.choices)}')
  arguments.run(arguments)


def _add_folder(commands: argparse._SubParsersAction) -> None:
  parser = commands.add_parser(
    'folder',
    help='from your own images, one folder for each class',
    description='Makes OUT/meta.csv from ROOT/<class>/*.{png,jpg,...}.',
  )
  _add_folders(parser.add_argument)
  _add_labels(parser.add_argument)
  parser.add_argument(
    '--on_error',
    choices=ON_ERROR,
    default='stop',
    help='what to do at links and files that cannot be read (default: '
    '%(default)s)',
  )
  parser.set_defaults(run=_run_folder)


def _add_folders(add: Callable[..., object]) -> None:
  """Adds the folders that are read and written."""
  add(
    '--root',
    metavar='DIR',
    type=path_type('--root'),
    required=True,
    help='one folder for each class',
  )
  add(
    '--out',
    metavar='DIR',
    type=path_type('--out'),
    required=True,
    help='folder to write meta.csv to',
  )
  add(
    '--test_root',
    metavar='DIR',
    type=path_type('--test_root'),
    help='class folders of the test set (default: packing splits 80/20)',
  )
  add(
    '--unlabelled',
    metavar='DIR',
    type=path_type('--unlabelled'),
    help='folder of further training images, of unknown class',
  )


def _add_labels(add: Callable[..., object]) -> None:
  """Adds the options that choose the classes and the labelled images."""
  add(
    '--known',
    type=split_names,
    action='extend',
    default=[],
    metavar='A,B,...',
    help='known classes, ids 0, 1, ... in this order; the others are novel; a '
    'name with a comma goes in double quotes, and the option may be repeated',
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
    '--split',
    choices=SPLIT_RULES,
    default=SPLIT_RULES[0],
    help='how the test set is held out: image by image when packing, or here, '
    'with no block of images on both sides (default: %(default)s)',
  )
  add(
    '--group_by',
    metavar='RULE',
    help='which images of any class are a block of --split=by_group: file_name '
    '(the same name, without its suffix), prefix:_ (the name up to the first '
    '_) or pattern:REGEX (its first group, in the path below the class folder)',
  )
  add(
    '--test_share',
    type=float,
    help='share of the test set of --split=by_group (default: 0.2)',
  )
  add(
    '--exclude',
    type=split_names,
    action='extend',
    default=[],
    metavar='A,B,...',
    help='class folders to leave out',
  )


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
    on_error=arguments.on_error,
    split=arguments.split,
    group_by=arguments.group_by,
    test_share=arguments.test_share,
  )
  print(terminal_lines('\n'.join(lines)))


if __name__ == '__main__':
  main()
