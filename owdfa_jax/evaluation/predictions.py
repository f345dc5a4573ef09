"""Predictions for images, each image once, on any number of devices."""

import copy
import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from flax import nnx

from input_pipeline import pipeline
from input_pipeline.batches import Batch
from input_pipeline.dataset import PackedDataset
from input_pipeline.errors import UserError
from owdfa_jax import parallel
from owdfa_jax.evaluation.centres import Centres
from owdfa_jax.evaluation.forward import make_forward
from owdfa_jax.evaluation.groups import VerdictSums
from owdfa_jax.evaluation.unseen import SourceDensities
from owdfa_jax.experiment import Experiment
from owdfa_jax.parallel import DeviceBatch
from owdfa_jax.spectrum.group_means import group_means
from owdfa_jax.training.state import BatchStats, Params


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
    verdicts: the predictions for G groups of these images, [G] each; their
      `row` is the first row of the group. None if there are no groups.
  """

  row: np.ndarray
  predicted: np.ndarray
  confidence: np.ndarray
  fake_probability: np.ndarray
  unseen_score: np.ndarray | None = None
  novel_probability: np.ndarray | None = None
  verdicts: 'Predictions | None' = None


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
    self._degrade: Callable[[DeviceBatch], DeviceBatch] = lambda batch: batch
    self._real = real_classes(experiment.dataset)
    self._num_known = experiment.dataset.num_known
    make = functools.partial(
      make_forward, graphdef, self._real, self._num_known, experiment.placement
    )
    self._forward = make()
    self._forward_for_groups = make(with_log_probability=True)
    self._forward_with_features = make(with_features=True)
    self._forward_with_all = make(with_features=True, with_log_probability=True)

  def with_sources(self, sources: SourceDensities) -> 'Predictor':
    """Returns a predictor whose predictions have an `unseen_score`.

    Args:
      sources: what the network has seen, on all devices.
    """
    predictor = copy.copy(self)
    predictor._sources = sources
    return predictor

  def with_degradation(
    self, degrade: Callable[[DeviceBatch], DeviceBatch]
  ) -> 'Predictor':
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
    columns = self._collect(forward, batches, sums)
    verdicts = Predictions(**sums.columns(self._real, self._num_known))
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
  ) -> Predictions:
    """Classifies images, and passes on features, which stay on the devices.

    Args:
      params: as for `predict`.
      batch_stats: as for `predict`.
      batches: as for `predict`.
      take: gets the features of each batch in turn, float32 [B, C], split over
        the devices. Those of padding are among them.

    Raises:
      UserError: the network's logits or features are not finite.
    """
    forward = self._bind(self._forward_with_features, params, batch_stats)

    def forward_and_take(batch: DeviceBatch) -> DeviceBatch:
      results = forward(batch)
      take(results.pop('feature'))
      return results

    return Predictions(**self._collect(forward_and_take, batches))

  def rows(
    self,
    params: Params,
    batch_stats: BatchStats,
    batches: Iterator[Batch],
    *,
    with_features: bool = False,
  ) -> Iterator[dict[str, np.ndarray]]:
    """Yields what the network says of the rows of each batch.

    One batch is in work while the results of the one before are taken.

    Args:
      params: as for `predict`.
      batch_stats: as for `predict`.
      batches: as for `predict`.
      with_features: give `feature` too, float32 [b, C]; one process alone.

    Yields:
      `row` int32 [b], `log_probability` float32 [b, K] and, with sources,
      `unseen_score` float32 [b] of the rows with a true `mask`.

    Raises:
      UserError: the network's logits or features are not finite.
    """
    forward = self._bind(
      self._forward_with_all if with_features else self._forward_for_groups,
      params,
      batch_stats,
    )
    waiting: DeviceBatch | None = None
    for batch in batches:
      placed = self._degrade(self._experiment.placement.put_batch(batch))
      started = forward(placed)
      if waiting is not None:
        yield self._taken(waiting)
      waiting = started
    if waiting is not None:
      yield self._taken(waiting)

  def _taken(self, results: DeviceBatch) -> dict[str, np.ndarray]:
    """Returns the columns of a batch on the host, without padding."""
    columns = parallel.to_host(results)
    is_image = columns.pop('mask')
    columns = {name: x[is_image] for name, x in columns.items()}
    self._check_finite(columns.pop('is_finite'))
    return columns

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
    config = self._experiment.config
    return pipeline.evaluation_batches(
      dataset or self._experiment.dataset,
      split,
      rows=rows,
      # Each device gets the same number of rows.
      batch_size=parallel.round_up(
        config.eval.batch_size, self._experiment.placement
      ),
      process_index=jax.process_index(),
      process_count=jax.process_count(),
      num_threads=config.data.num_threads,
    )

  def _bind(
    self, forward: Callable, params: Params, batch_stats: BatchStats
  ) -> Callable[[DeviceBatch], DeviceBatch]:
    return functools.partial(
      forward, params, batch_stats, self._centres, self._sources
    )

  def _collect(
    self,
    forward: Callable[[DeviceBatch], DeviceBatch],
    batches: Iterator[Batch],
    sums: VerdictSums | None = None,
  ) -> dict[str, Any]:
    """Runs all batches; returns the columns without padding, in row order.

    With `sums`, log-probabilities are added to them.
    """
    placement = self._experiment.placement
    collected = []
    for batch in batches:
      batch = {name: batch[name] for name in ('image', 'index', 'mask')}
      placed = self._degrade(placement.put_batch(batch))
      results = parallel.to_host(forward(placed))
      is_image = results.pop('mask')
      results = {name: x[is_image] for name, x in results.items()}
      if sums is not None:
        sums.add(results['row'], results.pop('log_probability'))
      collected.append(results)
    columns = {
      name: np.concatenate([results[name] for results in collected])
      for name in collected[0]
    }
    # Threads and processes deliver rows in any order; sorting by row makes the
    # result the same for every batch size and number of devices.
    order = np.argsort(columns['row'], kind='stable')
    columns = {name: x[order] for name, x in columns.items()}
    self._check_finite(columns.pop('is_finite'))
    return columns

  def _check_finite(self, is_finite: np.ndarray) -> None:
    """Raises `UserError` if the results of some images are not finite.

    `argmax` of such numbers is 0, so they would look like predictions.

    Args:
      is_finite: bool [N].
    """
    if not is_finite.all():
      raise UserError(
        'the network gives NaN or infinite numbers for '
        f'{np.sum(~is_finite)} of {len(is_finite)} images: the training in '
        f'{self._experiment.workdir} has diverged; use another checkpoint '
        '(--config.eval.checkpoint=STEP), or train anew in another --workdir '
        'with a lower --config.optimizer.learning_rate'
      )


def output_names(experiment: Experiment) -> list[str]:
  """Returns a name for each of the network's outputs; see `name_outputs`."""
  return name_outputs(experiment.dataset, experiment.num_outputs)


def name_outputs(dataset: PackedDataset, num_outputs: int) -> list[str]:
  """Returns a name for each of K outputs.

  Known classes have names. A novel output is a cluster of images, and the
  data does not say which source it stands for: it is `novel-<output>`.

  Args:
    dataset: whose known classes come first.
    num_outputs: K.
  """
  known = [entry.name for entry in dataset.classes[: dataset.num_known]]
  novel = range(dataset.num_known, num_outputs)
  return known + [f'novel-{output}' for output in novel]


def real_classes(dataset: PackedDataset) -> list[int]:
  """Returns the known classes of real (not forged) images.

  Only known classes: nothing tells which novel outputs hold real images.
  """
  return [
    entry.label
    for entry in dataset.classes
    if entry.face_type == 1 and entry.known
  ]
