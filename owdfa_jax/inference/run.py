"""A trained run as a Python object: `owdfa_jax.load(workdir)`.

Nothing is printed, nothing is written, and no setting of JAX is changed.
"""

import hashlib
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from PIL import Image

from input_pipeline.batches import Batch
from input_pipeline.loose_images import ImageCutter, cutter_for
from input_pipeline.packed_arguments import check_cuts_faces
from owdfa_jax import parallel
from owdfa_jax.evaluation.predictions import Predictor
from owdfa_jax.evaluation.restore import restore_network
from owdfa_jax.evaluation.seen_sources import attach_sources
from owdfa_jax.evaluation.source_names import (
  real_classes,
  source_names,
  split_clusters,
)
from owdfa_jax.evaluation.unseen_report import limit_of
from owdfa_jax.experiment import Experiment
from owdfa_jax.inference.answer_rule import AnswerRule
from owdfa_jax.inference.answers import Answer, Answers
from owdfa_jax.inference.batch_answers import (
  Columns,
  Nearest,
  answers_of_batch,
  mild_views,
  with_faces,
  with_stability,
)
from owdfa_jax.inference.current_sources import current_sources, remark_on
from owdfa_jax.inference.pictures import (
  MOST_FACES,
  NewImage,
  PictureBatch,
  picture_batches,
)
from owdfa_jax.inference.tables import NEAREST_RANGE, NUM_NEAREST
from owdfa_jax.spectrum.group_means import group_means


class TrainedRun:
  """A trained network with the names of its sources.

  Attributes:
    workdir: the folder of the run, or of the stage that was taken.
    checkpoint: the folder of the checkpoint; its name is the step.
    image_size: S; the network sees images of S x S pixels.
    classes: the names of the sources: known ones first, then those that the
      user gave to found ones or to parts of them, or `novel-N`. Outputs of one
      name are one source.
    outputs: the name of each of the network's K outputs.
    num_known: the number of known sources.
    unseen_threshold: the `unseen_score` above which an image is of none of the
      sources; None if the run has none.
    calibration: the temperatures of the confidence; None if the run has none:
      it was trained by an earlier version, or with too few images without a
      label.
    remark: what to beware of in all answers: confidences without a
      temperature, and why, or no unseen scores; '' otherwise.
  """

  def __init__(self, experiment: Experiment, *, makes_sources: bool = False):
    """Restores the network of a run; see `load.load_run`.

    Args:
      experiment: the run; its dataset may be without images.
      makes_sources: whether sources that `prepare.prepare_run` would write are
        made in memory.

    Raises:
      UserError: its checkpoint is missing or damaged, or lacks the centres that
        classify.
    """
    dataset, config = experiment.dataset, experiment.config
    self._experiment = experiment
    restored, seen, self.remark = restore_network(experiment), None, ''
    if makes_sources:
      seen, self.remark = current_sources(experiment, restored)
    restored, seen = attach_sources(experiment, restored, seen)
    self._restored = restored
    self.remark = self.remark or remark_on(seen)
    self.workdir = pathlib.Path(experiment.workdir)
    self.checkpoint = pathlib.Path(restored.folder)
    self.image_size = dataset.image_size
    self.outputs = source_names(experiment, restored.step)
    self.num_known = dataset.num_known
    by_tiles = self._cutter(None).most_pictures > 1
    self.calibration = None if seen is None else seen.calibration
    self._sample = None if seen is None else seen.sample
    temperature = 1.0
    if self.calibration is not None:
      image, verdict, *_ = self.calibration
      temperature = verdict if by_tiles else image
    self.unseen_threshold = (
      None
      if seen is None
      else limit_of(seen, by_tiles, config.eval.false_alarm_rate)
    )
    self._rule = AnswerRule(
      self.outputs,
      self.num_known,
      tuple(real_classes(dataset)),
      self.unseen_threshold,
      temperature,
      split_clusters(experiment, restored.step, self._sample),
    )
    self.classes = self._rule.sources

  @property
  def has_training_images(self) -> bool:
    """Whether the run carries training images, which answers name."""
    return self._sample is not None

  @property
  def part_digests(self) -> dict[str, str]:
    """What tells the parts of each split cluster from others, by its output."""
    parts, sample = self._rule.parts, self._sample
    if parts is None or sample is None:
      return {}
    # The parts follow from the images that the run carries, and their number.
    return {
      str(output): hashlib.sha256(
        repr(names).encode() + sample.place[sample.output == output].tobytes()
      ).hexdigest()
      for output, names in parts.names.items()
    }

  @property
  def lacks_temperature(self) -> bool:
    """Whether confidences are as the network gives them, mostly too high."""
    return self.calibration is None

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
    nearest: int = NUM_NEAREST,
    faces: bool = False,
  ) -> Answers:
    """Returns the answers for images, in their order.

    Args:
      images: paths of images and videos, arrays uint8 [H, W, 3] (RGB) or [H, W]
        (grey), or Pillow images, or one of these. Faces or tiles are cut out as
        for the training; all tiles of an image, and all frames of a video,
        together give one answer.
      max_pixels: the most pixels of an image; None: as in packing. A larger one
        gets an error.
      stability: whether each image is also seen in mild views, compressed and
        resized. An image whose source then changes is inconclusive. It takes
        four times as long.
      nearest: how many training images each answer names, see `Answer.nearest`.
      faces: whether every face of an image, and of each frame of a video, has
        an answer too, `Answer.of_faces`; at most 64 of an image.

    Raises:
      TypeError: something is no image at all.
      UserError: the network's outputs are not finite, or it was not trained on
        faces that were cut out.
    """
    answers = self.stream(
      images,
      max_pixels=max_pixels,
      stability=stability,
      nearest=nearest,
      faces=faces,
    )
    return Answers(answers)

  def stream(
    self,
    images: NewImage | Iterable[NewImage],
    *,
    max_pixels: int | None = None,
    stability: bool = False,
    nearest: int = NUM_NEAREST,
    faces: bool = False,
  ) -> Iterator[Answer]:
    """Yields what `predict` returns, with few images in memory at a time.

    Args:
      images: as for `predict`; an iterator is read as answers are asked for.
      max_pixels: as for `predict`.
      stability: as for `predict`.
      nearest: as for `predict`.
      faces: as for `predict`.
    """
    if faces:
      check_cuts_faces(self._experiment.dataset, 'faces=True')
    answers = self._answers(
      images, max_pixels, stability, nearest, MOST_FACES if faces else 1
    )
    return with_faces(answers) if faces else answers

  def _answers(
    self,
    images: NewImage | Iterable[NewImage],
    max_pixels: int | None,
    stability: bool,
    nearest: int,
    most_faces: int,
  ) -> Iterator[Answer]:
    """Yields an answer for each further face of an image, then for the image.

    At most `most_faces` faces have an answer.
    """
    NEAREST_RANGE.check('nearest', nearest)
    rule = self._rule
    named = None
    if nearest > 0 and self._sample is not None:
      named = Nearest(self._sample, nearest)
    views = mild_views(self._restored.predictor) if stability else []
    for found, columns, of_views in self._rows(
      images,
      max_pixels,
      views=views,
      with_places=named is not None or rule.parts is not None,
      most_faces=most_faces,
    ):
      answers = answers_of_batch(found.images, columns, rule, named)
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
    with_places: bool = False,
    most_faces: int = 1,
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
        most_faces,
      ):
        started.append(found)
        yield placement.own_part(found.batch)

    network = self._restored.params, self._restored.batch_stats
    for columns in self._restored.predictor.rows(
      *network,
      batches(),
      with_features=with_features,
      with_places=with_places,
    ):
      found = started.pop(0)
      yield (
        found,
        columns,
        [
          next(
            view.rows(
              *network,
              iter([placement.own_part(found.batch)]),
              with_places=with_places,
            )
          )
          for view in views
        ],
      )

  def _cutter(self, max_pixels: int | None) -> ImageCutter:
    """Returns what cuts new images as the training images were cut."""
    return cutter_for(self._experiment.dataset, max_pixels)
