"""The leaderboard as text: Markdown to read, CSV to go on with."""

import csv
import dataclasses
import io
import statistics
from collections.abc import Sequence
from typing import Any

from owdfa_jax.evaluation.report import COLUMNS

# The method's own count of classes, where it makes one.
ESTIMATE = 'estimated_classes'


@dataclasses.dataclass(frozen=True)
class Entry:
  """A row and what is finished of it.

  Attributes:
    name: as the table has it.
    bound: 'lower', 'upper', or '' for a method.
    epochs: of each of its runs.
    seeds: all that it is to have.
    reports: seed -> what its `report.json` holds, of the finished ones; and
      `machine`, where it was trained, or None.
  """

  name: str
  bound: str
  epochs: int
  seeds: tuple[int, ...]
  reports: dict[int, dict[str, Any]]

  def values(self, column: str) -> list[float]:
    """Of each finished seed; empty where one does not have it."""
    found = [report.get(column) for report in self.reports.values()]
    values = [float(value) for value in found if value is not None]
    return values if len(values) == len(found) else []

  def mean(self, column: str) -> float | None:
    """Over the finished seeds."""
    values = self.values(column)
    return statistics.fmean(values) if values else None

  def deviation(self, column: str) -> float | None:
    """The sample standard deviation (n - 1); None for less than two seeds."""
    values = self.values(column)
    return statistics.stdev(values) if len(values) > 1 else None


def bound_means(entries: Sequence[Entry], column: str) -> dict[str, float]:
  """'lower' and 'upper' -> mean of that bound, of those that are there."""
  means = {}
  for entry in entries:
    mean = entry.mean(column)
    if entry.bound and mean is not None:
      means.setdefault(entry.bound, mean)
  return means


def gap_closed(entry: Entry, entries: Sequence[Entry]) -> float | None:
  """(All ACC - lower) / (upper - lower) of a method; None without a gap."""
  bounds, mean = bound_means(entries, 'all_acc'), entry.mean('all_acc')
  if entry.bound or mean is None or bounds.keys() != {'lower', 'upper'}:
    return None
  gap = bounds['upper'] - bounds['lower']
  return (mean - bounds['lower']) / gap if gap > 0 else None


def markdown(entries: Sequence[Entry], facts: Sequence[str]) -> str:
  """The table, and under it `facts` on how it was made, one a line."""
  gaps = {entry.name: gap_closed(entry, entries) for entry in entries}
  with_gap = any(gap is not None for gap in gaps.values())
  with_estimate = any(entry.values(ESTIMATE) for entry in entries)
  header = ['row', 'seeds', *COLUMNS.values()]
  header += ['gap closed'] * with_gap + ['classes found'] * with_estimate
  lines = [header, ['---', '---', *['---:'] * (len(header) - 2)]]
  for entry in entries:
    line = [entry.name, finished(entry)]
    line += [cell(entry, column, 100) for column in COLUMNS]
    if with_gap:
      gap = gaps[entry.name]
      line.append('' if gap is None else f'{100 * gap:.0f} %')
    if with_estimate:
      line.append(cell(entry, ESTIMATE, 1) if entry.values(ESTIMATE) else '')
    lines.append(line)
  notes = [
    'Percent, mean ± standard deviation (n - 1) over the finished seeds.'
  ]
  if with_gap:
    notes.append(
      'Gap closed: how far All ACC is on the way from the lower to the upper '
      'bound.'
    )
  table = '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)
  below = '\n'.join(f'- {line}' for line in [*notes, *facts])
  return f'{table}\n\n{below}\n'


def finished(entry: Entry) -> str:
  """'3' of 3 seeds, or '1 of 3'."""
  done, wanted = len(entry.reports), len(entry.seeds)
  return str(done) if done == wanted else f'{done} of {wanted}'


def cell(entry: Entry, column: str, scale: float) -> str:
  """'69.4 ± 1.0'; 'n/a' where the data has no such number; else blank."""
  if not entry.reports:
    return ''
  mean, deviation = entry.mean(column), entry.deviation(column)
  if mean is None:
    return 'n/a'
  text = f'{scale * mean:.1f}'
  return text if deviation is None else f'{text} ± {scale * deviation:.1f}'


def rows_csv(entries: Sequence[Entry]) -> str:
  """One CSV line a row: fractions, blank where there is no number."""
  columns = [*COLUMNS, ESTIMATE]
  lines: list[list[Any]] = [
    ['row', 'seeds', 'finished', 'epochs']
    + [f'{column}_{kind}' for column in columns for kind in ('mean', 'sd')]
    + ['gap_closed']
  ]
  for entry in entries:
    line = [entry.name, len(entry.seeds), len(entry.reports), entry.epochs]
    for column in columns:
      line += [entry.mean(column), entry.deviation(column)]
    lines.append([*line, gap_closed(entry, entries)])
  return to_csv(lines)


def runs_csv(entries: Sequence[Entry]) -> str:
  """One CSV line a finished run: fractions, blank where there is no number."""
  columns = [*COLUMNS, ESTIMATE, 'checkpoint_step', 'machine']
  return to_csv(
    [['row', 'seed', *columns]]
    + [
      [entry.name, seed, *map(entry.reports[seed].get, columns)]
      for entry in entries
      for seed in sorted(entry.reports)
    ]
  )


def to_csv(lines: Sequence[Sequence[Any]]) -> str:
  """Lines of cells as CSV text; None becomes blank."""
  file = io.StringIO(newline='')
  csv.writer(file, lineterminator='\n').writerows(lines)
  return file.getvalue()
