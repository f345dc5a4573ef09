"""Training images that a run carries, by their places among its features.

An answer names the nearest of them: what a person looks at first. They are at
most `MOST_OF_OUTPUT` of each output; a place takes 128 bytes, a name its own
length.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from owdfa_jax.spectrum.kmeans import unit_rows

# The most training images of an output, drawn at random.
MOST_OF_OUTPUT = 100
# The names of its arrays in a file.
SAMPLE_ARRAYS = ('sample_place', 'sample_output', 'sample_name')


class TrainingSample(NamedTuple):
  """M training images, or groups of them.

  Attributes:
    place: float16 [M, D], unit vectors: the whitened feature of an image, or
      the mean of its group.
    output: int32 [M], the label that the training was given, or the output that
      classifies it.
    name: what the packed data calls the images; of a group, the first one.
  """

  place: np.ndarray
  output: np.ndarray
  name: Sequence[str]

  def arrays(self) -> dict[str, np.ndarray]:
    """Returns the arrays of a file, by `SAMPLE_ARRAYS`."""
    text = '\n'.join(self.name).encode()
    values = self.place, self.output, np.frombuffer(text, np.uint8)
    return dict(zip(SAMPLE_ARRAYS, values, strict=True))


def sample_of(content: Mapping[str, np.ndarray]) -> TrainingSample | None:
  """Returns the sample in the arrays of a file; None if they are not there.

  Args:
    content: of the file.
  """
  if not all(name in content for name in SAMPLE_ARRAYS):
    return None
  place, output, text = (content[name] for name in SAMPLE_ARRAYS)
  return TrainingSample(place, output, text.tobytes().decode().split('\n'))


def draw_sample(output: np.ndarray) -> np.ndarray:
  """Returns which rows are kept, int [M], sorted, the same each time.

  Args:
    output: int [N], the output of each row.
  """
  order = np.random.default_rng(0).permutation(len(output))
  drawn = [
    order[output[order] == each][:MOST_OF_OUTPUT] for each in np.unique(output)
  ]
  return np.sort(np.concatenate(drawn))


def nearest_images(
  sample: TrainingSample, place: np.ndarray, most: int
) -> list[tuple[str, ...]]:
  """Returns the names of the nearest training images, the nearest first.

  Args:
    sample: the training images.
    place: float [N, D], the whitened features of images, of any length.
    most: how many names each gets, at most M.
  """
  known = sample.place.astype(np.float32)
  cosine = unit_rows(place.astype(np.float32)) @ known.T
  every = np.arange(len(cosine))
  found = np.empty((len(cosine), min(most, len(sample.name))), np.int64)
  for column in range(found.shape[1]):
    # Of equal cosines, the first one: the same on every machine.
    found[:, column] = cosine.argmax(1)
    cosine[every, found[:, column]] = -np.inf
  return [tuple(sample.name[k] for k in row) for row in found.tolist()]
