"""What a run keeps of its training rows: temperatures, and a sample of images.

Rows are read once, by `seen_sources.fit_sources`; here they are on the host.
"""

from typing import NamedTuple

import numpy as np

from input_pipeline.dataset import Split
from owdfa_jax.evaluation.calibration import Calibration, calibrate
from owdfa_jax.evaluation.training_sample import (
  TrainingSample,
  draw_sample,
)
from owdfa_jax.spectrum.group_means import group_means
from owdfa_jax.spectrum.kmeans import unit_rows
from owdfa_jax.spectrum.whitening import components_of_rows


class TrainingRows(NamedTuple):
  """N training rows as a network sees them, whole groups of them.

  Attributes:
    row: int32 [N], rows of the training split.
    place: float32 [N, D], whitened features, see `reliable_places`.
    log_probability: float32 [N, K].
    label: int32 [N], the labels that the training data gives, else -1.
    group: int [N], the group of each row.
    asked: bool [N], the rows whose label the network was not given.
  """

  row: np.ndarray
  place: np.ndarray
  log_probability: np.ndarray
  label: np.ndarray
  group: np.ndarray
  asked: np.ndarray

  @property
  def name(self) -> np.ndarray:
    """The label or the most probable output, int [N]."""
    output = self.log_probability.argmax(1)
    return np.where(self.label >= 0, self.label, output)


def reliable_places(place: np.ndarray) -> np.ndarray:
  """Returns whitened features without the components that rows are too few for.

  These are 0: chance has made them as large as the others, and of the nearest
  rows it would choose many.

  Args:
    place: float32 [N, D], of all N rows that the whitening was fitted to, the
      first principal component first.
  """
  kept = components_of_rows(*place.shape)
  return np.where(np.arange(place.shape[1]) < kept, place, 0)


def by_group(rows: TrainingRows) -> TrainingRows:
  """Returns the groups: summed log-probabilities, and the mean place.

  A group has a label if one of its rows has, and is asked for if all are. Its
  row is its first one.

  Args:
    rows: N of them, of G groups.
  """
  place, first = group_means(rows.place.astype(np.float64), rows.group)
  logs, _ = group_means(rows.log_probability.astype(np.float64), rows.group)
  number = np.searchsorted(np.sort(rows.group[first]), rows.group)
  order = np.argsort(rows.group[first], kind='stable')
  number = order[number]
  label = np.full(len(first), -1)
  np.maximum.at(label, number, rows.label)
  asked = np.ones(len(first), bool)
  np.logical_and.at(asked, number, rows.asked)
  count = np.bincount(number)
  return TrainingRows(
    rows.row[first],
    place.astype(np.float32),
    (logs * count[:, None]).astype(np.float32),
    label,
    rows.group[first],
    asked,
  )


def calibrate_rows(
  rows: TrainingRows, groups: TrainingRows, least: int
) -> Calibration | None:
  """Returns the temperatures of images and of verdicts.

  None if fewer than `least` groups are asked for.

  Args:
    rows: training rows.
    groups: what `by_group` returns for them.
    least: the number of groups below which a share says little.
  """
  if groups.asked.sum() < least:
    return None
  image, share = calibrate(
    rows.log_probability,
    unit_rows(rows.place),
    rows.name,
    rows.group,
    rows.asked,
  )
  if len(groups.row) == len(rows.row):
    return Calibration(image, image, share, share)
  verdict, verdict_share = calibrate(
    groups.log_probability,
    unit_rows(groups.place),
    groups.name,
    groups.group,
    groups.asked,
  )
  return Calibration(image, verdict, share, verdict_share)


def sample_groups(groups: TrainingRows, split: Split) -> TrainingSample:
  """Returns the images that the run carries, one row of each group.

  Args:
    groups: what `by_group` returns.
    split: the training split.
  """
  drawn = draw_sample(groups.name)
  return TrainingSample(
    unit_rows(groups.place[drawn]).astype(np.float16),
    groups.name[drawn].astype(np.int32),
    split.ids(groups.row[drawn]),
  )
