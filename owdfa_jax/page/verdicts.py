"""The answers for test images, as a page shows them."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from owdfa_jax.evaluation.shared_names import called_outputs


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


def name_verdicts(
  verdicts: Verdicts,
  said: Sequence[str] | None,
  names: Mapping[int, str],
) -> Verdicts:
  """Returns verdicts by name: each output is the first one of its name.

  Args:
    verdicts: with the names of outputs that no user gave.
    said: the name of each line, where the table was written with these names;
      None takes that of its output.
    names: what the user gave, by output.

  Raises:
    KeyError: a line has a name of no output.
  """
  of_output = {**verdicts.name, **names}
  output = called_outputs(verdicts.output, said, of_output)
  return dataclasses.replace(verdicts, output=output, name=of_output)
