"""Finds places for the names on a map, beside the groups they are of.

Importing Matplotlib takes a second; only what draws imports this module.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from matplotlib.textpath import TextPath

# Of the names, in points, and the width of what the points of a map take.
SIZE, _MAP_WIDTH = 7, 248
# In shares of the map: half the height of a compact group, the height of a line
# of text, the room between two names, the margin around the map, and how far a
# name may be from the inner half of its group without a line to it.
_COMPACT, _LINE, _GAP, _MARGIN, FAR = 0.07, 0.032, 0.01, 0.06, 0.09
# A name goes at most this far from where it should stand, and covers this many
# points rather than to go across the whole map.
_UP = np.arange(-12, 13) * _LINE / 2
_ACROSS = np.linspace(-0.2, 0.2, 17)
_POINTS_OF_THE_WAY = 40
# Points of a part: how many at least near each other, and how far these may be
# apart, in shares of the map; the least share of its group; and how far from
# the others it must be to get a name of its own.
_LEAST_OF_PART, _REACH = 4, (0.05, 0.12)
_LEAST_SHARE, _FAR_APART = 0.15, 0.2
# The place of a name, in shares of the map: x and y of its middle, its width.
Label: TypeAlias = tuple[float, float, float]


def reach_of(num_points: int) -> float:
  """Returns how far points of one part may be apart, in shares of the map.

  Args:
    num_points: of the whole map. Few of them lie further apart.
  """
  return float(np.clip(1.5 / np.sqrt(num_points), *_REACH))


def far_parts(members: np.ndarray, reach: float) -> list[np.ndarray]:
  """Returns the parts of a group that lie far from each other.

  A name that several clusters share may have several such parts; each gets the
  name. Single points that lie elsewhere are in none.

  Args:
    members: float [N, 2], the points of a group, in shares of the map.
    reach: how far neighbours in a part may be apart.

  Returns:
    float [n, 2] each, the largest first. Of a scattered group, all points.
  """
  # Imported here because scikit-learn takes a second to load.
  from sklearn.cluster import DBSCAN

  made: Any = DBSCAN(eps=reach, min_samples=_LEAST_OF_PART)
  number = made.fit_predict(members)
  found = [members[number == n] for n in range(number.max() + 1)]
  found.sort(key=len, reverse=True)
  found = [x for x in found if len(x) >= _LEAST_SHARE * len(members)]
  if sum(map(len, found)) < len(members) / 2:
    return [members]
  apart: list[np.ndarray] = []
  for part in found:
    middle = np.median(part, axis=0)
    gaps = [np.hypot(*(middle - np.median(x, axis=0))) for x in apart]
    if min(gaps, default=np.inf) >= _FAR_APART:
      apart.append(part)
  return apart


def label_anchor(members: np.ndarray) -> tuple[float, float]:
  """Returns where the name of a group should stand, in shares of the map.

  Args:
    members: float [N, 2], its points, in shares of the map.
  """
  x, middle = np.median(members, axis=0)
  top = np.quantile(members[:, 1], 0.95)
  # Above a compact group, so that it hides no point; within a scattered one.
  return float(x), float(min(top, middle + _COMPACT) + _LINE)


def nearest_of_core(members: np.ndarray, place: np.ndarray) -> np.ndarray:
  """Returns the point of the inner half of a group that is nearest to a place.

  Args:
    members: float [N, 2], the points of the group.
    place: float [2].
  """
  from_middle = np.hypot(*(members - np.median(members, axis=0)).T)
  core = members[from_middle <= np.median(from_middle)]
  return core[np.hypot(*(core - place).T).argmin()]


def label_width(label: str) -> float:
  """Returns the width of a name, in shares of the map.

  Args:
    label: as it is drawn.
  """
  path = TextPath((0, 0), label, size=SIZE)
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
      if any(covers(place, other) for other in taken):
        continue
      apart = np.abs(points - place[:2])
      covered = ((apart[:, 0] < width / 2) & (apart[:, 1] < _LINE / 2)).sum()
      cost = covered + _POINTS_OF_THE_WAY * np.hypot(
        x - anchor[0], y - anchor[1]
      )
      if cost < least:
        best, least = place, cost
  return best


def covers(one: Label, other: Label) -> bool:
  """Returns whether two names cover each other.

  Args:
    one: the place of a name.
    other: that of another one.
  """
  apart = abs(one[0] - other[0]), abs(one[1] - other[1])
  return apart[0] < (one[2] + other[2]) / 2 and apart[1] < _LINE
