"""A trained run as a Python object: `owdfa_jax.load(workdir)`.

Nothing is printed, nothing is written, and no setting of JAX is changed.
"""

import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from PIL import Image

from input_pipeline.batches import Batch
from input_pipeline.errors import UserError
from input_pipeline.loose_images import ImageCutter, cutter_for
from owdfa_jax import parallel
from owdfa_jax.evaluation.predictions import (
  Predictor,
  output_names,
  real_classes,
)
from owdfa_jax.evaluation.restore import restore_network
from owdfa_jax.evaluation.seen_sources import attach_sources
from owdfa_jax.evaluation.unseen_report import limit_of
from owdfa_jax.experiment import Experiment, build_experiment
from owdfa_jax.inference.answers import Answer, AnswerRule, Answers
from owdfa_jax.inference.batch_answers import (
  Columns,
  answers_of_batch,
  mild_views,
  with_stability,
)
from owdfa_jax.inference.pictures import (
  NewImage,
  PictureBatch,
  picture_batches,
)
from owdfa_jax.parallel import process_rows
from owdfa_jax.spectrum.group_means import group_means
from owdfa_jax.training.recorded_config import recorded_config, run_folders
from owdfa_jax.training.run_data import (
  described_inputs,
  inputs_with_images,
)


def load_run(
  workdir: str | os.PathLike[str],
  *,
  checkpoint: str | int | None = None,
  batch_size: int | None = None,
  num_threads: int | None = None,
) -> 'TrainedRun':
  """Returns a trained run; `owdfa_jax.load` is this function.

  The folder of the run is enough: its packed data need not be there. Of a
  staged run, the last stage is taken.

  Args:
    workdir: the folder of the run, or of one of its stages.
    checkpoint: 'best', 'latest' or a step; None: what the run was configured
      with, which is what its report is of.
    batch_size: images in a batch, all of which are computed also for a single
      image; None: as in the evaluation of the run.
    num_threads: threads that read images; None: as in the run.

  Raises:
    UserError: there is no run, it is damaged, it has no network, or it was
      trained by an earlier version and its data is not there.
  """
  folder = run_folders(os.fspath(workdir))[-1]
  config = recorded_config(folder)
  if 'spectrum' in config:
    raise UserError(
      f'no network: {folder} is the run of a spectrum, which names no new '
      'images; load the run of a method'
    )
  with config.unlocked():
    if checkpoint is not None:
      config.eval.checkpoint = str(checkpoint)
    if batch_size is not None:
      config.eval.batch_size = batch_size
    if num_threads is not None:
      config.data.num_threads = num_threads
  inputs = described_inputs(config, folder)
  if inputs is None:
    inputs = inputs_with_images(config, folder)
  return TrainedRun(build_experiment(inputs, trains=False))


class TrainedRun:
  """A trained network with the names of its sources.

  Attributes:
    workdir: the folder of the run, or of the stage that was taken.
    checkpoint: the folder of the checkpoint; its name is the step.
    image_size: S; the network sees images of S x S pixels.
    classes: the names of the K outputs: known sources first, then `novel-N`.
    num_known: the number of known sources.
    unseen_threshold: the `unseen_score` above which an image is of none of the
      sources; None if the run has none.
  """

  def __init__(self, experiment: Experiment):
    """Restores the network of a run; see `load_run`.

    Args:
      experiment: the run; its dataset may be without images.

    Raises:
      UserError: its checkpoint is missing or damaged, or lacks the centres that
        classify.
    """
    dataset, config = experiment.dataset, experiment.config
    self._experiment = experiment
    restored, seen = attach_sources(experiment, restore_network(experiment))
    self._restored = restored
    self.workdir = pathlib.Path(experiment.workdir)
    self.checkpoint = pathlib.Path(restored.folder)
    self.image_size = dataset.image_size
    self.classes = tuple(output_names(experiment))
    self.num_known = dataset.num_known
    by_tiles = self._cutter(None).most_pictures > 1
    self.unseen_threshold = (
      None
      if seen is None
      else limit_of(seen, by_tiles, config.eval.false_alarm_rate)
    )

  def __repr__(self) -> str:
    return (
      f'TrainedRun({str(self.workdir)!r}, step {self.checkpoint.name}, '
      f'{self.num_known} known of {len(self.classes)} sources)'
    )

  def predict(
    self,
    images: NewImage | Iterable[NewImage],
    *,
    max_pixels: int | None = None,
    stability: bool = False,
  ) -> Answers:
    """Returns the answers for images, in their order.

    Args:
      images: paths of files, arrays uint8 [H, W, 3] (RGB) or [H, W] (grey), or
        Pillow images, or one of these. Faces or tiles are cut out as for the
        training; all tiles of an image together give one answer.
      max_pixels: the most pixels of an image; None: as in packing. A larger one
        gets an error.
      stability: whether each image is also seen in mild views, compressed and
        resized. An image whose source then changes is inconclusive. It takes
        four times as long.

    Raises:
      TypeError: something is no image at all.
      UserError: the network's outputs are not finite.
    """
    answers = self.stream(images, max_pixels=max_pixels, stability=stability)
    return Answers(answers)

  def stream(
    self,
    images: NewImage | Iterable[NewImage],
    *,
    max_pixels: int | None = None,
    stability: bool = False,
  ) -> Iterator[Answer]:
    """Yields what `predict` returns, with few images in memory at a time.

    Args:
      images: as for `predict`; an iterator is read as answers are asked for.
      max_pixels: as for `predict`.
      stability: as for `predict`.
    """
    dataset = self._experiment.dataset
    rule = AnswerRule(
      self.classes,
      self.num_known,
      tuple(real_classes(dataset)),
      self.unseen_threshold,
    )
    views = mild_views(self._restored.predictor) if stability else []
    for found, columns, of_views in self._rows(images, max_pixels, views=views):
      answers = answers_of_batch(found.images, columns, rule)
      if stability:
        others = [
          answers_of_batch(found.images, view, rule) for view in of_views
        ]
        answers = with_stability(answers, others)
      yield from answers

  def features(
    self,
    images: NewImage | Iterable[NewImage],
    *,
    max_pixels: int | None = None,
  ) -> np.ndarray:
    """Returns the features of images, float32 [N, C], before the head.

    The row of an image in tiles is the mean of its tiles. That of an image
    that cannot be read is NaN.

    Args:
      images: as for `predict`.
      max_pixels: as for `predict`.

    Raises:
      TypeError: something is no image at all.
      UserError: the network's outputs are not finite.
    """
    parts: list[np.ndarray] = []
    for found, columns, _ in self._rows(images, max_pixels, with_features=True):
      feature = columns['feature']
      part = np.full((len(found.images), feature.shape[1]), np.nan, np.float32)
      means, first = group_means(feature.astype(np.float64), columns['row'])
      part[columns['row'][first]] = means
      parts.append(part)
    return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)

  def _rows(
    self,
    images: NewImage | Iterable[NewImage],
    max_pixels: int | None,
    *,
    views: Sequence[Predictor] = (),
    with_features: bool = False,
  ) -> Iterator[tuple[PictureBatch, Columns, list[Columns]]]:
    """Yields each batch of images, and what the network says of its rows.

    Of each of `views` too, which see the images otherwise.
    """
    if isinstance(images, str | os.PathLike | np.ndarray | Image.Image):
      images = [images]
    config, placement = self._experiment.config, self._experiment.placement
    cutter = self._cutter(max_pixels)
    size = max(config.eval.batch_size, cutter.most_pictures)
    started: list[PictureBatch] = []

    def batches() -> Iterator[Batch]:
      for found in picture_batches(
        images,
        cutter,
        parallel.round_up(size, placement),
        config.data.num_threads,
      ):
        started.append(found)
        yield process_rows(found.batch)

    network = self._restored.params, self._restored.batch_stats
    for columns in self._restored.predictor.rows(
      *network, batches(), with_features=with_features
    ):
      found = started.pop(0)
      yield (
        found,
        columns,
        [
          next(view.rows(*network, iter([process_rows(found.batch)])))
          for view in views
        ],
      )

  def _cutter(self, max_pixels: int | None) -> ImageCutter:
    """Returns what cuts new images as the training images were cut."""
    return cutter_for(self._experiment.dataset, max_pixels)
