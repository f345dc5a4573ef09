"""Turns what a network says of an image into an answer."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from owdfa_jax.evaluation.cluster_parts import ClusterParts
from owdfa_jax.evaluation.shared_names import add_up, first_outputs
from owdfa_jax.evaluation.verdicts import verdict_of
from owdfa_jax.inference.answers import Answer
from owdfa_jax.report_fields import NONE_OF_THESE


@dataclasses.dataclass(frozen=True)
class AnswerRule:
  """What turns the probabilities of an image into an answer.

  Attributes:
    names: of the K outputs, those of known classes first. Outputs of one name
      are one source.
    num_known: the number of known classes.
    real: the known classes of real images.
    threshold: see `Answer.unseen_threshold`.
    temperature: of the sum of an image's log-probabilities.
    parts: the parts of clusters that the user split; None without any.
  """

  names: tuple[str, ...]
  num_known: int
  real: tuple[int, ...]
  threshold: float | None
  temperature: float = 1
  parts: ClusterParts | None = None

  @functools.cached_property
  def _names(self) -> tuple[str, ...]:
    """The names of the outputs, or of their parts: [K']."""
    if self.parts is None:
      return self.names
    return self.parts.expand_names(self.names)

  @functools.cached_property
  def _first_output(self) -> np.ndarray:
    return first_outputs(self._names)

  @functools.cached_property
  def _places(self) -> np.ndarray:
    """The first output of each source, ascending."""
    return np.unique(self._first_output)

  @functools.cached_property
  def sources(self) -> tuple[str, ...]:
    """The names of the sources, each once."""
    return tuple(dict.fromkeys(self._names))

  def answers(
    self,
    probability: np.ndarray,
    unseen_score: np.ndarray | None,
    place: np.ndarray | None,
    fields: Sequence[Mapping[str, Any]],
  ) -> list[Answer]:
    """Returns the answers for N images.

    Args:
      probability: float64 [N, K].
      unseen_score: float32 [N], their scores; None without.
      place: float [N, D], their whitened features; None without split clusters.
      fields: the further fields of each answer, with `image`.
    """
    output = probability.argmax(1).tolist()
    fake = self._fake(probability)
    if self.parts is not None and place is not None:
      pairs = zip(probability, place, strict=True)
      probability = np.stack([self.parts.expand(*pair) for pair in pairs])
    # Of each source, at the place of the first output of its name.
    total = add_up(probability, self._first_output)[:, self._places]
    order = np.argsort(-total, axis=1, kind='stable')[:, :2]
    total = total.astype(np.float32)
    sure = np.take_along_axis(total, order, 1).tolist()
    choices = self._places[order].tolist()
    score: list[float | None] = [None] * len(total)
    if unseen_score is not None:
      score = unseen_score.tolist()
    columns = zip(
      choices, sure, output, score, fake, total, fields, strict=True
    )
    return [self._answer(*row) for row in columns]

  def _answer(
    self,
    choices: Sequence[int],
    sure: Sequence[float],
    output: int,
    unseen_score: float | None,
    fake_probability: float | None,
    probability: np.ndarray,
    fields: Mapping[str, Any],
  ) -> Answer:
    """Returns one answer: of the best two sources, or the only one."""
    verdict = verdict_of(
      choices[0], sure[0], self.num_known, unseen_score, self.threshold
    )
    names = [self._names[k] for k in choices]
    confidence: list[float | None] = [*sure]
    if verdict == NONE_OF_THESE:
      # A run has seen no such image, so it has no probability for one.
      names, confidence = [NONE_OF_THESE, *names], [None, *confidence]
    has_second = len(names) > 1
    return Answer(
      verdict=verdict,
      source=names[0],
      confidence=confidence[0],
      second_choice=names[1] if has_second else None,
      second_confidence=confidence[1] if has_second else None,
      output=output,
      unseen_score=unseen_score,
      unseen_threshold=self.threshold,
      fake_probability=fake_probability,
      probability=probability,
      names=self.sources,
      **fields,
    )

  def _fake(self, probability: np.ndarray) -> list[float | None]:
    """Returns `Answer.fake_probability` of each row of float64 [N, K]."""
    if not self.real:
      return [None] * len(probability)
    # In rows that lie together: a sum depends on the order of its terms.
    real = np.ascontiguousarray(probability[:, list(self.real)])
    return (1 - real.sum(1)).astype(np.float32).tolist()
