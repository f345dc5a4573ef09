"""Answers for the images of one batch, and how stable they are."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

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


def answers_of_batch(
  images: Sequence[PreparedImage], columns: Columns, rule: AnswerRule
) -> list[Answer]:
  """Returns the answers for the images of a batch, in their order.

  Further faces have answers of their own, see `with_faces`.

  Args:
    images: the images, also those that cannot be read.
    columns: of the rows of the batch; `row` is the position of the image. With
      `place` if the rule has split clusters.
    rule: turns probabilities into answers.
  """
  row = columns['row']
  sums = VerdictSums(np.arange(len(images)))
  sums.add(row, columns['log_probability'])
  # Frames of a video are too alike to make it surer than one of them.
  frames = np.array([len(image.of_frames) or 1 for image in images])
  answered, probability = sums.probability(rule.temperature * frames)
  score: list[float | None] = [None] * len(images)
  if 'unseen_score' in columns:
    means, first = group_means(columns['unseen_score'].astype(np.float64), row)
    for number, mean in zip(row[first], means, strict=True):
      score[number] = float(np.float32(mean))
  places = _mean_places(columns) if rule.parts else {}
  found: dict[int, Answer] = {}
  for number, each in zip(answered.tolist(), probability, strict=True):
    image = images[number]
    found[number] = rule.answer(
      image.name,
      each,
      score[number],
      image.side,
      places.get(number),
      frames=len(image.of_frames) or None,
      frame=image.frame,
      faces=image.faces,
      face=image.face,
      box=_sides(image.box),
      credentials=image.credentials,
      of_frames=_answers_of_frames(number, image, columns, rule),
    )
  return [
    found.get(number) or Answer(image.name, error=image.error)
    for number, image in enumerate(images)
  ]


def _mean_places(columns: Columns) -> dict[int, np.ndarray]:
  """Returns the mean whitened feature of the rows of each image, float [D]."""
  row = columns['row']
  if not len(row):
    return {}
  means, first = group_means(columns['place'].astype(np.float64), row)
  return dict(zip(row[first].tolist(), means, strict=True))


def _answers_of_frames(
  number: int, image: PreparedImage, columns: Columns, rule: AnswerRule
) -> tuple[Answer, ...]:
  """Returns an answer for each frame of a video; () of an image.

  Args:
    number: the position of the image in the batch.
    image: the image or the video.
    columns: of the rows of the batch, the frames of a video one after the
      other.
    rule: turns probabilities into answers.
  """
  if not image.of_frames:
    return ()
  is_of = columns['row'] == number
  mine = {name: column[is_of] for name, column in columns.items()}
  each = len(mine['row']) // len(image.of_frames)
  mine['row'] = np.arange(len(mine['row'])) // each
  return tuple(answers_of_batch(image.of_frames, mine, rule))


def _sides(box: FaceBox | None) -> tuple[int, int, int, int] | None:
  return None if box is None else (box.left, box.top, box.right, box.bottom)


def with_faces(answers: Iterable[Answer]) -> Iterator[Answer]:
  """Yields one answer an image, with those for its faces.

  Args:
    answers: for images, each after those for its further faces.
  """
  others: list[Answer] = []
  for answer in answers:
    if answer.face is not None:
      others.append(answer)
      continue
    yield _with_faces(answer, others)
    others = []


def _with_faces(answer: Answer, others: Sequence[Answer]) -> Answer:
  """Returns the answer for an image with those for its further faces."""
  if answer.of_frames:
    frames = [
      _with_faces(frame, [x for x in others if x.frame == frame.frame])
      for frame in answer.of_frames
    ]
    return dataclasses.replace(answer, of_frames=tuple(frames))
  if answer.box is None:
    return answer
  first = dataclasses.replace(answer, face=0)
  return dataclasses.replace(answer, of_faces=(first, *others))


def with_nearest(
  answers: Sequence[Answer],
  columns: Columns,
  sample: TrainingSample,
  most: int,
) -> list[Answer]:
  """Returns answers with the names of the nearest training images.

  Args:
    answers: for the images of a batch.
    columns: of the rows of the batch, with `place`.
    sample: the training images that the run carries.
    most: how many names an answer gets.
  """
  found = list(answers)
  row, means = columns['row'], _mean_places(columns)
  if not means:
    return found
  names = nearest_images(sample, np.stack([*means.values()]), most)
  for number, each in zip(means, names, strict=True):
    frames = found[number].of_frames
    if frames:
      places = columns['place'][row == number]
      places = places.reshape(len(frames), -1, places.shape[1]).mean(1)
      frames = tuple(
        dataclasses.replace(frame, nearest=names)
        for frame, names in zip(
          frames, nearest_images(sample, places, most), strict=True
        )
      )
    found[number] = dataclasses.replace(
      found[number], nearest=each, of_frames=frames
    )
  return found


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
