"""The answers for test images, as a page shows them."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Verdicts:
  """The answers for N test images, or for N groups of them.

  Attributes:
    image: the path of each image, or of the first image of each group.
    row: int [N], its row of the test split.
    output: int [N].
    confidence: float [N].
    source: the true source of each, '' where it is unknown.
    name: the name of each output that occurs.
    group: int [M], for each of M test rows its place among the N.
  """

  image: list[str]
  row: np.ndarray
  output: np.ndarray
  confidence: np.ndarray
  source: list[str]
  name: dict[int, str]
  group: np.ndarray

  def __len__(self) -> int:
    return len(self.image)
