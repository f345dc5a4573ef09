"""Draws the pictures of a page but for its maps.

Importing Matplotlib takes a second; only what draws imports this module.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from input_pipeline import escape
from owdfa_jax.page.svg import INK, KNOWN, MUTED, NOVEL, PAPER, RULE, style

# A share below this has no number and next to no tint.
_LEAST_NUMBER = 0.005
_NAME_LENGTH = 24
# The lines of the curves: colour, dashes and mark, so that they can be told
# apart without colour.
_LINES = {
  'all_acc': ('All ACC', INK, '-', 'o'),
  'known_acc': ('Known ACC', KNOWN, '--', 's'),
  'new_acc': ('New ACC', NOVEL, '-.', '^'),
}


def shown_name(name: str) -> str:
  """Returns a name for a picture, shortened at its end.

  Args:
    name: of a source or an output.
  """
  name = escape.terminal(name)
  if len(name) > _NAME_LENGTH:
    name = name[: _NAME_LENGTH - 1] + '…'
  return escape.picture(name)


def confusion_picture(
  share: np.ndarray,
  sources: Sequence[str],
  outputs: Sequence[str],
  num_known_sources: int,
  num_known_outputs: int,
) -> Figure:
  """Draws the share of each source's images in each output.

  Args:
    share: float [S, T].
    sources: the rows, known ones first.
    outputs: the columns, known classes first.
    num_known_sources: how many rows are known.
    num_known_outputs: how many columns are known classes.
  """
  num_rows, num_columns = share.shape
  cell = 0.3
  with style():
    figure = Figure(
      (2.3 + cell * num_columns, 1.9 + cell * num_rows), layout='constrained'
    )
    axes = figure.subplots()
    for row, column in np.argwhere(share >= _LEAST_NUMBER):
      value = share[row, column]
      novel = row >= num_known_sources
      # The ground shows through: the tint is right on a dark page as well.
      axes.add_patch(
        _square(row, column, NOVEL if novel else KNOWN, 0.15 + 0.85 * value)
      )
      axes.text(
        column,
        row,
        f'{100 * value:.0f}',
        ha='center',
        va='center',
        fontsize=7.5,
        color=PAPER if value > 0.5 else INK,
      )
    axes.set_xlim(-0.5, num_columns - 0.5)
    axes.set_ylim(num_rows - 0.5, -0.5)
    axes.set_yticks(range(num_rows), [shown_name(x) for x in sources])
    axes.set_xticks(
      range(num_columns), [shown_name(x) for x in outputs], rotation=90
    )
    axes.tick_params(length=0, labelsize=8)
    _colour_labels(axes.get_yticklabels(), num_known_sources)
    _colour_labels(axes.get_xticklabels(), num_known_outputs)
    axes.axhline(num_known_sources - 0.5, color=MUTED, linewidth=0.8)
    axes.axvline(num_known_outputs - 0.5, color=MUTED, linewidth=0.8)
    axes.set_xlabel('the name that images got')
    axes.set_ylabel('true source')
    axes.patch.set_visible(False)
  return figure


def _colour_labels(labels: Sequence[Text], num_known: int) -> None:
  for number, label in enumerate(labels):
    label.set_color(KNOWN if number < num_known else NOVEL)


def _square(row: int, column: int, colour: str, alpha: float) -> Any:
  from matplotlib.patches import Rectangle

  return Rectangle(
    (column - 0.5, row - 0.5), 1, 1, facecolor=colour, alpha=alpha, linewidth=0
  )


def curves_picture(
  epochs: Mapping[str, Sequence[float | None]],
  bounds: Mapping[str, float],
  final: float | None,
) -> Figure:
  """Draws accuracies after each epoch, and All ACC of bounds as lines.

  Args:
    epochs: by a key of `_LINES`, the value after each evaluated epoch.
    bounds: All ACC of other runs, by their names.
    final: All ACC of the report, which another classifier may have made.
  """
  with style():
    figure, axes = _axes((5.4, 3.5))
    for key, (label, colour, dashes, mark) in _LINES.items():
      values = epochs.get(key, ())
      points = [(n, 100 * v) for n, v in enumerate(values, 1) if v is not None]
      if points:
        axes.plot(
          *zip(*points, strict=True),
          color=colour,
          linestyle=dashes,
          marker=mark,
          markersize=4,
          linewidth=1.4,
          label=label,
        )
    most = max([len(v) for v in epochs.values()], default=1)
    if final is not None:
      axes.plot(
        [most], [100 * final], 'D', color=INK, label='All ACC of the figures'
      )
    for name, value in bounds.items():
      axes.axhline(100 * value, color=MUTED, linewidth=1, linestyle=':')
      axes.annotate(
        shown_name(name),
        (0, 100 * value),
        xycoords=('axes fraction', 'data'),
        xytext=(3, 2),
        textcoords='offset points',
        fontsize=9,
        color=MUTED,
      )
    axes.set_xlabel('evaluated epoch')
    axes.set_ylabel('percent')
    axes.set_ylim(0, 103)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend(figure, axes)
  return figure


def reliability_picture(bins: Sequence[Mapping[str, float]]) -> Figure:
  """Draws the accuracy of each bin of confidence.

  Args:
    bins: the field `reliability` of a report.
  """
  with style():
    figure, axes = _axes((4.2, 3.6))
    axes.plot([0, 100], [0, 100], color=MUTED, linewidth=1, linestyle='--')
    total = sum(entry['count'] for entry in bins)
    for entry in bins:
      low, high = 100 * entry['above'], 100 * entry['up_to']
      axes.bar(
        (low + high) / 2,
        100 * entry['accuracy'],
        0.9 * (high - low),
        color=KNOWN,
        # More images, less see-through.
        alpha=0.25 + 0.75 * (entry['count'] / total) ** 0.5,
      )
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 103)
    axes.set_xlabel('confidence, %')
    axes.set_ylabel('accuracy, %')
  return figure


def scores_picture(histogram: Mapping[str, Any], limit: float | None) -> Figure:
  """Draws the scores of seen and of unseen images, and the threshold.

  Args:
    histogram: the field `histogram` of a report's `unseen`.
    limit: the threshold; None for none.
  """
  edges = np.array(histogram['edges'])
  with style():
    figure, axes = _axes((5.4, 3.2))
    for name, label, colour, hatch in (
      ('seen', 'test images', KNOWN, ''),
      ('unseen', 'images of unseen sources', NOVEL, '////'),
    ):
      count = np.array(histogram.get(name) or [], float)
      if count.sum():
        axes.stairs(
          100 * count / count.sum(),
          edges,
          fill=not hatch,
          alpha=0.55 if not hatch else 1,
          color=colour,
          hatch=hatch,
          label=label,
        )
    if limit is not None:
      axes.axvline(limit, color=INK, linewidth=1.3, linestyle='--')
      axes.annotate(
        'threshold',
        (limit, 1),
        xycoords=('data', 'axes fraction'),
        xytext=(4, -11),
        textcoords='offset points',
        fontsize=9,
      )
    axes.set_xlabel('unseen score')
    axes.set_ylabel('percent of the images')
    _legend(figure, axes)
  return figure


def robustness_picture(
  table: Sequence[Mapping[str, Any]], clean: float | None
) -> Figure:
  """Draws All ACC of degraded images, or how many keep their output.

  Args:
    table: the field `robustness` of a report.
    clean: All ACC of the images as they are; None without every true class.
  """
  key = 'unchanged' if clean is None else 'all_acc'
  with style():
    figure, axes = _axes((5.4, 0.9 + 0.27 * len(table)))
    names = [f'{x["kind"]} {x["strength"]:g}' for x in table]
    values = [100 * x[key] for x in table]
    axes.barh(range(len(names)), values, 0.68, color=KNOWN)
    for height, value in enumerate(values):
      axes.annotate(
        f'{value:.1f}',
        (value, height),
        xytext=(3, 0),
        textcoords='offset points',
        va='center',
        fontsize=9,
        # The ground of the page, where the dashed line crosses a number.
        bbox={'facecolor': PAPER, 'edgecolor': 'none', 'pad': 0.4},
        zorder=5,
      )
    if clean is not None:
      axes.axvline(100 * clean, color=INK, linewidth=1.2, linestyle='--')
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, 108)
    axes.grid(axis='y', visible=False)
    label = 'All ACC' if key == 'all_acc' else 'images that keep their name'
    axes.set_xlabel(f'{label}, %; dashed: the images as they are')
  return figure


def _axes(size: tuple[float, float]) -> tuple[Figure, Axes]:
  """Returns a figure of a size in inches, and its axes."""
  figure = Figure(size, layout='constrained')
  axes = figure.subplots()
  axes.patch.set_visible(False)
  axes.spines[['top', 'right']].set_visible(False)
  axes.grid(color=RULE, linewidth=0.5)
  axes.set_axisbelow(True)
  axes.tick_params(length=0)
  return figure, axes


def _legend(figure: Figure, axes: Axes) -> None:
  """Draws the legend above the axes, where it hides nothing."""
  if axes.get_legend_handles_labels()[0]:
    figure.legend(loc='outside upper left', ncols=2, frameon=False, fontsize=9)
