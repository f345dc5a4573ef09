"""Clusters that a user split, and the part of one that an image belongs to.

The network has one output for a cluster. Its parts are groups of the training
images that the run carries, found by k-means on their whitened features; a new
image belongs to the part whose centre is nearest. The same images always give
the same parts, so only their number is kept, in the names file.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence

import numpy as np

from input_pipeline.errors import UserError
from owdfa_jax.evaluation.names_checks import names_of_parts
from owdfa_jax.evaluation.names_file import NAMES_FILE
from owdfa_jax.evaluation.training_sample import TrainingSample
from owdfa_jax.spectrum.kmeans import unit_rows

MOST_PARTS = 10
# Of a part, on average: fewer say nothing about where new images belong.
_LEAST_IMAGES = 5


@dataclasses.dataclass(frozen=True)
class ClusterParts:
  """The parts of the clusters that are split.

  Attributes:
    names: the name of each part, by the output of its cluster.
    centres: float32 [P, D], their centres, unit vectors, by the same.
  """

  names: Mapping[int, tuple[str, ...]]
  centres: Mapping[int, np.ndarray]

  def expand_names(self, outputs: Sequence[str]) -> tuple[str, ...]:
    """Returns K' >= K names: each split cluster's parts are in its place.

    Args:
      outputs: the names of the K outputs.
    """
    return tuple(
      name
      for output, whole in enumerate(outputs)
      for name in self.names.get(output, (whole,))
    )

  def expand(self, probability: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Returns float [K']: the nearest part has its cluster's probability.

    Args:
      probability: float [K], of an image.
      place: float [D], its whitened feature, of any length.
    """
    expanded: list[np.ndarray] = []
    for output, value in enumerate(probability):
      centres = self.centres.get(output)
      part = np.zeros(1 if centres is None else len(centres))
      part[0 if centres is None else int((centres @ place).argmax())] = value
      expanded.append(part)
    return np.concatenate(expanded)


def parts_of_names(
  parts: Mapping[int, Sequence[str]],
  sample: TrainingSample | None,
  workdir: str | os.PathLike[str],
) -> ClusterParts | None:
  """Returns the parts that a names file asks for; None without any.

  Args:
    parts: see `NamesFile.parts`.
    sample: the training images that the run carries.
    workdir: the run's folder, for errors.

  Raises:
    UserError: the run carries no training images, or too few of a cluster.
  """
  if not parts:
    return None
  if sample is None:
    raise UserError(
      f'a split cluster: {workdir}/{NAMES_FILE}: the run carries no training '
      f'images; `owdfa eval --workdir={workdir}` adds them'
    )
  return ClusterParts(
    {output: names_of_parts(output, names) for output, names in parts.items()},
    {
      output: part_centres(sample, output, len(names))
      for output, names in parts.items()
    },
  )


def part_centres(sample: TrainingSample, output: int, count: int) -> np.ndarray:
  """Returns the centres of the parts of a cluster, the largest part first.

  Args:
    sample: the training images that the run carries.
    output: of the cluster.
    count: P, how many parts.

  Returns:
    float32 [P, D], unit vectors.

  Raises:
    UserError: there are too many parts, or too few training images of the
      cluster, or these are alike.
  """
  place = unit_rows(sample.place[sample.output == output].astype(np.float32))
  most = min(MOST_PARTS, len(place) // _LEAST_IMAGES)
  if most < 2:
    raise UserError(
      f'too few training images to split novel-{output}: the run carries '
      f'{len(place)}; leave it whole'
    )
  if count > most:
    raise UserError(
      f'too many parts: novel-{output} in {count} (the run carries '
      f'{len(place)} of its training images); split it into {most} at most'
    )
  if count > len(np.unique(place, axis=0)):
    raise UserError(
      f'cannot split novel-{output}: its training images are alike to the '
      'network; leave it whole'
    )
  # Imported late: it takes a second of every start, and few runs split.
  from sklearn.cluster import KMeans

  found = KMeans(count, n_init=10, random_state=0).fit(place)
  size = np.bincount(found.labels_, minlength=count)
  order = np.argsort(-size, kind='stable')
  return unit_rows(found.cluster_centers_[order].astype(np.float32))


def part_of_sample(
  sample: TrainingSample, output: int, centres: np.ndarray
) -> list[tuple[int, list[str]]]:
  """Returns the size of each part, and its images, the most typical first.

  Args:
    sample: the training images that the run carries.
    output: of the cluster.
    centres: what `part_centres` returns.
  """
  rows = np.flatnonzero(sample.output == output)
  cosine = unit_rows(sample.place[rows].astype(np.float32)) @ centres.T
  nearest = cosine.argmax(1)
  found = []
  for part in range(len(centres)):
    members = np.flatnonzero(nearest == part)
    order = members[np.argsort(-cosine[members, part], kind='stable')]
    found.append((len(members), [sample.name[rows[k]] for k in order]))
  return found
