"""The leaderboard at a glance: three accuracies, row by row."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from owdfa_jax.evaluation.report import COLUMNS
from owdfa_jax.leaderboard.table import Entry, bound_means, finished

if TYPE_CHECKING:
  from matplotlib.axes import Axes

PANELS = ('all_acc', 'known_acc', 'new_acc')
# Methods in colour, yardsticks not: told apart by lightness too.
METHOD, BOUND, TEXT, FAINT = '#0072b2', '#8a8f96', '#24292f', '#e4e6e9'
MUTED = '#656d76'


def png(entries: Sequence[Entry], title: str) -> bytes:
  """Draws means with standard deviations, and the bounds as vertical lines.

  Args:
    entries: those without a finished run are left out.
    title: over the picture.

  Returns:
    A PNG file, dark on white, sharp at 830 pixels of width.
  """
  # Takes a second, and nothing but this needs it.
  from matplotlib.figure import Figure
  from matplotlib.layout_engine import ConstrainedLayoutEngine

  entries = [entry for entry in entries if entry.reports]
  figure = Figure(
    (8.3, 1.0 + 0.38 * len(entries)),
    layout=ConstrainedLayoutEngine(wspace=0.06),
  )
  axes = figure.subplots(1, len(PANELS), sharey=True, squeeze=False)[0]
  for panel, column in zip(axes, PANELS, strict=True):
    draw_panel(panel, entries, column)
  axes[0].set_yticks(range(len(entries)), [label(entry) for entry in entries])
  # The first row on top.
  axes[0].set_ylim(len(entries) - 0.4, -0.7)
  figure.suptitle(
    f'{title}: mean and standard deviation in percent', fontsize=10, color=TEXT
  )
  file = io.BytesIO()
  figure.savefig(file, format='png', dpi=200)
  return file.getvalue()


def draw_panel(panel: 'Axes', entries: Sequence[Entry], column: str) -> None:
  """One accuracy: a dot with its whisker and number for each row."""
  panel.set_title(COLUMNS[column], fontsize=9.5, color=TEXT)
  for mean in bound_means(entries, column).values():
    panel.axvline(100 * mean, color=BOUND, linewidth=1, linestyle=(0, (3, 3)))
  for height, entry in enumerate(entries):
    mean, deviation = entry.mean(column), entry.deviation(column)
    if mean is None:
      continue
    colour = BOUND if entry.bound else METHOD
    panel.errorbar(
      100 * mean,
      height,
      xerr=None if deviation is None else 100 * deviation,
      color=colour,
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
      bbox={'facecolor': 'white', 'edgecolor': 'none', 'pad': 0.6},
    )
  panel.margins(x=0.14)
  panel.locator_params(axis='x', nbins=4, steps=[1, 2, 5, 10])
  panel.grid(axis='x', color=FAINT, linewidth=0.8)
  panel.set_axisbelow(True)
  panel.tick_params(length=0, labelsize=9, labelcolor=TEXT)
  panel.tick_params(axis='x', labelsize=8, labelcolor=MUTED)
  panel.spines[:].set_visible(False)


def label(entry: Entry) -> str:
  """The row's name, and how far it is where it is not finished."""
  if len(entry.reports) == len(entry.seeds):
    return entry.name
  return f'{entry.name} ({finished(entry)})'
