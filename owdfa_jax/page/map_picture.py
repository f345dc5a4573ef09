"""Draws the map of features, coloured by true source or by output.

Importing Matplotlib takes a second; only what draws imports this module.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from owdfa_jax.page.pictures import shown_name
from owdfa_jax.page.svg import INK, KNOWN, MUTED, NOVEL, PAPER, style

# Colours of the palette of Okabe and Ito that show on a light and a dark page.
# Groups differ in their marks, too, and are named on the map: twenty colours
# cannot be told apart.
_COLOURS = ('#0072b3', '#d55e00', '#009e73', '#cc79a7', '#56b4ea', '#e69f00')
_MARKS = ('o', 's', '^', 'D', 'v', 'P', 'X')
_NO_GROUP = 'no true source'


def map_picture(
  place: np.ndarray,
  by_source: Sequence[str],
  by_output: Sequence[str],
  known: frozenset[str],
) -> Figure:
  """Draws the map twice, side by side.

  Args:
    place: float [M, 2].
    by_source: the true source of each point, '' where it is unknown.
    by_output: the name that each point got.
    known: the names of known sources.
  """
  with style():
    figure = Figure((9.6, 4.9), layout='constrained')
    left, right = figure.subplots(1, 2)
    has_truth = any(by_source)
    if has_truth:
      _draw(left, place, by_source, known)
      left.set_title('by true source', fontsize=10)
    else:
      left.set_title('no true source is known', fontsize=10)
      left.set_axis_off()
    _draw(right, place, by_output, known)
    right.set_title('by the name that images got', fontsize=10)
  return figure


def _draw(
  axes: Axes, place: np.ndarray, group: Sequence[str], known: frozenset[str]
) -> None:
  groups = sorted({*group}, key=lambda x: (x not in known, x))
  names = np.array(group)
  for number, name in enumerate(groups):
    members = place[names == name]
    axes.scatter(
      *members.T,
      s=10,
      marker=_MARKS[number % len(_MARKS)],
      color=_COLOURS[number % len(_COLOURS)] if name else MUTED,
      alpha=0.75,
      linewidths=0,
    )
  for name in groups:
    members = place[names == name]
    # The member in the middle: the mean may lie among others.
    centre = np.median(members, axis=0)
    nearest = members[np.argmin(((members - centre) ** 2).sum(1))]
    axes.annotate(
      shown_name(name or _NO_GROUP),
      nearest,
      ha='center',
      va='center',
      fontsize=7,
      color=KNOWN if name in known else NOVEL if name else INK,
      bbox={
        'facecolor': PAPER,
        'edgecolor': 'none',
        'alpha': 0.75,
        'pad': 0.8,
        'boxstyle': 'round',
      },
    )
  axes.set_xticks([])
  axes.set_yticks([])
  axes.spines[:].set_visible(False)
  axes.patch.set_visible(False)
