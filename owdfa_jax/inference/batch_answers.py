"""Answers for the images of one batch, and how stable they are."""

import collections
import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from input_pipeline.faces import FaceBox
from owdfa_jax.evaluation.groups import VerdictSums
from owdfa_jax.evaluation.predictions import Predictor
from owdfa_jax.evaluation.robustness import Degradation, make_degrade
from owdfa_jax.evaluation.training_sample import (
  TrainingSample,
  nearest_images,
)
from owdfa_jax.inference.answer_rule import AnswerRule
from owdfa_jax.inference.answers import Answer
from owdfa_jax.inference.pictures import PreparedImage
from owdfa_jax.spectrum.group_means import group_means

# What the network says of the rows of a batch, see `Predictor.rows`.
Columns: TypeAlias = dict[str, np.ndarray]
# How an image is changed on its way through the web, mildly.
MILD = (
  Degradation('jpeg', 95),
  Degradation('jpeg', 75),
  Degradation('resize', 0.75),
)


def mild_views(predictor: Predictor) -> list[Predictor]:
  """Returns predictors that see images in each of `MILD`.

  Args:
    predictor: of the run.
  """
  return [predictor.with_degradation(make_degrade(each)) for each in MILD]


@dataclasses.dataclass(frozen=True)
class Nearest:
  """Which training images an answer names.

  Attributes:
    sample: the training images that the run carries.
    most: how many names an answer gets.
  """

  sample: TrainingSample
  most: int


def answers_of_batch(
  images: Sequence[PreparedImage],
  columns: Columns,
  rule: AnswerRule,
  nearest: Nearest | None = None,
) -> list[Answer]:
  """Returns the answers for the images of a batch, in their order.

  Further faces have answers of their own, see `with_faces`.

  Args:
    images: the images, also those that cannot be read.
    columns: of the rows of the batch; `row` is the position of the image. With
      `place` if the rule has split clusters or training images are named.
    rule: turns probabilities into answers.
    nearest: the training images that are named; None for none.
  """
  row = columns['row']
  if not len(row):
    return [Answer(image.name, error=image.error) for image in images]
  sums = VerdictSums(np.arange(len(images)))
  sums.add(row, columns['log_probability'])
  # Frames of a video are too alike to make it surer than one of them.
  frames = np.array([len(image.of_frames) or 1 for image in images])
  answered, probability = sums.probability(rule.temperature * frames)
  score = _means(columns, 'unseen_score')
  place = _means(columns, 'place') if nearest or rule.parts else None
  fields = [
    _fields(number, images[number], columns, rule, nearest)
    for number in answered.tolist()
  ]
  if nearest is not None and place is not None:
    names = nearest_images(nearest.sample, place, nearest.most)
    for each, few in zip(fields, names, strict=True):
      each['nearest'] = few
  answers = rule.answers(
    probability,
    None if score is None else score.astype(np.float32),
    place,
    fields,
  )
  found = dict(zip(answered.tolist(), answers, strict=True))
  return [
    found.get(number) or Answer(image.name, error=image.error)
    for number, image in enumerate(images)
  ]


def _means(columns: Columns, name: str) -> np.ndarray | None:
  """Returns the mean of each image's rows, float64, or None without a column.

  The images come in the order of their first rows, which is that of
  `VerdictSums.probability`: a batch has the rows of an image together, and the
  images in their order.
  """
  if name not in columns:
    return None
  return group_means(columns[name].astype(np.float64), columns['row'])[0]


def _fields(
  number: int,
  image: PreparedImage,
  columns: Columns,
  rule: AnswerRule,
  nearest: Nearest | None,
) -> dict[str, Any]:
  """Returns the fields of an answer that do not depend on the network.

  And the answers for the frames of a video, which do.
  """
  fields: dict[str, Any] = {
    'image': image.name,
    'side': image.side,
    'frame': image.frame,
    'faces': image.faces,
    'face': image.face,
    'credentials': image.credentials,
  }
  if image.box is not None:
    fields['box'] = _sides(image.box)
  if image.of_frames:
    fields['frames'] = len(image.of_frames)
    fields['of_frames'] = _answers_of_frames(
      number, image, columns, rule, nearest
    )
  return fields


def _answers_of_frames(
  number: int,
  image: PreparedImage,
  columns: Columns,
  rule: AnswerRule,
  nearest: Nearest | None,
) -> tuple[Answer, ...]:
  """Returns an answer for each frame of a video.

  Args:
    number: the position of the video in the batch.
    image: the video.
    columns: of the rows of the batch, the frames of a video one after the
      other.
    rule: turns probabilities into answers.
    nearest: the training images that are named.
  """
  is_of = columns['row'] == number
  mine = {name: column[is_of] for name, column in columns.items()}
  each = len(mine['row']) // len(image.of_frames)
  mine['row'] = np.arange(len(mine['row'])) // each
  return tuple(answers_of_batch(image.of_frames, mine, rule, nearest))


def _sides(box: FaceBox) -> tuple[int, int, int, int]:
  return box.left, box.top, box.right, box.bottom


def with_faces(answers: Iterable[Answer]) -> Iterator[Answer]:
  """Yields one answer an image or video, with those for its faces.

  Args:
    answers: for images and videos, each after those for its faces.
  """
  others: list[Answer] = []
  for answer in answers:
    if answer.face is not None:
      others.append(answer)
      continue
    yield _with_faces(answer, others)
    others = []


def _with_faces(answer: Answer, others: Sequence[Answer]) -> Answer:
  """Returns an answer with those for further faces, or for those of a video."""
  if answer.of_frames:
    of_frame: dict[int | None, list[Answer]] = collections.defaultdict(list)
    for face in itertools.chain.from_iterable(x.of_frames for x in others):
      of_frame[face.frame].append(face)
    frames = [
      dataclasses.replace(x, of_faces=tuple(of_frame[x.frame]))
      for x in answer.of_frames
    ]
    return dataclasses.replace(
      answer, of_frames=tuple(frames), of_faces=tuple(others)
    )
  if answer.box is None:
    return answer
  first = dataclasses.replace(answer, face=0)
  return dataclasses.replace(answer, of_faces=(first, *others))


def with_stability(
  answers: Sequence[Answer], views: Sequence[Sequence[Answer]]
) -> list[Answer]:
  """Returns answers with the share of views in which the source stays.

  An image whose source changes in one of them is inconclusive.

  Args:
    answers: for images as they are.
    views: for each view of the same images.
  """
  found = []
  for answer, *others in zip(answers, *views, strict=True):
    if answer.source is not None:
      share = float(np.mean([x.source == answer.source for x in others]))
      verdict = answer.verdict if share == 1 else 'inconclusive'
      frames = with_stability(answer.of_frames, [x.of_frames for x in others])
      answer = dataclasses.replace(
        answer, stability=share, verdict=verdict, of_frames=tuple(frames)
      )
    found.append(answer)
  return found
