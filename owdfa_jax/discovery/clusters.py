"""Clusters features so that known classes keep clusters of their own.

A head's novel outputs are trained without labels. Clusters of features need no
labels and separate novel sources better.
"""

import jax
import numpy as np

from owdfa_jax.discovery import kmeans
from owdfa_jax.discovery.kmeans import Clusters
from owdfa_jax.discovery.whitening import PADDING, WhiteningKind, fit
from owdfa_jax.evaluation.group_features import RowFeatures
from owdfa_jax.evaluation.whitening_map import Whitening, whiten
from owdfa_jax.parallel import Placement, make_placement, round_up


def semi_supervised_kmeans(
  feature: np.ndarray | jax.Array,
  label: np.ndarray,
  *,
  num_known: int,
  num_clusters: int,
  key: jax.Array,
  num_restarts: int = 8,
  num_iterations: int = 100,
  overclustering: int = 4,
  placement: Placement | None = None,
) -> Clusters:
  """Clusters rows by the direction of their features.

  This is k-means on the unit sphere with one constraint: a labelled row always
  belongs to the cluster of its class. The clusters of known classes start at
  the means of their labelled rows. Those of novel classes start from several
  times as many centres, drawn by k-means++ among the unlabelled rows, which are
  then merged (see `ward.merge_centres`). From as many centres as clusters,
  k-means mostly ends with some sources split and others merged.

  k-means prefers clusters of similar size and spread: a source with few images
  may be merged with another one while a large source is split. A wrong
  `num_clusters` also merges or splits sources.

  Each iteration costs O(N K C) operations. A device holds its share of the
  features, a part of its distances at a time, and all centres; devices exchange
  O(K C) numbers. Restarts run one after the other, so they cost time but no
  memory.

  Args:
    feature: float32 [M, C], M >= N, on the host or split over the devices; rows
      from N on are padding. The length of a row does not matter.
    label: int32 [N], a known class, or -1 for an unlabelled row. Every known
      class needs a labelled row.
    num_known: the number of known classes; their clusters are
      0 .. num_known - 1.
    num_clusters: K, the number of known and novel clusters.
    key: draws the first centres of the novel clusters. The draws do not depend
      on the number of devices.
    num_restarts: how many times to start anew. The clusters of lowest inertia
      are returned.
    num_iterations: the largest number of iterations of one start; it ends
      earlier if no centre moves.
    overclustering: how many centres are drawn for each novel cluster. With 1
      none are merged; use 10 restarts then.
    placement: the devices that share the rows; None uses one device of each
      process.

  Raises:
    ValueError: a known class has no labelled row.

  References:
    Vaze et al., "Generalized category discovery", CVPR 2022.
    Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding",
    SODA 2007.
  """
  # Without a labelled row a known cluster would start at 0, and stay there.
  missing = np.setdiff1d(np.arange(num_known), label)
  if missing.size:
    raise ValueError(
      f'label must have a row of every known class, got none of class '
      f'{missing[0]}'
    )
  placement = placement or make_placement(jax.local_devices()[:1])
  found = kmeans.cluster(
    *rows_on_devices(feature, label, placement),
    key,
    placement=placement,
    num_known=num_known,
    num_clusters=num_clusters,
    num_restarts=num_restarts,
    num_iterations=num_iterations,
    overclustering=overclustering,
  )
  rows = len(label)
  return found._replace(
    assigned=found.assigned[:rows], margin=found.margin[:rows]
  )


def whiten_rows(
  kind: WhiteningKind,
  feature: np.ndarray | jax.Array,
  label: np.ndarray,
  *,
  num_known: int,
  placement: Placement | None = None,
  rows: RowFeatures | None = None,
) -> tuple[Whitening, jax.Array]:
  """Fits a whitening and applies it, on the devices.

  Where the features are means of groups, the whitening is fitted to single
  rows: there are few groups, and the spread within them counts too. It is
  affine, so the mean of whitened rows is the whitened mean.

  Args:
    kind: what to divide by.
    feature: as for `semi_supervised_kmeans`.
    label: as for `semi_supervised_kmeans`.
    num_known: the number of known classes.
    placement: as for `semi_supervised_kmeans`.
    rows: the rows of the groups; None if each row is a group of its own.

  Returns:
    The whitening, and the features [P, D], split over the devices.
  """
  placement = placement or make_placement(jax.local_devices()[:1])
  split, padded = rows_on_devices(feature, label, placement)
  fit_on = split, padded
  if rows is not None:
    of_rows = np.where(rows.group < 0, PADDING, label[rows.group])
    fit_on = rows_on_devices(rows.feature, of_rows, placement)
  fitted = fit(kind, *fit_on, num_known)
  return fitted, whiten(fitted, split)


def rows_on_devices(
  feature: np.ndarray | jax.Array, label: np.ndarray, placement: Placement
) -> tuple[jax.Array, jax.Array]:
  """Splits rows over devices, padded so that each device has as many.

  Args:
    feature: float32 [M, C], on the host, where every process has all rows, or
      on the devices.
    label: int32 [N], N <= M.
    placement: the devices.

  Returns:
    The features [P, C] and the labels int32 [P], `PADDING` from row N on.
  """
  padded = round_up(len(feature), placement)
  if padded > len(feature):
    feature = np.pad(feature, ((0, padded - len(feature)), (0, 0)))
  label = np.pad(
    label.astype(np.int32), (0, padded - len(label)), constant_values=PADDING
  )
  return _split(feature, placement), _split(label, placement)


def _split(rows: np.ndarray | jax.Array, placement: Placement) -> jax.Array:
  if isinstance(rows, jax.Array):
    return jax.device_put(rows, placement.by_batch)
  return jax.make_array_from_callback(
    rows.shape, placement.by_batch, lambda part: rows[part]
  )


def match_outputs(
  assigned: np.ndarray,
  predicted: np.ndarray,
  num_known: int,
  outputs: np.ndarray,
) -> np.ndarray:
  """Names clusters after outputs of a head, so that both agree on most rows.

  Without this the next round would teach each output the images of another
  source than the one it stands for.

  Args:
    assigned: int [N], the cluster of each row.
    predicted: int [N], the head's most probable output for each row.
    num_known: the number of known classes, whose clusters keep their names.
    outputs: int [K], the outputs in use, ascending and as many as there are
      clusters; the known classes come first.

  Returns:
    int32 [K], the output of each cluster.
  """
  # Imported here because SciPy takes long to load, and few runs come here.
  from scipy import optimize

  overlap = np.zeros((len(outputs), outputs.max() + 1), np.int64)
  np.add.at(overlap, (assigned, predicted), 1)
  novel = overlap[num_known:][:, outputs[num_known:]]
  cluster, output = optimize.linear_sum_assignment(novel, maximize=True)
  output_of_cluster = outputs.astype(np.int32)
  output_of_cluster[num_known + cluster] = outputs[num_known + output]
  return output_of_cluster
