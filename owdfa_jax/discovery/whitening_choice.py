"""Chooses how to whiten features, by classes whose labels are held out.

The truth of novel sources is not known. So some known classes play their part:
their labels are taken away, all rows are clustered as usual, and the rows whose
labels were taken away are scored.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from owdfa_jax.discovery.clusters import semi_supervised_kmeans, whiten_rows
from owdfa_jax.discovery.whitening import KINDS, WhiteningKind
from owdfa_jax.evaluation.group_features import RowFeatures
from owdfa_jax.evaluation.metrics import clustering_accuracy
from owdfa_jax.parallel import Placement

# The first one is taken unless another is better by more than chance.
CANDIDATES = (*KINDS.values(), WhiteningKind('pca', components=32))
DEFAULT = CANDIDATES[0]
NUM_DRAWS = 5
# Of the known classes, and of the labelled rows of the other classes.
HELD_OUT_SHARE = 0.25
# A difference of less than this is not worth a deviation from the default.
_LEAST_GAIN = 0.005


class HeldOut(NamedTuple):
  """One draw of labels that are taken away.

  Attributes:
    label: int32 [N], the labels that are left; the C' classes that keep some
      are numbered from 0.
    num_known: C'.
    rows: int [M], the rows whose labels were taken away.
  """

  label: np.ndarray
  num_known: int
  rows: np.ndarray


class Choice(NamedTuple):
  """The chosen kind of whitening, and why.

  Attributes:
    kind: the kind.
    scores: the mean score of each candidate, in [0, 1], by its name; empty if
      nothing could be held out.
    reason: in words.
  """

  kind: WhiteningKind
  scores: Mapping[str, float]
  reason: str

  def report(self) -> dict[str, Any]:
    """Returns the choice for `report.json`."""
    return {
      'whitening': str(self.kind),
      'whitening_scores': dict(self.scores),
      'whitening_reason': self.reason,
    }


def choose_whitening(
  feature: np.ndarray | jax.Array,
  label: np.ndarray,
  *,
  num_known: int,
  num_clusters: int,
  seed: int,
  placement: Placement | None = None,
  rows: RowFeatures | None = None,
  candidates: tuple[WhiteningKind, ...] = CANDIDATES,
) -> Choice:
  """Chooses the kind of whitening that finds held-out known classes best.

  The score of a draw is the accuracy on the rows whose labels were taken away,
  under the best matching of clusters and classes. The default wins unless the
  gain of another kind over it is larger than its standard error over the draws.

  Args:
    feature: float32 [M, C], M >= N, see `clusters.semi_supervised_kmeans`.
    label: int32 [N], a known class or -1.
    num_known: the number of known classes. With one, nothing can be held out.
    num_clusters: K, of known and novel classes.
    seed: draws what is held out.
    placement: the devices that share the rows.
    rows: as for `clusters.whiten_rows`.
    candidates: the kinds; `DEFAULT` is the first.
  """
  if num_known < 2:
    why = 'the default: one known class, none to hold out'
    return Choice(candidates[0], {}, why)
  draws = [
    hold_out(label, num_known, np.random.default_rng((seed, n)))
    for n in range(NUM_DRAWS)
  ]
  scores = np.array(
    [
      [
        _score(kind, feature, label, draw, num_clusters, n, placement, rows)
        for n, draw in enumerate(draws)
      ]
      for kind in candidates
    ]
  )
  gains = scores - scores[0]
  error = gains.std(1, ddof=1) / np.sqrt(NUM_DRAWS)
  is_better = gains.mean(1) > np.maximum(error, _LEAST_GAIN)
  best = int(np.argmax(np.where(is_better, scores.mean(1), -1)))
  means = {
    str(kind): round(float(mean), 4)
    for kind, mean in zip(candidates, scores.mean(1), strict=True)
  }
  # The default is never better than itself, and 0 where no kind is.
  return Choice(candidates[best], means, _reason(best == 0))


def hold_out(
  label: np.ndarray, num_known: int, rng: np.random.Generator
) -> HeldOut:
  """Takes away all labels of some classes, and some labels of the others.

  Every other class keeps a labelled row.

  Args:
    label: int32 [N], a known class or -1.
    num_known: the number of known classes, at least 2.
    rng: draws the classes and the rows.
  """
  number = max(1, round(HELD_OUT_SHARE * num_known))
  held = rng.permutation(num_known)[:number]
  kept = np.setdiff1d(np.arange(num_known), held)
  left = np.full(len(label), -1, np.int32)
  for new, old in enumerate(kept):
    rows = rng.permutation(np.flatnonzero(label == old))
    left[rows[int(HELD_OUT_SHARE * len(rows)) :]] = new
  return HeldOut(left, len(kept), np.flatnonzero((label >= 0) & (left < 0)))


def _score(
  kind: WhiteningKind,
  feature: np.ndarray | jax.Array,
  label: np.ndarray,
  draw: HeldOut,
  num_clusters: int,
  number: int,
  placement: Placement | None,
  rows: RowFeatures | None,
) -> float:
  """Returns the accuracy on the rows that a draw holds out, in [0, 1]."""
  _, whitened = whiten_rows(
    kind,
    feature,
    draw.label,
    num_known=draw.num_known,
    placement=placement,
    rows=rows,
  )
  found = semi_supervised_kmeans(
    whitened,
    draw.label,
    num_known=draw.num_known,
    num_clusters=num_clusters,
    key=jax.random.key(number),
    # Enough to compare kinds; the clusters that are used get more.
    num_restarts=1,
    placement=placement,
  )
  assigned = jax.device_get(found.assigned)[draw.rows]
  return clustering_accuracy(label[draw.rows], assigned)


def _reason(is_default: bool) -> str:
  if is_default:
    return (
      'the default: no other kind finds held-out known classes better by more '
      f'than chance ({NUM_DRAWS} draws)'
    )
  return f'finds held-out known classes best (mean of {NUM_DRAWS} draws)'


def describe_choice(choice: Choice) -> str:
  """Returns a line on the choice, for the log.

  Args:
    choice: what `choose_whitening` returned.
  """
  scores = ', '.join(
    f'{name} {100 * score:.1f}' for name, score in choice.scores.items()
  )
  line = f'whitening: {choice.kind}, {choice.reason}'
  return f'{line}; accuracy on them: {scores}' if scores else line
