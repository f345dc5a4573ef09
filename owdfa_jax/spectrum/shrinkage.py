"""Chooses how far to whiten, without a label of a novel class.

Half of the known classes are treated as novel: their labels are hidden, the
labelled rows are clustered, and the accuracy of the hidden ones is measured.
"""

import dataclasses

import numpy as np

from owdfa_jax.spectrum.clustering import (
  SURPLUS,
  constrained_kmeans,
  unit_rows,
)
from owdfa_jax.spectrum.whitening import within_class_whitening

# The values to choose from. At 1, components are whitened by all rows alone.
SHRINKAGES = (0.01, 0.03, 0.1, 0.3, 1.0)
# Where nothing can be held out.
_DEFAULT = 0.1
# How often to hide another half of the known classes. The accuracies of draws
# differ by 20 points, so fewer would choose by luck.
_DRAWS = 16
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
  scores: np.ndarray, label: np.ndarray, seed: int
) -> ShrinkageChoice:
  """Chooses the shrinkage by the accuracy on known classes that are held out.

  Only labelled rows are used, so the number of clusters is known.

  Args:
    scores: float32 [N, C], whitened components.
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
  scores, label = scores[labelled], label[labelled]
  generator = np.random.default_rng((seed, num_known))
  total = dict.fromkeys(SHRINKAGES, 0.0)
  for draw in range(_DRAWS):
    order = generator.permutation(num_known)
    kept, hidden = np.sort(order[num_known // 2 :]), order[: num_known // 2]
    for shrinkage in SHRINKAGES:
      total[shrinkage] += _hidden_accuracy(
        scores, label, kept, hidden, shrinkage, (seed, draw)
      )
  mean = {value: total[value] / _DRAWS for value in SHRINKAGES}
  return ShrinkageChoice(
    max(SHRINKAGES, key=mean.__getitem__),
    f'accuracy on {num_known // 2} of {num_known} known classes treated as '
    f'novel, mean of {_DRAWS} draws',
    {str(value): accuracy for value, accuracy in mean.items()},
  )


def _hidden_accuracy(
  scores: np.ndarray,
  label: np.ndarray,
  kept: np.ndarray,
  hidden: np.ndarray,
  shrinkage: float,
  seed: tuple[int, ...],
) -> float:
  """Returns the accuracy of hidden rows, classes matched to novel clusters.

  Args:
    scores: float32 [N, C], whitened components of labelled rows.
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
  rows = unit_rows(scores @ within_class_whitening(scores, given, shrinkage))
  found = constrained_kmeans(
    rows, given, num_classes, seed, num_restarts=1, surplus=SURPLUS
  )
  is_hidden = given < 0
  table = np.zeros((num_classes, num_classes), np.int64)
  np.add.at(table, (found.assigned[is_hidden], label[is_hidden]), 1)
  # A hidden row in the cluster of a kept class is wrong.
  table = table[len(kept) :]
  matched = optimize.linear_sum_assignment(table, maximize=True)
  return float(table[matched].sum() / is_hidden.sum())
