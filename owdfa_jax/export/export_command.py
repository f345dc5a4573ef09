"""Writes the network of a run as a StableHLO program that plain JAX runs.

  owdfa export RUN --out DIR

DIR gets the program, export.json (names, image size, threshold, checksums) and
MODEL_CARD.md. The program is loaded back and compared with the run.
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from input_pipeline.argument_parser import (
  ArgumentParser,
  add_packed_data,
  add_run,
  described_parser,
)
from input_pipeline.errors import UsageError, UserError, one_line_errors
from input_pipeline.escape import terminal
from input_pipeline.files import path_type
from owdfa_jax.training.checkpoint_choice import check_checkpoint_name
from owdfa_jax.training.recorded_config import run_folders

_PLATFORMS = 'cpu,cuda,tpu'


@one_line_errors()
def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
  """Reads a run and writes its export.

  Args:
    argv: the arguments; by default those of the process.
    prog: the program's name, for the help.
  """
  arguments = _parser(prog).parse_args(argv)
  out = check_new_folder(arguments.out)
  platforms = check_platforms(arguments.platforms)
  if arguments.checkpoint is not None:
    check_checkpoint_name('--checkpoint', arguments.checkpoint)
  run_folders(str(arguments.run))  # for its error, before JAX is imported
  # Imported late: it loads JAX, which takes seconds.
  from owdfa_jax.export.write import export_run
  from owdfa_jax.library_logs import silence_libraries

  silence_libraries()

  description = export_run(
    arguments.run,
    out,
    arguments.checkpoint,
    platforms,
    arguments.licence,
    arguments.data,
  )
  for line in _closing_lines(description, platforms):
    print(line)
  print(f'written: {out}')


def _parser(prog: str | None) -> ArgumentParser:
  parser = described_parser(prog, __doc__)
  add_run(parser, 'a trained run')
  parser.add_argument(
    '--out',
    metavar='DIR',
    required=True,
    type=path_type('--out'),
    help='the folder to write, which must not exist',
  )
  parser.add_argument(
    '--checkpoint',
    metavar='STEP',
    help="'best', 'latest' or a step; by default that of the report",
  )
  parser.add_argument(
    '--platforms',
    metavar='A,B',
    default=_PLATFORMS,
    help=f'what the program is to run on; by default {_PLATFORMS}',
  )
  parser.add_argument(
    '--licence',
    metavar='TEXT',
    default='',
    help='of the weights, for the model card',
  )
  add_packed_data(parser)
  return parser


def _closing_lines(
  description: Mapping[str, Any], platforms: Sequence[str]
) -> list[str]:
  """Returns what to know of an export.

  Args:
    description: the content of `export.json`.
    platforms: those that were asked for.
  """
  compared = description['comparison']
  differences = ', '.join(
    f'{name} {value:.1e}'
    for name, value in compared['largest_difference'].items()
  )
  lines = []
  left_out = {*platforms} - {*description['program']['platforms']}
  if left_out:
    lines.append(f'the program does not run on: {", ".join(sorted(left_out))}')
  if split := description['split_clusters']:
    lines.append(
      f'split clusters: {terminal(", ".join(split))}: the program answers '
      + ('with their parts' if description['has_parts'] else 'with the whole')
    )
  lines.append(
    f'loaded back; largest difference on {compared["images"]} {compared["of"]}:'
    f' {differences} (tolerance {compared["tolerance"]:g})'
  )
  return lines


def check_new_folder(path: pathlib.Path) -> pathlib.Path:
  """Returns the folder of a new export, absolute.

  Args:
    path: the value of --out.

  Raises:
    UserError: something is there already.
  """
  out = path.expanduser().absolute()
  if out.is_symlink() or out.exists():
    raise UserError(
      f'the folder exists: --out={path}; remove it or give another name'
    )
  return out


def check_platforms(given: str) -> list[str]:
  """Returns the names of platforms, each once.

  Args:
    given: the value of --platforms, names with commas.

  Raises:
    UsageError: a name is unknown, or there is none.
  """
  known = _PLATFORMS.split(',')
  names = [name.strip() for name in given.split(',')]
  if not {*names} <= {*known}:
    raise UsageError(
      f'unknown platform: --platforms={given}; give some of {_PLATFORMS}'
    )
  return [name for name in known if name in names]


if __name__ == '__main__':
  main()
