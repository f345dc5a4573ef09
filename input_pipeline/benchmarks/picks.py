"""The chosen images of a benchmark, and how many a class should have."""

import collections
import dataclasses
from collections.abc import Sequence

from input_pipeline.benchmarks.benchmark_class import BenchmarkClass
from input_pipeline.benchmarks.candidates import Candidate


@dataclasses.dataclass(frozen=True, slots=True)
class Pick:
  """A chosen image.

  Attributes:
    image: the image.
    entry: its class.
    tag: the CSV's tag, `meta.LABELLED` or `meta.UNLABELLED`.
    split: 'train' or 'test'; '' while that is undecided.
  """

  image: Candidate
  entry: BenchmarkClass
  tag: int
  split: str = ''


@dataclasses.dataclass(frozen=True)
class ProtocolCsv:
  """The content of one meta CSV.

  Attributes:
    name: the file's name.
    classes: the classes in the order of their ids.
    picks: the images.
  """

  name: str
  classes: tuple[BenchmarkClass, ...]
  picks: Sequence[Pick]


def round_half_up(value: float) -> int:
  """Rounds to an integer as the released notebook does."""
  return int(value + 0.5)


def images_wanted(entry: BenchmarkClass, factor: float) -> int:
  """Returns the size of a class, at least 1, at `factor` times its table."""
  # At least 1, because without the class the ids of others would change.
  return max(1, round_half_up(sum(entry.counts) * factor))


def picks_by_class(picks: Sequence[Pick]) -> dict[BenchmarkClass, list[Pick]]:
  """Groups picks by their class."""
  grouped = collections.defaultdict(list)
  for pick in picks:
    grouped[pick.entry].append(pick)
  return dict(grouped)
