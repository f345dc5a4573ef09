"""Draws the map of features, coloured by true source or by output.

Importing Matplotlib takes a second; only what draws imports this module.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from owdfa_jax.page.pictures import shown_name
from owdfa_jax.page.svg import INK, KNOWN, MUTED, NOVEL, style

# Colours of the palette of Okabe and Ito that show on a light and a dark page.
# Groups differ in their marks, too, and are named on the map: twenty colours
# cannot be told apart.
_COLOURS = ('#0072b3', '#d55e00', '#009e73', '#cc79a7', '#56b4ea', '#e69f00')
_MARKS = ('o', 's', '^', 'D', 'v', 'P', 'X')
_NO_GROUP = 'no true source'
# In shares of the map: half the height of a compact group, the height of a line
# of text and the width of a letter.
_COMPACT, _LINE, _LETTER = 0.07, 0.032, 0.0145
_MOST_STEPS = 12


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
  corner, extent = place.min(0), np.maximum(np.ptp(place, axis=0), 1e-9)
  taken: list[tuple[float, float, float]] = []
  for name in groups:
    members = (place[names == name] - corner) / extent
    label = shown_name(name or _NO_GROUP)
    x, y = free_place(label_anchor(members), len(label), taken)
    axes.annotate(
      label,
      (x * extent[0] + corner[0], y * extent[1] + corner[1]),
      ha='center',
      va='center',
      fontsize=7,
      color=KNOWN if name in known else NOVEL if name else INK,
    )
  axes.margins(x=0.1, y=0.08)
  axes.set_xticks([])
  axes.set_yticks([])
  axes.spines[:].set_visible(False)
  axes.patch.set_visible(False)


def label_anchor(members: np.ndarray) -> tuple[float, float]:
  """Returns where the name of a group should stand, in shares of the map.

  Args:
    members: float [N, 2], its points, in shares of the map.
  """
  x, middle = np.median(members, axis=0)
  top = np.quantile(members[:, 1], 0.95)
  # Above a compact group, so that it hides no point; within a scattered one.
  return float(x), float(min(top, middle + _COMPACT) + _LINE)


def free_place(
  anchor: tuple[float, float],
  length: int,
  taken: list[tuple[float, float, float]],
) -> tuple[float, float]:
  """Returns a place for a name that covers no other, and takes it.

  Args:
    anchor: where it should stand, in shares of the map.
    length: the number of its letters.
    taken: the places of other names: x, y and half the width.
  """
  x, y = anchor
  half = length * _LETTER / 2
  for step in range(_MOST_STEPS):
    # The anchor, then in turn above and below it.
    tried = y + _LINE * ((step + 1) // 2) * (1 if step % 2 else -1)
    if all(
      abs(tried - other_y) > 0.9 * _LINE
      or abs(x - other_x) >= half + other_half
      for other_x, other_y, other_half in taken
    ):
      y = tried
      break
  taken.append((x, y, half))
  return x, y
