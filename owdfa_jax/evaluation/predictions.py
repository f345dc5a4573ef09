"""Predictions for images, each image once, on any number of devices."""

import copy
import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from flax import nnx

from input_pipeline.batches import Batch
from input_pipeline.dataset import PackedDataset
from owdfa_jax import parallel
from owdfa_jax.evaluation.calibration import Calibration
from owdfa_jax.evaluation.centres import Centres
from owdfa_jax.evaluation.finite_results import check_finite
from owdfa_jax.evaluation.forward import make_forward
from owdfa_jax.evaluation.groups import VerdictSums
from owdfa_jax.evaluation.shared_names import (
  first_outputs,
  have_shared_names,
)
from owdfa_jax.evaluation.source_names import real_classes
from owdfa_jax.evaluation.split_batches import split_batches
from owdfa_jax.evaluation.unseen import SourceDensities
from owdfa_jax.experiment import Experiment
from owdfa_jax.parallel import DeviceBatch
from owdfa_jax.spectrum.group_means import group_means
from owdfa_jax.training.state import BatchStats, Params

BatchFunction = Callable[[DeviceBatch], DeviceBatch]


@dataclasses.dataclass(frozen=True)
class Predictions:
  """What a network predicts for N images, in the order of their rows.

  Attributes:
    row: int32 [N], the row of the split.
    predicted: int32 [N], the most probable output.
    confidence: float32 [N], the probability of that output.
    fake_probability: float32 [N], the probability of all outputs except the
      known classes of real images.
    unseen_score: float32 [N], how little an image is like those of any source,
      see `unseen.unseen_score`; None if the sources were not attached. That of
      a verdict is the mean over its group.
    novel_probability: float32 [N], the probability of all novel outputs
      together; None if it was not kept.
    source: int32 [N], the most probable source, by the first output of its
      name; None where no two outputs share a name.
    source_confidence: float32 [N], the probability of that source; None where
      `source` is.
    calibrated: float32 [N], `confidence` with the run's temperature; None
      without one.
    source_calibrated: the same of `source_confidence`.
    verdicts: the predictions for G groups of these images, [G] each; their
      `row` is the first row of the group. None if there are no groups.
  """

  row: np.ndarray
  predicted: np.ndarray
  confidence: np.ndarray
  fake_probability: np.ndarray
  unseen_score: np.ndarray | None = None
  novel_probability: np.ndarray | None = None
  source: np.ndarray | None = None
  source_confidence: np.ndarray | None = None
  calibrated: np.ndarray | None = None
  source_calibrated: np.ndarray | None = None
  verdicts: 'Predictions | None' = None

  @property
  def called(self) -> np.ndarray:
    """The output whose name each image gets, int32 [N]."""
    return self.predicted if self.source is None else self.source

  @property
  def called_confidence(self) -> np.ndarray:
    """The probability of that name, float32 [N]."""
    shared = self.source_confidence
    return self.confidence if shared is None else shared

  @property
  def called_calibrated(self) -> np.ndarray | None:
    """That probability with the run's temperature; None without one."""
    shared = self.source_calibrated
    return self.calibrated if shared is None else shared


class Predictor:
  """The compiled forward pass of a run's network."""

  def __init__(
    self,
    experiment: Experiment,
    graphdef: nnx.GraphDef,
    centres: Centres | None = None,
  ):
    """Prepares the forward pass; the first batch compiles it.

    Args:
      experiment: the run.
      graphdef: the network's static definition.
      centres: what classifies images in place of the network's head.
    """
    self._experiment = experiment
    self._centres = centres
    self._sources: SourceDensities | None = None
    self._first_output: np.ndarray | None = None
    self._calibration: Calibration | None = None
    self._degrade: BatchFunction = lambda batch: batch
    self._real = real_classes(experiment.dataset)
    self._num_known = experiment.dataset.num_known
    make = functools.partial(
      make_forward, graphdef, self._real, self._num_known, experiment.placement
    )
    self._forward = make()
    self._forward_for_groups = make(with_log_probability=True)
    self._forward_with_all = make(with_features=True, with_log_probability=True)

  def with_sources(
    self, sources: SourceDensities, calibration: Calibration | None = None
  ) -> 'Predictor':
    """Returns a predictor whose predictions have an `unseen_score`.

    Args:
      sources: what the network has seen, on all devices.
      calibration: the temperatures of `calibrated`.
    """
    predictor = copy.copy(self)
    predictor._sources, predictor._calibration = sources, calibration
    return predictor

  def with_names(self, names: Sequence[str]) -> 'Predictor':
    """Returns a predictor whose predictions have the `source` of each image.

    It is the same predictor if no two outputs share a name.

    Args:
      names: the name of each output.
    """
    if not have_shared_names(names):
      return self
    predictor = copy.copy(self)
    predictor._first_output = first_outputs(names)
    return predictor

  def with_degradation(self, degrade: BatchFunction) -> 'Predictor':
    """Returns a predictor that degrades images before the network sees them.

    Args:
      degrade: gets each batch on the devices, and returns it with other images.
    """
    predictor = copy.copy(self)
    predictor._degrade = degrade
    return predictor

  def predict(
    self,
    params: Params,
    batch_stats: BatchStats,
    batches: Iterator[Batch],
    group: np.ndarray | None = None,
  ) -> Predictions:
    """Classifies images.

    Args:
      params: the network's parameters, on the devices.
      batch_stats: the network's statistics, on the devices.
      batches: `image` uint8 [b, S, S, 3], `index` int32 [b] and `mask` bool
        [b]: this process's part of each global batch.
      group: int [M], the group of each `index`; None for no verdicts.

    Returns:
      The predictions for the rows with a true `mask`, sorted by `index`.

    Raises:
      UserError: the network's logits or features are not finite.
    """
    if group is None:
      forward = self._bind(self._forward, params, batch_stats)
      return Predictions(**self._collect(forward, batches))
    forward = self._bind(self._forward_for_groups, params, batch_stats)
    sums = VerdictSums(group)
    columns = self._collect(forward, batches, sums.add)
    verdicts = Predictions(
      **sums.columns(
        self._real,
        self._num_known,
        self._first_output,
        self._calibration.verdict if self._calibration else None,
      )
    )
    if self._sources is not None:
      # Both sorted by the first row of each group.
      mean, _ = group_means(
        columns['unseen_score'].astype(np.float64), group[columns['row']]
      )
      score = mean.astype(np.float32)
      verdicts = dataclasses.replace(verdicts, unseen_score=score)
    return Predictions(**columns, verdicts=verdicts)

  def predict_with_features(
    self,
    params: Params,
    batch_stats: BatchStats,
    batches: Iterator[Batch],
    take: Callable[[jax.Array], None],
    take_rows: Callable[[np.ndarray, np.ndarray], None] | None = None,
  ) -> Predictions:
    """Classifies images, and passes on features, which stay on the devices.

    Args:
      params: as for `predict`.
      batch_stats: as for `predict`.
      batches: as for `predict`.
      take: gets the features of each batch in turn, float32 [B, C], split over
        the devices. Those of padding are among them.
      take_rows: gets the rows int32 [b] of each batch in turn, and their
        log-probabilities float32 [b, K].

    Raises:
      UserError: the network's logits or features are not finite.
    """
    forward = self._bind(self._forward_with_all, params, batch_stats)
    return Predictions(**self._collect(forward, batches, take_rows, take))

  def rows(
    self,
    params: Params,
    batch_stats: BatchStats,
    batches: Iterator[Batch],
    *,
    with_features: bool = False,
    with_places: bool = False,
  ) -> Iterator[dict[str, np.ndarray]]:
    """Yields what the network says of the rows of each batch.

    Args:
      params: as for `predict`.
      batch_stats: as for `predict`.
      batches: as for `predict`.
      with_features: give `feature` too, float32 [b, C]; one process alone.
      with_places: give `place` too, float32 [b, D], the whitened features;
        needs sources.

    Yields:
      `row` int32 [b], `log_probability` float32 [b, K] and, with sources,
      `unseen_score` float32 [b] of the rows with a true `mask`.

    Raises:
      UserError: the network's logits or features are not finite.
    """
    forward = self._forward_for_groups
    if with_features or with_places:
      forward = self._forward_with_all
    forward = self._bind(forward, params, batch_stats)
    for results in self._started(forward, batches):
      if not with_features:
        results.pop('feature', None)
      columns = _of_images(results)
      check_finite(columns.pop('is_finite'), self._experiment.workdir)
      yield columns

  def batches(
    self,
    split: str,
    rows: np.ndarray | None = None,
    dataset: PackedDataset | None = None,
  ) -> Iterator[Batch]:
    """Returns the images of a split in evaluation batches.

    Args:
      split: 'train' or 'test'.
      rows: int [N], the rows to read; None reads all.
      dataset: the images; None for those of the run.
    """
    return split_batches(self._experiment, split, rows, dataset)

  def _bind(
    self, forward: Callable, params: Params, batch_stats: BatchStats
  ) -> BatchFunction:
    return functools.partial(
      forward,
      params,
      batch_stats,
      self._centres,
      self._sources,
      first_output=self._first_output,
      temperature=self._calibration.image if self._calibration else None,
    )

  def _started(
    self, forward: BatchFunction, batches: Iterator[Batch]
  ) -> Iterator[DeviceBatch]:
    """Yields what each batch gives, once the next one is in work."""
    waiting: DeviceBatch | None = None
    for batch in batches:
      batch = {name: batch[name] for name in ('image', 'index', 'mask')}
      placed = self._degrade(self._experiment.placement.put_batch(batch))
      started = forward(placed)
      if waiting is not None:
        yield waiting
      waiting = started
    if waiting is not None:
      yield waiting

  def _collect(
    self,
    forward: BatchFunction,
    batches: Iterator[Batch],
    take_rows: Callable[[np.ndarray, np.ndarray], None] | None = None,
    take: Callable[[jax.Array], None] | None = None,
  ) -> dict[str, Any]:
    """Runs all batches; returns the columns without padding, in row order.

    `take_rows` gets the log-probabilities, `take` the features.
    """
    collected = []
    for results in self._started(forward, batches):
      feature = results.pop('feature', None)
      results.pop('place', None)
      if take is not None and feature is not None:
        take(feature)
      columns = _of_images(results)
      log_probability = columns.pop('log_probability', None)
      if take_rows is not None and log_probability is not None:
        take_rows(columns['row'], log_probability)
      collected.append(columns)
    columns = {
      name: np.concatenate([part[name] for part in collected])
      for name in collected[0]
    }
    # Threads and processes deliver rows in any order; sorting by row makes the
    # result the same for every batch size and number of devices.
    order = np.argsort(columns['row'], kind='stable')
    columns = {name: x[order] for name, x in columns.items()}
    check_finite(columns.pop('is_finite'), self._experiment.workdir)
    return columns


def _of_images(results: DeviceBatch) -> dict[str, np.ndarray]:
  """Returns the columns of a batch on the host, without padding."""
  columns = parallel.to_host(results)
  is_image = columns.pop('mask')
  return {name: x[is_image] for name, x in columns.items()}
