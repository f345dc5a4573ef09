"""Draws a leaderboard: three accuracies, row by row.

Importing Matplotlib takes a second; only what draws imports this module.
"""

import io
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from input_pipeline import escape
from owdfa_jax.leaderboard.table import Entry, bound_means
from owdfa_jax.report_fields import TABLE_COLUMNS

PANELS = ('all_acc', 'known_acc', 'new_acc')
# Methods are blue, bounds grey. Their lightness differs too, so that they can
# be told apart without colour.
METHOD, BOUND, TEXT, GRID = '#0072b2', '#8a8f96', '#24292f', '#e4e6e9'
MUTED = '#656d76'


def draw_leaderboard(entries: Sequence[Entry], title: str) -> bytes:
  """Draws means with standard deviations, and the bounds as vertical lines.

  Args:
    entries: the rows; those without a finished run are left out.
    title: written above the picture.

  Returns:
    A PNG file, 1660 pixels wide: sharp when shown 830 pixels wide.
  """
  entries = [entry for entry in entries if entry.reports]
  figure = Figure(
    (8.3, 1.0 + 0.38 * len(entries)),
    layout=ConstrainedLayoutEngine(wspace=0.06),
  )
  axes = figure.subplots(1, len(PANELS), sharey=True, squeeze=False)[0]
  for panel, column in zip(axes, PANELS, strict=True):
    draw_panel(panel, entries, column)
  axes[0].set_yticks(range(len(entries)), [row_label(e) for e in entries])
  # The first row is on top.
  axes[0].set_ylim(len(entries) - 0.4, -0.7)
  figure.suptitle(
    f'{title}: mean and standard deviation in percent', fontsize=10, color=TEXT
  )
  file = io.BytesIO()
  figure.savefig(file, format='png', dpi=200)
  return file.getvalue()


def draw_panel(panel: Axes, entries: Sequence[Entry], column: str) -> None:
  """Draws one accuracy: a dot with whisker and number for each row.

  Args:
    panel: drawn on.
    entries: the rows, from top to bottom.
    column: a key of `TABLE_COLUMNS`.
  """
  panel.set_title(TABLE_COLUMNS[column], fontsize=9.5, color=TEXT)
  for mean in bound_means(entries, column).values():
    panel.axvline(100 * mean, color=BOUND, linewidth=1, linestyle=(0, (3, 3)))
  for height, entry in enumerate(entries):
    _draw_row(panel, height, entry, column)
  # Room for the numbers of the outermost dots.
  panel.margins(x=0.14)
  panel.locator_params(axis='x', nbins=4, steps=[1, 2, 5, 10])
  if all(entry.mean(column) is None for entry in entries):
    panel.set_xticks([])
  panel.grid(axis='x', color=GRID, linewidth=0.8)
  panel.set_axisbelow(True)
  panel.tick_params(length=0, labelsize=9, labelcolor=TEXT)
  panel.tick_params(axis='x', labelsize=8, labelcolor=MUTED)
  panel.spines[:].set_visible(False)


def _draw_row(panel: Axes, height: int, entry: Entry, column: str) -> None:
  mean, deviation = entry.mean(column), entry.deviation(column)
  if mean is None:
    # At the left edge, in the row's height.
    panel.annotate(
      'n/a',
      (0, height),
      xycoords=('axes fraction', 'data'),
      xytext=(4, 0),
      textcoords='offset points',
      va='center',
      fontsize=8,
      color=MUTED,
    )
    return
  panel.errorbar(
    100 * mean,
    height,
    xerr=None if deviation is None else 100 * deviation,
    color=BOUND if entry.bound else METHOD,
    marker='o',
    markersize=4.5,
    linewidth=1.2,
    capsize=2.5,
  )
  panel.annotate(
    f'{100 * mean:.1f}',
    (100 * mean, height),
    xytext=(0, 4),
    textcoords='offset points',
    ha='center',
    va='bottom',
    fontsize=8,
    color=TEXT,
    # White behind the number, where a bound's line crosses it.
    bbox={'facecolor': 'white', 'edgecolor': 'none', 'pad': 0.6},
  )


def row_label(entry: Entry) -> str:
  """Returns the row's name, with its progress if it is not finished."""
  name = escape.picture(entry.name)
  if len(entry.reports) == len(entry.seeds):
    return name
  return f'{name} ({entry.progress})'
