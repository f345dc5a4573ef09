"""Estimates how many sources a set of images has, from their features.

Everything here is NumPy and imports no jax, so that the number is known before
a network is built.
"""

import dataclasses

import numpy as np

from input_pipeline.errors import UserError
from input_pipeline.progress_bars import with_progress
from owdfa_jax.discovery.hidden_classes import HiddenTrial, try_numbers
from owdfa_jax.spectrum.whitening import whitened_components

# An interval of this many standard deviations held the truth 4 times in 5 on
# the data that the estimator was chosen on; see docs/results.md.
_DEVIATIONS = 2.0
# Below this agreement of clusters with hidden classes, the features hardly
# separate the known sources, and the number means little.
LEAST_AGREEMENT = 0.4
# A source is counted by the size of its cluster. Of well separated simulated
# sources with fewer images each, the estimate says the same number whatever the
# truth; see docs/methods.md.
LEAST_IMAGES = 8
# The largest number of principal components.
_COMPONENTS = 64
# Rows to cluster, draws of hidden classes, and numbers of clusters to try.
MOST_ROWS, _DRAWS, _NUMBERS = 2000, 12, 12
# The largest number of clusters, as a multiple of the known classes.
_MOST_PER_KNOWN = 5
# How often classes and draws are drawn anew, for the interval.
_REPEATS = 200


@dataclasses.dataclass(frozen=True)
class SourceEstimate:
  """An estimate of the number of sources, known and novel.

  Attributes:
    number: the estimate.
    low: the low end of an interval that should hold the truth 4 times in 5.
    high: the high end.
    curve: for each number of clusters that was tried, the size of a hidden
      class over that of its clusters. The estimate is where it passes 1.
    agreement: of the clusters with the hidden classes, the adjusted mutual
      information near the estimate: 1 for the same partition, 0 for chance.
    novel: how many of `number` are not known.
    images: the rows without a label that it was made from.
  """

  number: int
  low: int
  high: int
  curve: dict[int, float]
  agreement: float
  novel: int
  images: int

  @property
  def doubt(self) -> str | None:
    """Why the estimate is not reliable; None if nothing speaks against it."""
    if few := too_few_images(self.images, self.novel):
      return few
    if max(self.curve.values()) < 1:
      return (
        f'{max(self.curve)} clusters, the most that were tried, divide the '
        'known sources too little'
      )
    if self.agreement < LEAST_AGREEMENT:
      return (
        'clusters agree with hidden known classes by '
        f'{self.agreement:.2f} only (1: wholly, 0: by chance)'
      )
    if self.low <= 1 < self.number:
      return (
        f'the interval of {self.low} to {self.high} sources holds 1 (the '
        'images may be of one source)'
      )
    return None


def too_few_images(images: int, novel: int) -> str | None:
  """Returns why images are too few to count their sources; None if they do.

  Each source needs `LEAST_IMAGES`. Twice as many are needed at least, since
  with fewer no estimate could tell one source from two.

  Args:
    images: of unknown source.
    novel: how many novel sources they are said to have.
  """
  if images >= LEAST_IMAGES * max(2, novel):
    return None
  return (
    f'{images} images of unknown source are too few to tell their number of '
    f'sources ({LEAST_IMAGES} for each are needed, and {2 * LEAST_IMAGES} at '
    'least)'
  )


def estimate_num_sources(
  features: np.ndarray, label: np.ndarray, seed: int = 0
) -> SourceEstimate:
  """Estimates the number of sources from how large clusters of known ones are.

  Half of the known classes are hidden: their labelled rows count as unlabelled.
  All rows are clustered, for several numbers of clusters K. With too few
  clusters, a hidden class shares its cluster with other sources, and the
  cluster is larger than the class. With too many, it is smaller. K is right
  where clusters of hidden classes are as large as the classes, in the mean:
  then as many pairs of rows of one source are parted as pairs of different
  sources are joined. This needs no threshold, and clusters need not be pure.

  How many rows a class has, its unlabelled ones included, is estimated where
  the class is not hidden.

  Sources with far fewer rows than the known classes are hardly counted. If
  novel sources are much more, or much less, alike than known ones, the estimate
  is too low or too high. It is at most five times the number of known classes.

  Args:
    features: float32 [N, D].
    label: int [N], a known class, or -1 on an unlabelled row. Two classes at
      least have rows.
    seed: draws the rows, the classes to hide, and the first centres.

  Raises:
    ValueError: fewer than two classes have labelled rows.
  """
  classes, label = _number_classes(label)
  if classes < 2:
    raise ValueError(f'label must have rows of two classes, got {classes}')
  generator = np.random.default_rng(seed)
  rows = choose_rows(label, MOST_ROWS, generator)
  features, label = features[rows], label[rows]
  components = whitened_components(features, _COMPONENTS)(features)
  most = min(_MOST_PER_KNOWN * classes, len(rows))
  numbers = np.unique(
    np.geomspace(classes, max(most, classes + 1), _NUMBERS).round().astype(int)
  )
  draws = _draw_hidden(classes, generator)
  shown = with_progress(draws, 'number of sources', len(draws), 'draw')
  trials = [
    try_numbers(components, label, hidden, numbers, (seed, draw))
    for draw, hidden in enumerate(shown)
  ]
  tables = _tabulate(trials)
  curve = tables.log_ratio(np.ones(len(trials)), np.ones(classes))
  number = _crossing(numbers, curve)
  low, high = _interval(numbers, tables, number, generator)
  agreement = np.mean([[one.agreement for one in draw] for draw in trials], 0)
  return SourceEstimate(
    number=round(number),
    low=max(classes, low),
    high=high,
    curve={
      int(k): float(np.exp(v)) for k, v in zip(numbers, curve, strict=True)
    },
    agreement=float(np.interp(number, numbers, agreement)),
    novel=round(number) - classes,
    images=int((label < 0).sum()),
  )


def choose_rows(
  label: np.ndarray, most: int, generator: np.random.Generator
) -> np.ndarray:
  """Returns at most `most` rows, ascending; an eighth or more are labelled.

  At most half are labelled, unless there are too few of the others.

  Args:
    label: int [N], -1 on an unlabelled row.
    most: the number of rows to return if there are more.
    generator: draws them.
  """
  if len(label) <= most:
    return np.arange(len(label))
  labelled, others = np.flatnonzero(label >= 0), np.flatnonzero(label < 0)
  share = min(max(len(labelled) / len(label), 1 / 8), 1 / 2)
  wanted = min(len(labelled), max(round(share * most), most - len(others)))
  return np.sort(
    np.concatenate(
      [
        generator.permutation(labelled)[:wanted],
        generator.permutation(others)[: most - wanted],
      ]
    )
  )


def _number_classes(label: np.ndarray) -> tuple[int, np.ndarray]:
  """Returns the number of classes with rows, and the labels numbered anew."""
  present = np.unique(label[label >= 0])
  number = np.searchsorted(present, label)
  return len(present), np.where(label >= 0, number, -1)


@dataclasses.dataclass(frozen=True)
class _Tables:
  """What trials found, for each draw and each of M numbers of clusters.

  Attributes:
    together: float [draws, M, c], see `HiddenTrial`; nan for kept classes.
    per_row: float [draws, M, c]; nan for kept classes.
    pinned: float [draws, M, c]; nan for hidden classes.
    others: float [draws, M, c]; nan for hidden classes.
    clear: float [draws, M, 3], the share of held-out rows, of unlabelled rows
      and of rows of hidden classes that are clearly in a kept class.
    held: float [draws], the number of held-out rows.
    unlabelled: the number of rows without a label.
  """

  together: np.ndarray
  per_row: np.ndarray
  pinned: np.ndarray
  others: np.ndarray
  clear: np.ndarray
  held: np.ndarray
  unlabelled: int

  def log_ratio(self, draws: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Returns the log of the size of a class over that of its clusters, [M].

    Args:
      draws: float [draws], the weight of each.
      classes: float [c], the weight of each.
    """
    draws = draws / draws.sum()
    held, unlabelled, hidden = np.einsum('d,dmk->km', draws, self.clear)
    # Of the rows that are clearly in kept classes, some are of other sources.
    share = (unlabelled - hidden) / np.maximum(held - hidden, 1e-3)
    # It is the same for all numbers of clusters.
    share = np.median(np.clip(share, 0, 1))
    wanted = draws @ self.held + share * self.unlabelled
    given = np.einsum('d,dmc->m', draws, np.nan_to_num(self.others))
    pinned = _mean(self.pinned, draws)
    # Of few rows, none may be given to a kept class.
    factor = wanted / np.where(given > 0, given, 1)
    size = pinned + _mean(self.others, draws) * factor[:, None]
    together = _mean(self.together, draws)
    relative = size * _mean(self.per_row, draws)
    # A class that is never hidden, or never kept, is left out.
    known = np.isfinite(relative).all(0)
    weight = classes * known
    tiny = 1e-9
    return np.log(np.nan_to_num(relative) @ weight + tiny) - np.log(
      np.nan_to_num(together) @ weight + tiny
    )


def _mean(table: np.ndarray, draws: np.ndarray) -> np.ndarray:
  """Returns the weighted mean [M, c] over draws; nan where there is none."""
  total = np.einsum('d,dmc->mc', draws, np.nan_to_num(table))
  weight = np.einsum('d,dmc->mc', draws, np.isfinite(table).astype(float))
  return np.where(weight > 0, total / np.where(weight > 0, weight, 1), np.nan)


def _tabulate(trials: list[list[HiddenTrial]]) -> _Tables:
  """Gathers the trials of all draws, each of all numbers of clusters."""

  def table(name: str) -> np.ndarray:
    return np.array([[getattr(one, name) for one in draw] for draw in trials])

  clear = np.zeros((len(trials), len(trials[0]), 3))
  for position in range(len(trials[0])):
    column = [draw[position] for draw in trials]
    held = np.concatenate([one.held_margin for one in column])
    inside = held[held >= 0]
    # Half of the held-out rows that are nearest to their class are clear.
    least = np.median(inside) if len(inside) else 0.0
    for draw, one in enumerate(column):
      margins = one.held_margin, one.unlabelled_margin, one.hidden_margin
      clear[draw, position] = [
        np.mean(each >= least) if len(each) else 0.0 for each in margins
      ]
  return _Tables(
    together=table('together'),
    per_row=table('per_row'),
    pinned=table('pinned'),
    others=table('others'),
    clear=clear,
    held=np.array([len(draw[0].held_margin) for draw in trials], float),
    unlabelled=len(trials[0][0].unlabelled_margin),
  )


def _draw_hidden(
  classes: int, generator: np.random.Generator
) -> list[np.ndarray]:
  """Returns halves of the classes; two after another have none in common."""
  hidden: list[np.ndarray] = []
  half = classes // 2
  while len(hidden) < _DRAWS:
    order = generator.permutation(classes)
    hidden += [order[:half], order[half : 2 * half]]
  return hidden


def _crossing(numbers: np.ndarray, curve: np.ndarray) -> float:
  """Returns where a curve passes 0; it rises but for noise."""
  rising = np.maximum.accumulate(curve) + 1e-9 * np.arange(len(curve))
  return float(np.exp(np.interp(0, rising, np.log(numbers))))


def _interval(
  numbers: np.ndarray,
  tables: _Tables,
  number: float,
  generator: np.random.Generator,
) -> tuple[int, int]:
  """Returns an interval, from draws and classes that are drawn anew."""

  def draw_anew(count: int) -> np.ndarray:
    chosen = generator.integers(0, count, count)
    return np.bincount(chosen, minlength=count).astype(float)

  draws, _, classes = tables.together.shape
  again = []
  for _ in range(_REPEATS):
    curve = tables.log_ratio(draw_anew(draws), draw_anew(classes))
    again.append(np.log(_crossing(numbers, curve)))
  factor = np.exp(_DEVIATIONS * np.std(again))
  return int(np.floor(number / factor)), int(np.ceil(number * factor))


def cannot_estimate(why: str) -> UserError:
  """Returns the error of `owdfa discover --workdir` without a number of groups.

  Args:
    why: another error's message, which may end with what to do.
  """
  remedy = ', or' if '; give ' in why else ';'
  return UserError(
    f'the number of sources cannot be estimated: {why}{remedy} '
    'give --clusters=N'
  )
