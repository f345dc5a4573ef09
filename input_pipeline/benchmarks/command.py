"""The commands `prepare owdfa`, `owdfapp` and `owdfa40`."""

import argparse
import dataclasses
import pathlib
import sys
from collections.abc import Callable, Sequence

from input_pipeline.benchmarks import (
  aigc,
  owdfa,
  owdfa40,
  report,
  sources,
  split,
  tables,
  tables40,
)
from input_pipeline.benchmarks.listing import Listing
from input_pipeline.benchmarks.select import Pick
from input_pipeline.benchmarks.tables import ForgeryClass
from input_pipeline.benchmarks.write import write
from input_pipeline.errors import UserError

_HELP = {
  'owdfa': 'OW-DFA Protocols 1 and 2',
  'owdfapp': 'OW-DFA++ Protocols 3 and 4',
  'owdfa40': 'OWDFA-40 Protocols 1, 2 and 3',
}


@dataclasses.dataclass(frozen=True)
class Table:
  """One CSV to write: its classes in the order of their ids, its images."""

  name: str
  classes: tuple[ForgeryClass, ...]
  picks: list[Pick]


def add(commands: argparse._SubParsersAction) -> None:
  """Adds the three subcommands."""
  for name, what in _HELP.items():
    parser = commands.add_parser(
      name,
      help=f'{what}, from the downloaded datasets',
      description=f'Makes the meta CSVs of {what} from the downloaded '
      'datasets. Start with --dry_run.',
      formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    path, flag = pathlib.Path, 'store_true'
    arg = parser.add_argument
    arg('--datasets', type=path, required=True, help='folder of the datasets')
    arg('--out', type=path, required=True, help='folder to write the CSVs to')
    arg('--dry_run', action=flag, help='say what is there, write nothing')
    arg('--allow_missing', action=flag, help='go on with what there is')
    arg('--scale', type=float, default=1.0, help='multiplies all counts')
    forty = name == 'owdfa40'
    arg(
      '--seed', type=int, default=2025 if forty else 2000, help='of all draws'
    )
    arg(
      '--split',
      choices=('released', 'stratified', 'video'),
      default='stratified' if forty else 'released',
      help='into training and test; video: no video is in both',
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
      '--link', action=flag, help='link the chosen images into OUT/images'
    )
    how.add_argument(
      '--copy', action=flag, help='copy the chosen images to OUT/images'
    )
    arg(
      '--on_error',
      choices=('stop', 'skip'),
      default='stop',
      help='at a file or video that cannot be read',
    )
    if not forty:
      arg('--size', choices=tuple(tables.FACTORS), default='benchmark')
      arg('--compression', choices=('c23', 'c40'), default='c23')
    if name == 'owdfapp':
      arg('--table', type=path, default=aigc.GUESS, help='classes it adds')
    parser.set_defaults(run=_run, benchmark=name)


def _run(arguments: argparse.Namespace) -> None:
  _check(arguments)
  forty = arguments.benchmark == 'owdfa40'
  version = tables40.VERSION if forty else tables.VERSION
  print(f'{_HELP[arguments.benchmark]}; class table version {version}')
  find: Callable[[argparse.Namespace], tuple[list[Listing], list[Table]]]
  find = _find_owdfa40 if forty else _find_owdfa
  listings, made = find(arguments)
  factor = _factor(arguments)
  problems = [what for listing in listings for what in listing.problems]
  short = {
    line: None
    for each in made
    for line in report.lacking(each.classes, each.picks, factor)
  }
  missing = [*short, *problems]
  if arguments.dry_run or (missing and not arguments.allow_missing):
    print('\n'.join(report.layout(listings)))
    for each in made:
      print('\n'.join(_table(each, factor)))
    if missing:
      print('missing:\n' + '\n'.join(f'  {line}' for line in missing))
  if arguments.dry_run:
    print('dry run: nothing was written')
    sys.exit(1 if missing else 0)
  if problems and arguments.on_error == 'stop':
    raise UserError(f'{problems[0]}; repair it or give --on_error=skip')
  if short and not arguments.allow_missing:
    raise UserError(
      f'images are missing, first {next(iter(short))}; get the datasets in the '
      'layout printed above, or go on without with --allow_missing'
    )
  how = 'link' if arguments.link else 'copy' if arguments.copy else None
  column = forty or arguments.split != 'released'
  lines = write(
    arguments.out,
    {each.name: (each.classes, each.picks) for each in made},
    how=how,
    on_error=arguments.on_error,
    split_column=column,
  )
  for each in made:
    print('\n'.join(_table(each, factor)))
  lines += [f'fewer than the table asks: {line}' for line in short]
  lines += [f'left out: {line}' for line in problems]
  print('\n'.join(lines))


def _find_owdfa(
  arguments: argparse.Namespace,
) -> tuple[list[Listing], list[Table]]:
  extra: Sequence[ForgeryClass] = ()
  numbers = (1, 2)
  if arguments.benchmark == 'owdfapp':
    extra, numbers = aigc.read(arguments.table), (3, 4)
    print(f'classes added: {arguments.table}')
  classes = tables.protocol(numbers[1], extra)
  steps = tables.FACTORS[arguments.size]
  layout = sources.Layout(
    arguments.compression,
    (2 * steps, 20 * steps, 10 * steps),
    arguments.out.absolute() / 'frames',
  )
  listings = sources.list_classes(arguments.datasets, classes, layout)
  factor = _factor(arguments)
  picks = owdfa.select(listings, classes, factor, arguments.seed)
  made = []
  for number in numbers:
    those = tables.protocol(number, extra)
    ids = {entry: label for label, entry in enumerate(those)}
    kept = [pick for pick in picks if pick.entry in ids]
    labels = [ids[pick.entry] for pick in kept]
    if arguments.split == 'video':
      kept = split.by_video(kept, arguments.seed)
    elif arguments.split == 'stratified':
      kept = split.stratified(kept, arguments.seed)
    else:  # packing's own seed, which the CSV does not carry
      kept = split.released(kept, labels, 2000)
    made.append(Table(owdfa.file_name(number, arguments.size), those, kept))
  listings = [each for each in listings if each.entry in classes]
  return listings, made


def _find_owdfa40(
  arguments: argparse.Namespace,
) -> tuple[list[Listing], list[Table]]:
  made = []
  listings = owdfa40.list_classes(arguments.datasets, tables40.protocol(1))
  for number in (1, 2, 3):
    classes = tables40.protocol(number)
    picks = owdfa40.select(
      listings,
      classes,
      scale=arguments.scale,
      seed=arguments.seed,
      rule=arguments.split,
    )
    if arguments.split == 'video':
      picks = split.by_video(picks, arguments.seed)
      picks = owdfa40.label_training(picks, arguments.seed)
    made.append(Table(f'owdfa40_protocol{number}_meta.csv', classes, picks))
  return listings, made


def _check(arguments: argparse.Namespace) -> None:
  if not arguments.datasets.is_dir():
    raise UserError(
      f'no such folder: --datasets {arguments.datasets}; give the folder that '
      'holds the datasets'
    )
  if not 0 < arguments.scale <= 1:
    raise UserError(f'--scale={arguments.scale}: must be over 0 and at most 1')
  if not 0 <= arguments.seed < 2**32:
    raise UserError(f'--seed={arguments.seed}: must be from 0 to {2**32 - 1}')


def _factor(arguments: argparse.Namespace) -> float:
  size = getattr(arguments, 'size', 'benchmark')
  return tables.FACTORS[size] * arguments.scale


def _table(each: Table, factor: float) -> list[str]:
  return report.table(each.name, each.classes, each.picks, factor)
