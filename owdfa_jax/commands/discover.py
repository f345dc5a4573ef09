"""Discovers the sources of a heap of images, from folders or with a run.

  owdfa discover --known FOLDER --images HEAP --out RUN

trains on a folder of known sources (one folder each) and a heap of images of
unknown source: prepares, packs, estimates the number of sources, trains Trace,
evaluates, and names the source of each image of the heap. The same command
goes on after an interruption.

  owdfa discover --workdir RUN --images NEW --out FOLDER

asks a trained run for images of none of its sources, groups them by its
features, and estimates how many sources they have.

--config.FIELD=VALUE overrides a setting of the run.
"""

import argparse
import os
import pathlib
import sys
from collections.abc import Sequence

from input_pipeline.argument_errors import UNKNOWN
from input_pipeline.argument_parser import ArgumentParser, described_parser
from input_pipeline.errors import one_line_errors
from input_pipeline.escape import terminal
from input_pipeline.files import absolute
from input_pipeline.image_folders import FolderScan
from input_pipeline.pack_options import DETECTORS
from input_pipeline.progress_bars import is_quiet
from owdfa_jax.commands.words import asks_for_help

_CONFIG = '--config.'
# Options of one of the two uses alone, with their defaults. The parser leaves
# out those that are not given.
_OF_FOLDERS = {
  'size': 64,
  'tiles': None,
  'crop': 'none',
  'rounds': False,
}
_OF_RUN = {'clusters': None, 'all': False}


@one_line_errors()
def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
  """Discovers sources, see the module.

  Args:
    argv: the arguments; by default those of the process.
    prog: the program's name, for the help.
  """
  parser = _parser(prog)
  words = sys.argv[1:] if argv is None else argv
  settings = [x.removeprefix(_CONFIG) for x in words if x.startswith(_CONFIG)]
  _check_settings(settings)
  _check_no_run(parser, words)
  arguments, others = parser.parse_known_args(words)
  for word in others:
    if not word.startswith(_CONFIG):
      parser.error(f'{UNKNOWN}{word}')
  if (arguments.known is None) == (arguments.workdir is None):
    parser.error('give either --known or --workdir')
  use = '--known' if arguments.known else '--workdir'
  for name in _OF_RUN if arguments.known else _OF_FOLDERS:
    if name in arguments:
      parser.error(f'--{name} does not go with {use}')
  for name, default in (_OF_FOLDERS | _OF_RUN).items():
    if name not in arguments:
      setattr(arguments, name, default)
  # A run answers for videos, too; it is trained with images alone.
  heap = _find_heap(arguments.images, videos=arguments.known is None)
  if arguments.known is None:
    _discover_with_run(arguments, settings, heap)
  else:
    _discover_from_folders(arguments, settings, heap)


def _check_no_run(parser: ArgumentParser, words: Sequence[str]) -> None:
  """Ends the program if a run is given, but neither use."""
  if asks_for_help(words) or any(
    word.startswith(('--known', '--workdir')) for word in words
  ):
    return
  # Imported late, so that --help answers at once.
  from owdfa_jax.commands.given_run import run_among

  if run := run_among(words):
    parser.error(f'{run} is the folder of a run; did you mean --workdir={run}?')


def _check_settings(settings: Sequence[str]) -> None:
  """Raises `UsageError` for a setting that no run has, or a wrong value.

  First of all, since a misspelt one may be why something is missing.

  Args:
    settings: each as 'field=value'.
  """
  if not settings:
    return
  # Imported late, so that --help answers at once.
  from owdfa_jax import configs

  config = configs.load('staged', 'trace,folder64').lock()
  for setting in settings:
    configs.override(config, setting, f'--config.{setting}')


def _parser(prog: str | None) -> ArgumentParser:
  parser = described_parser(
    prog or 'owdfa discover',
    __doc__,
    usage='%(prog)s (--known FOLDER | --workdir RUN) --images PLACE ...\n'
    '       --out FOLDER [options]',
    allow_abbrev=False,
  )
  parser.others = (_CONFIG,)
  add = parser.add_argument
  add('--known', metavar='FOLDER', help='a folder for each known source in it')
  add('--workdir', metavar='RUN', help='the folder of a trained run')
  add(
    '--images',
    nargs='+',
    required=True,
    metavar='PLACE',
    help='images of unknown source: folders, files or patterns',
  )
  add(
    '--out',
    required=True,
    metavar='FOLDER',
    help='gets everything that is written: a new folder, or with --known one '
    'to go on in',
  )
  _add_of_folders(parser)
  _add_of_run(parser)
  return parser


def _add_of_folders(parser: ArgumentParser) -> None:
  add = parser.add_argument_group('with --known').add_argument
  add(
    '--size',
    default=argparse.SUPPRESS,
    metavar='PIXELS',
    type=int,
    help='side of what the network sees, in pixels; 128 or more takes '
    f'ResNet-50, which wants a GPU (default: {_OF_FOLDERS["size"]})',
  )
  add(
    '--tiles',
    default=argparse.SUPPRESS,
    metavar='N',
    type=int,
    help='tiles of each image; 0 resizes whole images (default: up to 32, if '
    'images are larger than --size)',
  )
  add(
    '--crop',
    default=argparse.SUPPRESS,
    choices=DETECTORS,
    help=f'detector of the faces to cut out (default: {_OF_FOLDERS["crop"]})',
  )
  add(
    '--rounds',
    default=argparse.SUPPRESS,
    action='store_true',
    help='trains in rounds: better, and two times the training',
  )


def _add_of_run(parser: ArgumentParser) -> None:
  add = parser.add_argument_group('with --workdir').add_argument
  add(
    '--clusters',
    default=argparse.SUPPRESS,
    metavar='N',
    type=int,
    help='the number of groups (default: the estimated number of sources)',
  )
  add(
    '--all',
    default=argparse.SUPPRESS,
    action='store_true',
    help='groups all images, not only those that are neither known nor found',
  )


def _find_heap(places: Sequence[str], *, videos: bool) -> FolderScan:
  # Imported late, so that --help answers at once.
  from owdfa_jax.evaluation.new_images import find_new_images

  return find_new_images(places, videos=videos)


def _discover_from_folders(
  arguments: argparse.Namespace, settings: Sequence[str], heap: FolderScan
) -> None:
  """Trains a run on folders of images; ends the program with its status."""
  from owdfa_jax.commands.discover_phases import closing_lines, run_phases
  from owdfa_jax.commands.discover_plan import decision_lines, open_discovery
  from owdfa_jax.commands.discover_record import DiscoverRecord
  from owdfa_jax.commands.discover_voice import one_voice

  discovery = open_discovery(
    DiscoverRecord(
      known=absolute(arguments.known, '--known'),
      images=tuple(os.path.abspath(place) for place in arguments.images),
      size=arguments.size,
      crop=arguments.crop,
      rounds=arguments.rounds,
      tiles_given=arguments.tiles,
      known_files='',
      heap_files='',
      settings=tuple(settings),
    ),
    pathlib.Path(absolute(arguments.out, '--out')),
    heap,
  )
  for line in decision_lines(discovery):
    if not is_quiet():
      print(terminal(line), flush=True)
  with one_voice():
    status = run_phases(discovery)
  if status:
    raise SystemExit(status)
  for line in closing_lines(discovery):
    print(terminal(line))


def _discover_with_run(
  arguments: argparse.Namespace, settings: Sequence[str], heap: FolderScan
) -> None:
  """Groups images of none of the sources of a run."""
  from owdfa_jax.commands.discover_new import discover_with_run

  discover_with_run(
    arguments.workdir,
    heap,
    arguments.out,
    settings=settings,
    clusters=arguments.clusters,
    every=arguments.all,
  )


if __name__ == '__main__':
  main()
