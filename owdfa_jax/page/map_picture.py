"""Draws the map of features, coloured by true source or by output.

Importing Matplotlib takes a second; only what draws imports this module.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath

from owdfa_jax.page.pictures import shown_name
from owdfa_jax.page.svg import INK, KNOWN, MUTED, NOVEL, style

# Colours of the palette of Okabe and Ito that show on a light and a dark page.
# Groups differ in their marks, too, and are named on the map: twenty colours
# cannot be told apart.
_COLOURS = ('#0072b3', '#d55e00', '#009e73', '#cc79a7', '#56b4ea', '#e69f00')
_MARKS = ('o', 's', '^', 'D', 'v', 'P', 'X')
_NO_GROUP = 'no true source'
# Of the names, in points; and the width of the map in points.
_SIZE, _MAP_WIDTH = 7, 275
# In shares of the map: half the height of a compact group, the height of a line
# of text, the room between two names, the margin around the map, and how far a
# name may be from its group without a line to it.
_COMPACT, _LINE, _GAP, _MARGIN, _FAR = 0.07, 0.032, 0.01, 0.06, 0.09
# A name goes at most this far from where it should stand, and covers this many
# points rather than to go across the whole map.
_UP = np.arange(-12, 13) * _LINE / 2
_ACROSS = np.linspace(-0.2, 0.2, 17)
_POINTS_OF_THE_WAY = 40
# The place of a name, in shares of the map: x and y of its middle, its width.
Label: TypeAlias = tuple[float, float, float]


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
  points = (place - corner) / extent
  anchors = {name: label_anchor(points[names == name]) for name in groups}
  labels = {name: shown_name(name or _NO_GROUP) for name in groups}
  spread = {name: float(points[names == name].std()) for name in groups}
  taken: list[Label] = []
  # Compact groups have a place of their own; names of scattered ones may stand
  # anywhere in them.
  for name in sorted(groups, key=spread.__getitem__):
    label, anchor = labels[name], anchors[name]
    taken.append(free_place(anchor, label_width(label), taken, points))
    at = np.array(taken[-1][:2]) * extent + corner
    colour = KNOWN if name in known else NOVEL if name else INK
    if np.hypot(*np.subtract(taken[-1][:2], anchor)) > _FAR:
      middle = np.median(place[names == name], axis=0)
      axes.plot(*np.stack([at, middle]).T, color=MUTED, lw=0.5, zorder=0)
    axes.annotate(
      label, at, ha='center', va='center', fontsize=_SIZE, color=colour
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


def label_width(label: str) -> float:
  """Returns the width of a name, in shares of the map.

  Args:
    label: as it is drawn.
  """
  path = TextPath((0, 0), label, size=_SIZE)
  return float(path.get_extents().width) / _MAP_WIDTH + _GAP


def free_place(
  anchor: tuple[float, float],
  width: float,
  taken: Sequence[Label],
  points: np.ndarray,
) -> Label:
  """Returns a place for a name that covers no other, and few points.

  Args:
    anchor: where it should stand, in shares of the map.
    width: of the name, in shares of the map.
    taken: the places of other names.
    points: float [M, 2], of the map, in shares of it.

  Returns:
    The place, near the anchor. Where all is taken, the anchor itself.
  """
  best, least = (*anchor, width), np.inf
  for across in _ACROSS:
    for up in _UP:
      beside = width / 2 - _MARGIN
      x = min(max(anchor[0] + across, beside), 1 - beside)
      y = min(max(anchor[1] + up, -_MARGIN), 1 + _MARGIN)
      place = (float(x), float(y), width)
      if any(overlap(place, other) for other in taken):
        continue
      apart = np.abs(points - place[:2])
      covered = ((apart[:, 0] < width / 2) & (apart[:, 1] < _LINE / 2)).sum()
      cost = covered + _POINTS_OF_THE_WAY * np.hypot(
        x - anchor[0], y - anchor[1]
      )
      if cost < least:
        best, least = place, cost
  return best


def overlap(one: Label, other: Label) -> bool:
  """Returns whether two names cover each other.

  Args:
    one: the place of a name.
    other: that of another one.
  """
  apart = abs(one[0] - other[0]), abs(one[1] - other[1])
  return apart[0] < (one[2] + other[2]) / 2 and apart[1] < _LINE
