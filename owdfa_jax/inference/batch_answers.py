"""Answers for the images of one batch, and how stable they are."""

import dataclasses
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from owdfa_jax.evaluation.groups import VerdictSums
from owdfa_jax.evaluation.predictions import Predictor
from owdfa_jax.evaluation.robustness import Degradation, make_degrade
from owdfa_jax.evaluation.training_sample import (
  TrainingSample,
  nearest_images,
)
from owdfa_jax.inference.answers import Answer, AnswerRule
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

  Args:
    images: the images, also those that cannot be read.
    columns: of the rows of the batch; `row` is the position of the image.
    rule: turns probabilities into answers.
  """
  row = columns['row']
  sums = VerdictSums(np.arange(len(images)))
  sums.add(row, columns['log_probability'])
  # Frames of a video are too alike to make it surer than one of them.
  frames = np.array([len(image.frames) or 1 for image in images])
  answered, probability = sums.probability(rule.temperature * frames)
  score: list[float | None] = [None] * len(images)
  if 'unseen_score' in columns:
    means, first = group_means(columns['unseen_score'].astype(np.float64), row)
    for number, mean in zip(row[first], means, strict=True):
      score[number] = float(np.float32(mean))
  answers = [Answer(image.name, error=image.error) for image in images]
  for number, each in zip(answered, probability, strict=True):
    image = images[number]
    answer = rule.answer(image.name, each, score[number], image.side)
    answers[number] = dataclasses.replace(
      answer,
      frames=len(image.frames) or None,
      credentials=image.credentials,
      of_frames=_answers_of_frames(image, columns, row == number, rule),
    )
  return answers


def _answers_of_frames(
  image: PreparedImage, columns: Columns, is_of: np.ndarray, rule: AnswerRule
) -> tuple[Answer, ...]:
  """Returns an answer for each frame of a video; () of an image.

  Args:
    image: the image or the video.
    columns: of the rows of the batch.
    is_of: bool, which rows are of the video, its frames one after the other.
    rule: turns probabilities into answers.
  """
  if not image.frames:
    return ()
  mine = {name: column[is_of] for name, column in columns.items()}
  each = len(mine['row']) // len(image.frames)
  mine['row'] = np.arange(len(mine['row'])) // each
  frames = [PreparedImage(image.name, (), image.side, '')] * len(image.frames)
  return tuple(
    dataclasses.replace(answer, frame=number)
    for answer, number in zip(
      answers_of_batch(frames, mine, rule), image.frames, strict=True
    )
  )


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
  row = columns['row']
  if not len(row):
    return found
  place, first = group_means(columns['place'].astype(np.float64), row)
  names = nearest_images(sample, place, most)
  for number, each in zip(row[first].tolist(), names, strict=True):
    found[number] = dataclasses.replace(found[number], nearest=each)
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
      answer = dataclasses.replace(answer, stability=share, verdict=verdict)
    found.append(answer)
  return found
