"""What a run says of new images: one answer an image, and many in a table."""

import dataclasses
import operator
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from typing_extensions import override

from owdfa_jax.evaluation.verdicts import Verdict
from owdfa_jax.inference.tables import pandas_type, write_csv

if TYPE_CHECKING:
  import pandas


@dataclasses.dataclass(frozen=True)
class Answer:
  """What a run says of one image, of a frame of a video, or of a face.

  Of an image that cannot be read, `error` says why, and all other fields but
  `image` are None.

  Attributes:
    image: the path, with escapes for bytes that are not UTF-8; or 'image N' for
      pixels, N counted from 0.
    verdict: 'known': of a source whose name the run was given. 'found': of a
      source that the run found among unlabelled images. 'none of these': its
      `unseen_score` is above `unseen_threshold`. 'inconclusive': `confidence`
      is below a half, so the other sources together are more probable.
    source: the name of the most probable source; `novel-N` if it was found and
      has no name from the user; or 'none of these'.
    confidence: the probability of `source`, with the run's temperature if it
      has one, see `TrainedRun.calibration`. None for 'none of these': a run has
      seen no such image, and `unseen_score` is all that speaks for it.
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
    frames: how many frames of a video were seen, or show the face; None for an
      image and for one frame.
    frame: the number of the frame, from 0, where the answer is for one frame of
      a video alone; of a face in a video, its first frame.
    faces: how many faces were found, in a video the most of one frame; None if
      the run's training images were not cut out to faces. With 0 the whole
      image was seen.
    face: the number of the face, from 0, where the answer is for one of the
      faces alone. An image has the answer of its face 0, which is the largest
      one, or with dlib the surest one. In a video it is the number of a person
      who is followed through its frames, as far as colours and places tell;
      the answer is that of the mean of the frames that show the face.
    box: left, top, right and bottom of the face that was seen, in pixels of the
      image, as the detector found it, before its margin; of a face in a video,
      in its first frame. None if the whole image was seen, and for a video.
    credentials: what signed credentials in the file say, see
      `credentials.read_credentials`; None without any, for pixels, and where
      the package that reads them is not installed.
    error: why the image cannot be read; None if it can.
    probability: float32 [S], of each source; `probabilities` has names to it.
    side: the longer side of the image before it was resized, in pixels.
    names: the name of each source.
    of_frames: the answers for the frames of a video, or for those that show the
      face, each by itself.
    of_faces: the answers for the faces of an image, of a video or of a frame,
      if they were asked for.
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
  faces: int | None = None
  face: int | None = None
  box: tuple[int, int, int, int] | None = None
  credentials: str | None = None
  error: str | None = None
  probability: np.ndarray | None = dataclasses.field(
    default=None, repr=False, compare=False
  )
  side: int | None = dataclasses.field(default=None, repr=False)
  names: tuple[str, ...] = dataclasses.field(default=(), repr=False)
  of_frames: 'tuple[Answer, ...]' = dataclasses.field(default=(), repr=False)
  of_faces: 'tuple[Answer, ...]' = dataclasses.field(default=(), repr=False)

  @property
  def probabilities(self) -> Mapping[str, float]:
    """The probability of each source, by its name; {} without an answer."""
    if self.probability is None:
      return {}
    return dict(zip(self.names, self.probability.tolist(), strict=True))

  def lines(
    self, *, frames: bool = False, faces: bool = False
  ) -> 'Iterator[Answer]':
    """Yields the answers that are lines of a table, this one last.

    A line without `frame` and `face` is that of a file.

    Args:
      frames: whether each frame of a video has a line.
      faces: whether each face of an image, or of a video, has a line; with
        `frames` also each face of a frame.
    """
    if frames:
      for frame in self.of_frames:
        if faces:
          yield from frame.of_faces
        yield frame
    if faces:
      yield from self.of_faces
    yield self

  def columns(self) -> dict[str, Any]:
    """Returns the fields of a table by their names."""
    return dict(zip(COLUMNS, _values(self), strict=True))


# The columns of a table of answers.
COLUMNS = tuple(
  field.name
  for field in dataclasses.fields(Answer)
  if field.name not in ('probability', 'side', 'names', 'of_frames', 'of_faces')
)
_values = operator.attrgetter(*COLUMNS)


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

  def to_csv(
    self,
    path: str | os.PathLike[str],
    *,
    frames: bool = False,
    faces: bool = False,
  ) -> None:
    """Writes a line for each image, as `owdfa attribute` does.

    A file at the path is replaced.

    Args:
      path: of the file.
      frames: whether each frame of a video has a line too, before that of the
        video.
      faces: whether each face has a line too, before that of its image; see
        `TrainedRun.predict`.

    Raises:
      UserError: the file cannot be written.
    """
    write_csv(path, COLUMNS, self._rows(frames, faces))

  def to_pandas(
    self, *, frames: bool = False, faces: bool = False
  ) -> 'pandas.DataFrame':
    """Returns a table with a row for each image.

    The columns have types with a missing value, `pandas.NA`: `string`,
    `Float64` and `Int64`; those of lists, `nearest` and `box`, are objects.

    Args:
      frames: as for `to_csv`.
      faces: as for `to_csv`.

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
    rows = [*self._rows(frames, faces)]
    table = {}
    for name in COLUMNS:
      values = [pandas.NA if row[name] is None else row[name] for row in rows]
      table[name] = pandas.Series(values, dtype=pandas_type(name))
    return pandas.DataFrame(table)

  def _rows(self, frames: bool, faces: bool) -> Iterator[dict[str, Any]]:
    for answer in self._answers:
      for line in answer.lines(frames=frames, faces=faces):
        yield line.columns()
