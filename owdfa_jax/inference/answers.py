"""What a run says of new images: one answer an image, and many in a table."""

import dataclasses
import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from typing_extensions import override

from owdfa_jax.evaluation.shared_names import add_up, first_outputs
from owdfa_jax.evaluation.unseen_report import NONE_OF_THESE
from owdfa_jax.evaluation.verdicts import Verdict, verdict_of
from owdfa_jax.inference.tables import write_csv

if TYPE_CHECKING:
  import pandas


@dataclasses.dataclass(frozen=True)
class Answer:
  """What a run says of one image.

  Of an image that cannot be read, `error` says why, and all other fields but
  `image` are None.

  Attributes:
    image: the path, or 'image N' for pixels, N counted from 0.
    verdict: 'known': of a source whose name the run was given. 'found': of a
      source that the run found among unlabelled images. 'none of these': its
      `unseen_score` is above `unseen_threshold`. 'inconclusive': `confidence`
      is below a half, so the other sources together are more probable.
    source: the name of the most probable source; `novel-N` if it was found and
      has no name from the user; or 'none of these'.
    confidence: the probability of the most probable source, with the run's
      temperature if it has one, see `TrainedRun.calibration`.
    second_choice: the name of the source that is probable next; of an image of
      none of them, the most probable one.
    second_confidence: its probability.
    output: the number of the most probable output. Several outputs may share
      a name; they are one source, and their probabilities add up.
    unseen_score: how little the image is like any source; None if the run has
      no file of its sources.
    unseen_threshold: the score above which an image is of none of them; None
      if the run had too few training images.
    fake_probability: the probability of all outputs but the known classes of
      real images; None if the run knows no real images.
    stability: the share of mild views, compressed or resized, in which the
      source stays the same; below 1 the verdict is 'inconclusive'. None if the
      views were not asked for.
    nearest: the training images whose features are nearest, the nearest first,
      by their names in the packed data; None if the run carries none.
    frames: how many frames of a video were seen; None for an image.
    frame: the number of the frame, from 0, where the answer is for one frame of
      a video alone.
    credentials: what signed credentials in the file say, see
      `credentials.read_credentials`; None without any, for pixels, and where
      the package that reads them is not installed.
    error: why the image cannot be read; None if it can.
    probability: float32 [S], of each source; `probabilities` has names to it.
    side: the longer side of the image before it was resized, in pixels.
    names: the name of each source.
    of_frames: the answers for the frames of a video, each by itself.
  """

  image: str
  verdict: Verdict | None = None
  source: str | None = None
  confidence: float | None = None
  second_choice: str | None = None
  second_confidence: float | None = None
  output: int | None = None
  unseen_score: float | None = None
  unseen_threshold: float | None = None
  fake_probability: float | None = None
  stability: float | None = None
  nearest: tuple[str, ...] | None = None
  frames: int | None = None
  frame: int | None = None
  credentials: str | None = None
  error: str | None = None
  probability: np.ndarray | None = dataclasses.field(
    default=None, repr=False, compare=False
  )
  side: int | None = dataclasses.field(default=None, repr=False)
  names: tuple[str, ...] = dataclasses.field(default=(), repr=False)
  of_frames: 'tuple[Answer, ...]' = dataclasses.field(default=(), repr=False)

  @property
  def probabilities(self) -> Mapping[str, float]:
    """The probability of each source, by its name; {} without an answer."""
    if self.probability is None:
      return {}
    return dict(zip(self.names, self.probability.tolist(), strict=True))

  def columns(self) -> dict[str, Any]:
    """Returns the fields of a table by their names."""
    return {name: getattr(self, name) for name in COLUMNS}


# The columns of a table of answers.
COLUMNS = tuple(
  field.name
  for field in dataclasses.fields(Answer)
  if field.name not in ('probability', 'side', 'names', 'of_frames')
)


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
  """

  names: tuple[str, ...]
  num_known: int
  real: tuple[int, ...]
  threshold: float | None
  temperature: float = 1

  @functools.cached_property
  def _first_output(self) -> np.ndarray:
    return first_outputs(self.names)

  @functools.cached_property
  def _sources(self) -> tuple[str, ...]:
    return tuple(dict.fromkeys(self.names))

  def answer(
    self,
    image: str,
    probability: np.ndarray,
    unseen_score: float | None,
    side: int,
  ) -> Answer:
    """Returns the answer for one image.

    Args:
      image: its name.
      probability: float64 [K].
      unseen_score: its score, None without one.
      side: its longer side, in pixels.
    """
    # Of each source, at the place of the first output of its name.
    total = add_up(probability, self._first_output)
    sources = np.unique(self._first_output)
    order = np.argsort(-total[sources], kind='stable')[:2]
    choices = [int(sources[place]) for place in order]
    names = [self.names[k] for k in choices]
    sure = [float(np.float32(total[k])) for k in choices]
    verdict = verdict_of(
      choices[0], sure[0], self.num_known, unseen_score, self.threshold
    )
    if verdict == NONE_OF_THESE:
      names, sure = [NONE_OF_THESE, names[0]], [sure[0], sure[0]]
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
      int(probability.argmax()),
      unseen_score,
      self.threshold,
      fake,
      probability=total[sources].astype(np.float32),
      side=side,
      names=self._sources,
    )


class Answers(Sequence[Answer]):
  """The answers for several images, in the order of the images."""

  def __init__(self, answers: Iterable[Answer]):
    """Keeps the answers."""
    self._answers = tuple(answers)

  @override
  def __len__(self) -> int:
    return len(self._answers)

  @overload
  def __getitem__(self, index: int) -> Answer: ...

  @overload
  def __getitem__(self, index: slice) -> 'Answers': ...

  @override
  def __getitem__(self, index: int | slice) -> 'Answer | Answers':
    if isinstance(index, slice):
      return Answers(self._answers[index])
    return self._answers[index]

  def __repr__(self) -> str:
    return f'Answers({list(self._answers)!r})'

  def to_csv(self, path: str | os.PathLike[str]) -> None:
    """Writes a line for each image, as `owdfa attribute` does.

    A file at the path is replaced.

    Args:
      path: of the file.

    Raises:
      UserError: the file cannot be written.
    """
    write_csv(path, COLUMNS, (answer.columns() for answer in self._answers))

  def to_pandas(self) -> 'pandas.DataFrame':
    """Returns a table with a row for each image.

    Raises:
      ImportError: pandas is not installed.
    """
    try:
      import pandas
    except ImportError as error:
      raise ImportError(
        'to_pandas() needs pandas: `pip install pandas`; to_csv() works '
        'without it'
      ) from error
    rows = [answer.columns() for answer in self._answers]
    return pandas.DataFrame(rows, columns=list(COLUMNS))
