"""Chooses how far to whiten, without a label of a novel class.

Half of the known classes are treated as novel: their labels are hidden, the
labelled rows are clustered, and the accuracy of the hidden ones is measured.
"""

import dataclasses

import numpy as np

from input_pipeline.progress_bars import with_progress
from owdfa_jax.spectrum.kmeans import (
  OVERCLUSTERING,
  semi_supervised_kmeans,
  unit_rows,
)
from owdfa_jax.spectrum.whitening import within_class_whitening

# The values to choose from. At 1, components are whitened by all rows alone.
SHRINKAGES = (0.01, 0.03, 0.1, 0.3, 1.0)
# What another value has to be clearly better than. It was best, or level with
# the best, on simulated images and on held-out classes of real generators.
_DEFAULT = 0.1
# How often to hide another half of the known classes. The accuracies of draws
# differ by 20 points.
_DRAWS = 16
# Standard errors of the mean gain by which a value is clearly better. The best
# mean alone would often be the best by luck.
_CLEARLY = 2.0
# Rows that are clustered, at most.
_MOST_ROWS = 10_000


@dataclasses.dataclass(frozen=True)
class ShrinkageChoice:
  """The shrinkage to use, and why.

  Attributes:
    shrinkage: one of `SHRINKAGES`.
    reason: what it was chosen by, in words.
    accuracy: the mean accuracy of hidden rows with each shrinkage, which is the
      key as text; None if nothing could be held out.
  """

  shrinkage: float
  reason: str
  accuracy: dict[str, float] | None


def choose_shrinkage(
  components: np.ndarray, label: np.ndarray, seed: int
) -> ShrinkageChoice:
  """Chooses the shrinkage by the accuracy on known classes that are held out.

  Only labelled rows are used, so the number of clusters is known.

  Args:
    components: float32 [N, C], whitened.
    label: int [N], a known class, or -1 on an unlabelled row.
    seed: draws the classes and the first centres.
  """
  num_known = int(label.max(initial=-1)) + 1
  if num_known < 2:
    return ShrinkageChoice(
      _DEFAULT, 'default: one known class cannot be held out', None
    )
  labelled = np.flatnonzero(label >= 0)
  labelled = labelled[:: 1 + len(labelled) // _MOST_ROWS]
  components, label = components[labelled], label[labelled]
  generator = np.random.default_rng((seed, num_known))
  accuracy = np.zeros((_DRAWS, len(SHRINKAGES)))
  # A minute on ten thousand rows.
  for draw in with_progress(range(_DRAWS), 'shrinkage', _DRAWS, 'draw'):
    order = generator.permutation(num_known)
    kept, hidden = np.sort(order[num_known // 2 :]), order[: num_known // 2]
    accuracy[draw] = [
      _hidden_accuracy(components, label, kept, hidden, shrinkage, (seed, draw))
      for shrinkage in SHRINKAGES
    ]
  return ShrinkageChoice(
    clearly_best(accuracy),
    f'accuracy on {num_known // 2} of {num_known} known classes treated as '
    f'novel, mean of {_DRAWS} draws; {_DEFAULT} unless another is clearly '
    'better',
    {
      str(value): float(mean)
      for value, mean in zip(SHRINKAGES, accuracy.mean(0), strict=True)
    },
  )


def clearly_best(accuracy: np.ndarray) -> float:
  """Returns the shrinkage of the highest mean that is clearly above the usual.

  Args:
    accuracy: float [draws, values of `SHRINKAGES`]; the values of one draw have
      the same classes hidden.
  """
  usual = SHRINKAGES.index(_DEFAULT)
  gain = accuracy - accuracy[:, [usual]]
  error = gain.std(0, ddof=1) / np.sqrt(len(gain))
  clear = gain.mean(0) > _CLEARLY * error
  clear[usual] = True
  best = np.where(clear, accuracy.mean(0), -np.inf).argmax()
  return SHRINKAGES[int(best)]


def _hidden_accuracy(
  components: np.ndarray,
  label: np.ndarray,
  kept: np.ndarray,
  hidden: np.ndarray,
  shrinkage: float,
  seed: tuple[int, ...],
) -> float:
  """Returns the accuracy of hidden rows, classes matched to novel clusters.

  Args:
    components: float32 [N, C], whitened, of labelled rows.
    label: int [N], their classes.
    kept: int [A], the known classes whose labels are used, ascending.
    hidden: int [B], the others.
    shrinkage: of the whitening.
    seed: of the first centres.
  """
  from scipy import optimize

  num_classes = len(kept) + len(hidden)
  # The kept classes are numbered anew.
  number = np.full(num_classes, -1)
  number[kept] = np.arange(len(kept))
  given = number[label]
  rows = unit_rows(
    components @ within_class_whitening(components, given, shrinkage)
  )
  found = semi_supervised_kmeans(
    rows,
    given,
    num_known=len(kept),
    num_clusters=num_classes,
    seed=seed,
    num_restarts=1,
    overclustering=OVERCLUSTERING,
  )
  is_hidden = given < 0
  table = np.zeros((num_classes, num_classes), np.int64)
  np.add.at(table, (found.assigned[is_hidden], label[is_hidden]), 1)
  # A hidden row in the cluster of a kept class is wrong.
  table = table[len(kept) :]
  matched = optimize.linear_sum_assignment(table, maximize=True)
  return float(table[matched].sum() / is_hidden.sum())
