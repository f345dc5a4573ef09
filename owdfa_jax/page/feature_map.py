"""A map of test images in two dimensions, by the network's features.

It is computed once for a checkpoint, and kept in `map-STEP.npz`.
"""

from typing import Any, NamedTuple

import numpy as np
from etils import epath

from owdfa_jax.evaluation.checkpoint_arrays import CheckpointArrays

# More points hide each other, and take long.
MOST_POINTS = 1500
# Rows whose features are read for them: tiles of groups, say.
_MOST_ROWS = 6000
_COMPONENTS = 30
_SEED = 0
MAP = CheckpointArrays('map', ('place', 'row', 'method'))


class FeatureMap(NamedTuple):
  """Where test images lie on the map.

  Attributes:
    place: float32 [M, 2].
    row: int32 [M], the row of the test split; of a group, the first.
    method: how the map was made, in words.
  """

  place: np.ndarray
  row: np.ndarray
  method: str


def read_map(workdir: epath.Path, step: int) -> FeatureMap | None:
  """Returns the map of a checkpoint; None if there is no file of it.

  Args:
    workdir: the run's folder.
    step: the step of the checkpoint.

  Raises:
    UserError: the file is damaged or cannot be read.
  """
  found = MAP.read(workdir, step)
  if found is None:
    return None
  return FeatureMap(found['place'], found['row'], str(found['method']))


def fits(found: FeatureMap | None, num_rows: int) -> bool:
  """Returns whether there is a map, and of no more test rows than there are.

  A run may be evaluated on other data than the map was made of.

  Args:
    found: the map.
    num_rows: of the test split.
  """
  return found is not None and int(found.row.max(initial=-1)) < num_rows


def write_map(workdir: epath.Path, step: int, found: FeatureMap) -> None:
  """Writes the map of a checkpoint.

  Args:
    workdir: the run's folder.
    step: the step of the checkpoint.
    found: the map.

  Raises:
    UserError: the file cannot be written.
  """
  content = {
    'place': found.place.astype(np.float32),
    'row': found.row.astype(np.int32),
    'method': np.array(found.method),
  }
  MAP.write(workdir, step, content)


def choose_map_rows(group: np.ndarray) -> np.ndarray:
  """Returns the test rows that the map is made from, whole groups of them.

  Args:
    group: int [N], the group of each row.

  Returns:
    int [M], ascending, of at most `MOST_POINTS` groups; the same each time.
  """
  names, size = np.unique(group, return_counts=True)
  order = np.random.default_rng(_SEED).permutation(len(names))[:MOST_POINTS]
  fits = np.cumsum(size[order]) <= _MOST_ROWS
  # One group at least, however large it is.
  fits[0] = True
  return np.flatnonzero(np.isin(group, names[order[fits]]))


def place_features(
  feature: np.ndarray, row: np.ndarray, group: np.ndarray
) -> FeatureMap:
  """Returns the map of features: t-SNE of their principal components.

  Args:
    feature: float32 [N, C].
    row: int [N], the row of each, ascending.
    group: int [N], the group of each; the mean of its features is one point.

  References:
    van der Maaten and Hinton, "Visualizing data using t-SNE", JMLR 2008.
  """
  from sklearn.decomposition import PCA
  from sklearn.manifold import TSNE

  _, first, number = np.unique(group, return_index=True, return_inverse=True)
  points: Any = np.zeros((len(first), feature.shape[1]))
  np.add.at(points, number.reshape(-1), feature)
  points /= np.bincount(number.reshape(-1))[:, None]
  place = np.zeros((len(points), 2))
  if len(points) < 3:
    return FeatureMap(place, row[first], 'too few images for a map')
  count = min(_COMPONENTS, *points.shape)
  components = PCA(count, random_state=_SEED).fit_transform(points)
  if len(points) < 10:
    # Too few neighbours for t-SNE.
    place[:, : min(2, count)] = components[:, :2]
    return FeatureMap(place, row[first], 'first two principal components')
  made = TSNE(
    perplexity=min(30, (len(points) - 1) / 3),
    init='pca',
    max_iter=500,
    random_state=_SEED,
  )
  place = np.asarray(made.fit_transform(components))
  return FeatureMap(place, row[first], f't-SNE of {count} principal components')
