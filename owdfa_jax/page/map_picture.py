"""Draws the map of features, coloured by true source or by output.

Importing Matplotlib takes a second; only what draws imports this module.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from owdfa_jax.page.map_labels import (
  FAR,
  SIZE,
  Label,
  far_parts,
  free_place,
  label_anchor,
  label_width,
  nearest_of_core,
  reach_of,
)
from owdfa_jax.page.pictures import shown_name
from owdfa_jax.page.svg import GROUPS, INK, KNOWN, MUTED, NOVEL, PAPER, style

# Groups differ in their marks, too, and are named on the map: twenty colours
# cannot be told apart.
_MARKS = ('o', 's', '^', 'D', 'v', 'P', 'X')
_NO_GROUP = 'no true source'
_INCHES = (4.3, 4.5)


def map_picture(
  place: np.ndarray, group: Sequence[str], known: frozenset[str], title: str
) -> Figure:
  """Draws the map, each point with the colour and the mark of its group.

  Args:
    place: float [M, 2].
    group: the true source of each point, or the name that it got; '' where it
      is unknown.
    known: the names of known sources.
    title: what the groups are.
  """
  with style():
    figure = Figure(_INCHES, layout='constrained')
    axes = figure.subplots()
    axes.set_title(title, fontsize=10)
    axes.margins(x=0.1, y=0.08)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.patch.set_visible(False)
    groups = sorted({*group}, key=lambda x: (x not in known, x))
    names = np.array(group)
    for number, name in enumerate(groups):
      axes.scatter(
        *place[names == name].T,
        # Few points are easier to see if they are larger.
        s=float(np.clip(6000 / len(place), 10, 30)),
        marker=_MARKS[number % len(_MARKS)],
        color=GROUPS[number % len(GROUPS)] if name else MUTED,
        alpha=0.75,
        linewidths=0,
      )
    # Both maps keep the scale of their points, whatever the names.
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
    _write_names(axes, place, {x: names == x for x in groups}, known)
  return figure


def _write_names(
  axes: Axes,
  place: np.ndarray,
  members: Mapping[str, np.ndarray],
  known: frozenset[str],
) -> None:
  """Writes the name of each group, beside each of its far parts.

  Args:
    axes: has the points.
    place: float [M, 2].
    members: bool [M], which points are of the group, by its name.
    known: the names of known sources.
  """
  corner, extent = place.min(0), np.maximum(np.ptp(place, axis=0), 1e-9)
  points = (place - corner) / extent
  reach = reach_of(len(points))
  parts = [
    (name, part)
    for name, chosen in members.items()
    for part in far_parts(points[chosen], reach)
  ]
  # Compact parts have a place of their own; names of scattered ones may stand
  # anywhere in them.
  parts.sort(key=lambda x: float(x[1].std()))
  taken: list[Label] = []
  for name, part in parts:
    label, anchor = shown_name(name or _NO_GROUP), label_anchor(part)
    taken.append(free_place(anchor, label_width(label), taken, points))
    at = np.array(taken[-1][:2])
    target = nearest_of_core(part, at)
    if np.hypot(*(at - target)) > FAR:
      line = np.stack([at, target]) * extent + corner
      axes.plot(*line.T, color=MUTED, lw=0.5, zorder=0.5)
    axes.annotate(
      label,
      at * extent + corner,
      ha='center',
      va='center',
      fontsize=SIZE,
      color=KNOWN if name in known else NOVEL if name else INK,
      # No line or point goes through the letters.
      bbox={'facecolor': PAPER, 'edgecolor': 'none', 'pad': 0.3, 'alpha': 0.7},
    )
