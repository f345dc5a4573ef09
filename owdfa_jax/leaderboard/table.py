"""Formats a leaderboard: a Markdown table to read, CSV files to work with."""

import csv
import dataclasses
import io
import statistics
from collections.abc import Sequence
from typing import Any

from input_pipeline import text_tables
from input_pipeline.escape import spreadsheet
from owdfa_jax.report_fields import (
  HEAP_NOVEL_SHARE,
  NUM_OUTPUTS_IN_USE,
  TABLE_COLUMNS,
  UNSEEN_AUROC,
  UNSEEN_REJECTED,
)

_UNSEEN_COLUMNS = {
  UNSEEN_AUROC: 'unseen AUROC',
  UNSEEN_REJECTED: 'unseen rejected',
}


@dataclasses.dataclass(frozen=True)
class Entry:
  """A row of the table with the reports of its finished runs.

  Attributes:
    name: the row's name in the table.
    bound: 'lower' or 'upper'; 'floor' for a spectrum, 'floor with all labels'
      for one that is given them; or '' for a method.
    epochs: the epochs of each of its runs; 0 without a network.
    seeds: the seeds of all its runs.
    reports: the content of `report.json` and the `machine` of each finished
      run, by seed.
  """

  name: str
  bound: str
  epochs: int
  seeds: tuple[int, ...]
  reports: dict[int, dict[str, Any]]

  def values(self, column: str) -> list[float]:
    """Returns the value of each finished run; [] if one of them has none."""
    found = [report.get(column) for report in self.reports.values()]
    values = [float(value) for value in found if value is not None]
    return values if len(values) == len(found) else []

  def mean(self, column: str) -> float | None:
    """Returns the mean over the finished runs, or None."""
    values = self.values(column)
    return statistics.fmean(values) if values else None

  def deviation(self, column: str) -> float | None:
    """Returns the sample standard deviation (n - 1); None below two runs."""
    values = self.values(column)
    return statistics.stdev(values) if len(values) > 1 else None

  @property
  def progress(self) -> str:
    """How many runs are finished: '3' for all of 3, otherwise '1 of 3'."""
    done, wanted = len(self.reports), len(self.seeds)
    return str(done) if done == wanted else f'{done} of {wanted}'


def bound_means(entries: Sequence[Entry], column: str) -> dict[str, float]:
  """Returns the means of the rows that are bounds, by `Entry.bound`."""
  means: dict[str, float] = {}
  for entry in entries:
    mean = entry.mean(column)
    if entry.bound and mean is not None:
      # The first row of a kind is the bound, should there be two.
      means.setdefault(entry.bound, mean)
  return means


def gap_closed(entry: Entry, entries: Sequence[Entry]) -> float | None:
  """Returns how much of the gap between the bounds a method closes.

  The value is (All ACC - lower) / (upper - lower). It is None for a bound, and
  when a bound is missing or the upper bound is not above the lower one.
  """
  bounds, mean = bound_means(entries, 'all_acc'), entry.mean('all_acc')
  if entry.bound or mean is None or not bounds.keys() >= {'lower', 'upper'}:
    return None
  gap = bounds['upper'] - bounds['lower']
  return (mean - bounds['lower']) / gap if gap > 0 else None


def floor_notes(entries: Sequence[Entry]) -> list[str]:
  """Returns notes on the rows whose All ACC is no higher than a spectrum's.

  A row that is given all labels is compared with the spectrum that is given
  them as well. There is no note where All ACC is not available.

  Args:
    entries: the rows.
  """
  means = bound_means(entries, 'all_acc')
  networks = [entry for entry in entries if not entry.bound.startswith('floor')]
  lines = []
  for kind, words, rows in (
    ('floor', 'the spectrum, which has no network', networks),
    (
      'floor with all labels',
      'the spectrum with all labels given, which has no network',
      [entry for entry in networks if entry.bound == 'upper'],
    ),
  ):
    found = {entry.name: entry.mean('all_acc') for entry in rows}
    compared = {k: v for k, v in found.items() if v is not None}
    if kind not in means or not compared:
      continue
    below = [k for k, v in compared.items() if v <= means[kind]]
    if below:
      lines.append(f'Does not beat {words} (All ACC): {", ".join(below)}.')
    elif kind == 'floor':
      lines.append(f'Every row beats {words} (All ACC).')
  return lines


def leaderboard_markdown(entries: Sequence[Entry], notes: Sequence[str]) -> str:
  """Returns the table in Markdown, with notes as a list below it.

  Args:
    entries: the rows.
    notes: how the table was made, a line each.
  """
  gaps = {entry.name: gap_closed(entry, entries) for entry in entries}
  with_gap = any(gap is not None for gap in gaps.values())
  with_heap = any(entry.values(HEAP_NOVEL_SHARE) for entry in entries)
  with_outputs = any(entry.values(NUM_OUTPUTS_IN_USE) for entry in entries)
  header = ['row', 'seeds', *TABLE_COLUMNS.values()]
  header += ['called novel'] * with_heap
  unseen = [c for c in _UNSEEN_COLUMNS if any(e.values(c) for e in entries)]
  header += [_UNSEEN_COLUMNS[column] for column in unseen]
  header += ['gap closed'] * with_gap + ['outputs in use'] * with_outputs
  rows = []
  for entry in entries:
    row = [entry.name, entry.progress]
    row += [_format_cell(entry, column, 100) for column in TABLE_COLUMNS]
    if with_heap:
      row.append(_format_cell(entry, HEAP_NOVEL_SHARE, 100))
    row += [_format_cell(entry, column, 100) for column in unseen]
    if with_gap:
      gap = gaps[entry.name]
      row.append('' if gap is None else f'{100 * gap:.0f} %')
    if with_outputs:
      has_number = entry.values(NUM_OUTPUTS_IN_USE)
      row.append(_format_cell(entry, NUM_OUTPUTS_IN_USE) if has_number else '')
    rows.append(row)
  explained = [
    'Percent, mean ± standard deviation (n - 1) over the finished seeds.'
  ]
  if with_heap:
    explained.append(
      'Called novel: share of the images without a true class that got a novel '
      'output. n/a: a figure that needs the true class of every image.'
    )
  if unseen:
    explained.append(
      'Unseen: images of sources that no run has seen; the area under the ROC '
      'curve, and the share rejected where 95 % of the others are kept.'
    )
  if with_gap:
    explained.append(
      'Gap closed: how far All ACC is on the way from the lower to the upper '
      'bound.'
    )
  align = 'll' + 'r' * (len(header) - 2)
  listed = '\n'.join(f'- {line}' for line in [*explained, *notes])
  return f'{text_tables.markdown(header, rows, align)}\n\n{listed}\n'


def _format_cell(entry: Entry, column: str, scale: float = 1) -> str:
  """Returns '69.4 ± 1.0'; 'n/a' for a missing number; '' without a run."""
  if not entry.reports:
    return ''
  mean, deviation = entry.mean(column), entry.deviation(column)
  if mean is None:
    return 'n/a'
  text = f'{scale * mean:.1f}'
  return text if deviation is None else f'{text} ± {scale * deviation:.1f}'


def rows_csv(entries: Sequence[Entry]) -> str:
  """Returns a CSV line per row: fractions, blank where there is no number."""
  columns = [
    *TABLE_COLUMNS,
    NUM_OUTPUTS_IN_USE,
    HEAP_NOVEL_SHARE,
    *_UNSEEN_COLUMNS,
  ]
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
  return _to_csv(lines)


def runs_csv(entries: Sequence[Entry]) -> str:
  """Returns a CSV line per finished run, as in `rows_csv`."""
  columns = [
    *TABLE_COLUMNS,
    NUM_OUTPUTS_IN_USE,
    HEAP_NOVEL_SHARE,
    *_UNSEEN_COLUMNS,
    'checkpoint_step',
    'machine',
  ]
  return _to_csv(
    [['row', 'seed', *columns]]
    + [
      [entry.name, seed, *map(entry.reports[seed].get, columns)]
      for entry in entries
      for seed in sorted(entry.reports)
    ]
  )


def _to_csv(lines: Sequence[Sequence[Any]]) -> str:
  file = io.StringIO(newline='')
  csv.writer(file, lineterminator='\n').writerows(
    [spreadsheet(c) if isinstance(c, str) else c for c in line]
    for line in lines
  )
  return file.getvalue()
