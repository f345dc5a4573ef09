"""Chooses the images of a benchmark, reports on them and writes the CSVs."""

import argparse
import sys

from input_pipeline.benchmarks import (
  overview,
  owdfa,
  owdfa40,
  owdfa40_classes,
  owdfa_classes,
)
from input_pipeline.benchmarks.listing import Listing
from input_pipeline.benchmarks.meta_csvs import write_meta_csvs
from input_pipeline.benchmarks.picks import ProtocolCsv
from input_pipeline.errors import UserError
from input_pipeline.escape import terminal, terminal_lines
from input_pipeline.number_ranges import LARGEST_SEED, NumberRange, whole


def prepare_benchmark(arguments: argparse.Namespace, protocols: str) -> None:
  """Writes the meta CSVs of a benchmark and prints a summary.

  With `arguments.dry_run` it prints the summary only, and exits with status 1
  if something is missing, else 0.

  Args:
    arguments: the subcommand's arguments, see `prepare_commands`.
    protocols: names the benchmark's protocols in the summary.

  Raises:
    UserError: an argument is wrong, images are missing (and not
      `allow_missing`), or a file cannot be read or written.
  """
  _check(arguments)
  is_owdfa40 = arguments.benchmark == 'owdfa40'
  classes = owdfa40_classes if is_owdfa40 else owdfa_classes
  factor = arguments.scale
  if not is_owdfa40:
    factor *= owdfa_classes.SIZE_FACTORS[arguments.size]
  if is_owdfa40:
    listings, csvs = owdfa40.choose_owdfa40_images(arguments, factor)
  else:
    listings, csvs = owdfa.choose_owdfa_images(arguments, factor)
  if not any(map(len, listings)):
    nothing = overview.nothing_line(arguments.datasets)
    if not arguments.dry_run:
      print(terminal_lines('\n'.join(overview.layout_lines(listings))))
      raise UserError(nothing)
    print(nothing)
  print(f'{protocols}; class table version {classes.TABLE_VERSION}')
  if arguments.benchmark == 'owdfapp':
    print(terminal(f'classes added: {arguments.table}'))
  unreadable = [line for listing in listings for line in listing.problems]
  short = _short_classes(csvs, factor)
  missing = [*short, *unreadable]
  if arguments.dry_run or (missing and not arguments.allow_missing):
    _print_findings(listings, csvs, factor, missing)
  if arguments.dry_run:
    print('dry run: nothing was written')
    # The status tells scripts whether a real run would succeed.
    sys.exit(1 if missing else 0)
  _check_missing(arguments, short, unreadable)
  lines = write_meta_csvs(
    arguments.out,
    csvs,
    how='link' if arguments.link else 'copy' if arguments.copy else None,
    on_error=arguments.on_error,
    # The released CSVs have no such column; packing then applies that rule.
    split_column=is_owdfa40 or arguments.split != 'released',
    # The other rules put frames of one video on both sides.
    group_column=arguments.split == 'video',
  )
  _print_tables(csvs, factor)
  lines += [f'fewer images than the class table: {line}' for line in short]
  lines += [f'left out: {line}' for line in unreadable]
  print(terminal_lines('\n'.join(lines)))


def _check(arguments: argparse.Namespace) -> None:
  if not arguments.datasets.is_dir():
    raise UserError(
      f'no such folder: --datasets {arguments.datasets}; name the folder that '
      'holds the datasets'
    )
  NumberRange(0, 1, above=True).check('--scale', arguments.scale)
  whole(0, LARGEST_SEED).check('--seed', arguments.seed)


def _short_classes(csvs: list[ProtocolCsv], factor: float) -> list[str]:
  """Returns a line for each class with too few images in any protocol."""
  lines = [line for csv in csvs for line in overview.shortfalls(csv, factor)]
  return list(dict.fromkeys(lines))


def _check_missing(
  arguments: argparse.Namespace, short: list[str], unreadable: list[str]
) -> None:
  if unreadable and arguments.on_error == 'stop':
    raise UserError(f'{unreadable[0]}; repair it or give --on_error=skip')
  if short and not arguments.allow_missing:
    raise UserError(
      f'images are missing, first {short[0]}; bring the datasets into the '
      'layout printed above, or give --allow_missing to continue without them'
    )


def _print_findings(
  listings: list[Listing],
  csvs: list[ProtocolCsv],
  factor: float,
  missing: list[str],
) -> None:
  print(terminal_lines('\n'.join(overview.layout_lines(listings))))
  _print_tables(csvs, factor)
  if missing:
    lines = '\n'.join(f'  {line}' for line in missing)
    print(f'missing:\n{terminal_lines(lines)}')


def _print_tables(csvs: list[ProtocolCsv], factor: float) -> None:
  for csv in csvs:
    lines = '\n'.join(overview.class_table_lines(csv, factor))
    print(terminal_lines(lines))
