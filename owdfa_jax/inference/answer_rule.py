"""Turns what a network says of an image into an answer."""

import dataclasses
import functools
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

  def answer(
    self,
    image: str,
    probability: np.ndarray,
    unseen_score: float | None,
    side: int,
    place: np.ndarray | None = None,
    **others: Any,
  ) -> Answer:
    """Returns the answer for one image.

    Args:
      image: its name.
      probability: float64 [K].
      unseen_score: its score, None without one.
      side: its longer side, in pixels.
      place: float [D], its whitened feature; None without split clusters.
      **others: further fields of the answer.
    """
    output = int(probability.argmax())
    if self.parts is not None and place is not None:
      probability = self.parts.expand(probability, place)
    # Of each source, at the place of the first output of its name.
    total = add_up(probability, self._first_output)
    sources = self._places
    order = np.argsort(-total[sources], kind='stable')[:2]
    choices = [int(sources[place]) for place in order]
    names = [self._names[k] for k in choices]
    sure: list[float | None] = [float(np.float32(total[k])) for k in choices]
    verdict = verdict_of(
      choices[0],
      float(np.float32(total[choices[0]])),
      self.num_known,
      unseen_score,
      self.threshold,
    )
    if verdict == NONE_OF_THESE:
      # A run has seen no such image, so it has no probability for one.
      names, sure = [NONE_OF_THESE, names[0]], [None, sure[0]]
    fake = None
    if self.real:
      fake = float(np.float32(1 - probability[list(self.real)].sum()))
    return Answer(
      image,
      verdict,
      names[0],
      sure[0],
      names[1] if len(names) > 1 else None,
      sure[1] if len(sure) > 1 else None,
      output,
      unseen_score,
      self.threshold,
      fake,
      probability=total[sources].astype(np.float32),
      side=side,
      names=self.sources,
      **others,
    )
