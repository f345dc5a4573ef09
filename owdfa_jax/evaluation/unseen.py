"""A score for "made by none of the sources that the network knows or found".

Each source is a Gaussian among the features of training rows. An image is of
none if a Gaussian of all rows explains it better, if it is far from all, or if
two explain it alike.

All functions are pure, but `cross_fitted_scores` shows its progress. Rows may
be split over devices: statistics are sums over rows.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from input_pipeline.progress_bars import with_progress
from owdfa_jax.evaluation.whitening_map import (
  LEAST_SHARE,
  Whitening,
  principal_whitening,
  whiten,
)

# The largest number of principal components, D.
COMPONENTS = 64
# The scatter of all sources is moved by this share towards that of a sphere.
_SPHERE = 0.05
# Rows of this label belong to no source, and fill arrays up.
_NO_SOURCE = -1
_SOURCES_AT_A_TIME = 16
# What the parts of the score are; files of earlier versions lack the last one.
PARTS = ('between', 'far', 'close')
# Chosen on classes that were left out of simulated Protocol 1: the AUROC of
# their training images. Weights from 2 to 3 and limits from -2 to -0.5 differ
# by less than 0.001 there.
_WEIGHT_OF_CLOSE = 3.0
# Images far from all sources can have one that is by much the least far. They
# must not count as certain.
_LEAST_CLOSE = -1.0
_EXACT = jax.lax.Precision.HIGHEST


class SourceDensities(NamedTuple):
  """A Gaussian for each source, and one of variance 1 for all rows together.

  Attributes:
    whitening: the map of features to principal components of variance 1.
    mean: float32 [K, D], of each source.
    factor: float32 [K, D, D]; (z - mean) factor has the covariance I.
    log_scale: float32 [K], the logarithm of the determinant of the factor;
      minus infinity for a source without rows.
    pooled: float32 [D, D], the factor of the covariance of all sources.
    usual: float32 [3], the mean over the training rows of `PARTS` of the score;
      [2] in files of earlier versions.
    spread: float32 [3], their standard deviations.
  """

  whitening: Whitening
  mean: jax.Array
  factor: jax.Array
  log_scale: jax.Array
  pooled: jax.Array
  usual: jax.Array
  spread: jax.Array


@functools.partial(jax.jit, static_argnames=('num_sources', 'components'))
def fit_densities(
  feature: jax.Array,
  assigned: jax.Array,
  num_sources: int,
  components: int = COMPONENTS,
) -> SourceDensities:
  """Fits the Gaussians of sources.

  With z the D whitened components, S_k the scatter of the n_k rows of source k
  around their mean, and G = sum_k S_k / N moved slightly towards a sphere, the
  covariance of source k is (S_k + D G) / (n_k + D): a source of few rows has
  nearly that of all sources.

  Args:
    feature: float32 [N, C].
    assigned: int32 [N], the source of each row, or -1 to leave it out.
    num_sources: K.
    components: D, at most C of which are used.

  References:
    Lee et al., "A simple unified framework for detecting out-of-distribution
    samples", NeurIPS 2018; Ren et al., "A simple fix to Mahalanobis distance
    for improving near-OOD detection", 2021 (both with one covariance for all).
    Friedman, "Regularized discriminant analysis", JASA 1989.
  """
  is_row = assigned > _NO_SOURCE
  whitening = principal_whitening(feature, is_row, components)
  rows = whiten(whitening, feature)
  size = rows.shape[1]
  member = jax.nn.one_hot(assigned, num_sources)
  count = member.sum(0)
  total = jnp.einsum('nk,nd->kd', member, rows, precision=_EXACT)
  mean = total / jnp.maximum(count, 1)[:, None]

  def scatter_of(source: jax.Array) -> jax.Array:
    apart = member[:, source, None] * (rows - mean[source])
    return jnp.einsum('nd,ne->de', apart, apart, precision=_EXACT)

  # One source after the other: no [N, K, D] in memory.
  scatter = jax.lax.map(scatter_of, jnp.arange(num_sources))
  pooled = scatter.sum(0) / jnp.maximum(is_row.sum(), 1)
  # At least the share of rounding errors, if no row differs from its mean.
  sphere = jnp.maximum(jnp.trace(pooled) / size, LEAST_SHARE) * jnp.eye(size)
  pooled = (1 - _SPHERE) * pooled + _SPHERE * sphere
  covariance = (scatter + size * pooled) / (count + size)[:, None, None]
  factor, log_scale = _factor(covariance)
  densities = SourceDensities(
    whitening,
    mean,
    factor,
    jnp.where(count > 0, log_scale, -jnp.inf),
    _factor(pooled)[0],
    jnp.zeros(len(PARTS)),
    jnp.ones(len(PARTS)),
  )
  parts = _parts(densities, rows)
  weight = is_row[:, None] / jnp.maximum(is_row.sum(), 1)
  usual = (weight * parts).sum(0)
  spread = jnp.sqrt((weight * (parts - usual) ** 2).sum(0))
  return densities._replace(
    usual=usual, spread=jnp.maximum(spread, LEAST_SHARE)
  )


@jax.jit
def unseen_score(densities: SourceDensities, feature: jax.Array) -> jax.Array:
  """Returns how little an image is like any source.

  Each part is reduced by its mean over the training rows and divided by its
  standard deviation there. The score is max(between, far) + 3 max(close, -1);
  it is no probability.

  - between: log N(z; 0, I) - max_k log N(z; mean_k, covariance_k) is large for
    an image that a Gaussian of all rows explains better than any source does;
  - far: min_k (z - mean_k)^T G^-1 (z - mean_k) / 2 is large for one far from
    every source;
  - close: the second largest log N(z; mean_k, covariance_k) minus the largest
    is near 0 for one between two sources. A new source often is where those
    like it meet.

  Args:
    densities: of the sources.
    feature: float32 [N, C].

  Returns:
    float32 [N], on the devices of the rows.
  """
  parts = _parts(densities, whiten(densities.whitening, feature))
  count = len(densities.usual)
  standard = (parts[:, :count] - densities.usual) / densities.spread
  score = standard[:, :2].max(1)
  if count < len(PARTS):
    return score
  return score + _WEIGHT_OF_CLOSE * jnp.maximum(standard[:, 2], _LEAST_CLOSE)


def cross_fitted_scores(
  feature: jax.Array,
  assigned: jax.Array,
  fold: jax.Array,
  scored: jax.Array,
  scored_fold: np.ndarray,
  num_sources: int,
  num_folds: int,
  replicated: jax.sharding.Sharding | None = None,
) -> np.ndarray:
  """Returns scores by the Gaussians of the rows in all other folds.

  So no row helped to fit what it is scored by. Takes seconds to a minute, most
  of it to compile; process 0 shows its progress.

  Args:
    feature: float32 [N, C], the rows that Gaussians are fitted to.
    assigned: int32 [N], see `fit_densities`.
    fold: int32 [N], below F.
    scored: float32 [P, C], the rows to score; those from M on fill up.
    scored_fold: int32 [M], the fold that each is scored without.
    num_sources: K.
    num_folds: F.
    replicated: all devices; None on a single one.

  Returns:
    float32 [M], on the host.
  """
  score_without = jax.jit(
    _score_without, static_argnames='num_sources', out_shardings=replicated
  )
  found = np.zeros(len(scored_fold), np.float32)
  # One fold after the other, the same program each time. In one program, the
  # devices of a CPU would wait for each other in different folds.
  folds = with_progress(
    range(num_folds),
    'unseen scores',
    num_folds,
    'fold',
    shown=jax.process_index() == 0,
  )
  for number in folds:
    score = score_without(
      feature, assigned, fold, np.int32(number), scored, num_sources=num_sources
    )
    mine = np.flatnonzero(scored_fold == number)
    found[mine] = np.asarray(score)[mine]
  return found


def _score_without(
  feature: jax.Array,
  assigned: jax.Array,
  fold: jax.Array,
  number: jax.typing.ArrayLike,
  scored: jax.Array,
  num_sources: int,
) -> jax.Array:
  others = jnp.where(fold == number, _NO_SOURCE, assigned)
  return unseen_score(fit_densities(feature, others, num_sources), scored)


def _parts(densities: SourceDensities, rows: jax.Array) -> jax.Array:
  """Returns `PARTS` of the score, float32 [N, 3].

  Args:
    densities: of the sources.
    rows: float32 [N, D], whitened.
  """

  def of_source(
    source: tuple[jax.Array, jax.Array, jax.Array],
  ) -> tuple[jax.Array, jax.Array]:
    mean, factor, log_scale = source
    own = jnp.matmul(rows - mean, factor, precision=_EXACT)
    common = jnp.matmul(rows - mean, densities.pooled, precision=_EXACT)
    distance = jnp.where(log_scale > -jnp.inf, (common**2).sum(-1), jnp.inf)
    return log_scale - (own**2).sum(-1) / 2, distance / 2

  # A few sources at a time: no [N, K, D] in memory.
  log_density, distance = jax.lax.map(
    of_source,
    (densities.mean, densities.factor, densities.log_scale),
    batch_size=_SOURCES_AT_A_TIME,
  )
  # The normalising constants of the Gaussians are the same.
  best = log_density.max(0)
  ratio = -(rows**2).sum(-1) / 2 - best
  is_best = jnp.arange(len(log_density))[:, None] == log_density.argmax(0)
  second = jnp.where(is_best, -jnp.inf, log_density).max(0)
  # A single source has no second one.
  close = jnp.where(second > -jnp.inf, second - best, 0)
  return jnp.stack([ratio, distance.min(0), close], 1)


def _factor(covariance: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Returns F with F F^T the inverse [..., D, D], and log det F [...]."""
  lower = jnp.linalg.cholesky(covariance)
  identity = jnp.broadcast_to(jnp.eye(covariance.shape[-1]), lower.shape)
  inverse = jax.lax.linalg.triangular_solve(
    lower, identity, left_side=True, lower=True
  )
  diagonal = jnp.diagonal(lower, axis1=-2, axis2=-1)
  return inverse.mT, -jnp.log(diagonal).sum(-1)


def threshold(seen_score: np.ndarray, false_alarm_rate: float) -> float:
  """Returns the score above which an image counts as of none of the sources.

  It is the lowest of the given scores above which at most the wanted share of
  them lies.

  Args:
    seen_score: float [N], scores of images of the sources; N is at least 1.
    false_alarm_rate: the share of such images that may be rejected, in [0, 1).
  """
  ordered = np.sort(seen_score)
  # Rounding must not take one more away than the rate allows.
  rejected = int(np.floor(false_alarm_rate * len(ordered) + 1e-9))
  return float(ordered[len(ordered) - 1 - rejected])


def rejected_at(
  seen_score: np.ndarray, unseen_score: np.ndarray, kept: float
) -> float:
  """Returns the share of unseen images that are rejected if seen ones are kept.

  Args:
    seen_score: float [N], of images of the sources.
    unseen_score: float [M], of images of other sources.
    kept: the share of seen images that is kept, in (0, 1].
  """
  limit = threshold(seen_score, 1 - kept)
  return float(np.mean(unseen_score > limit))


def auroc(seen_score: np.ndarray, unseen_score: np.ndarray) -> float:
  """Returns the area under the ROC curve of telling unseen from seen images.

  It is the chance that an unseen image has the higher score; equal scores count
  as half.

  Args:
    seen_score: float [N], N at least 1.
    unseen_score: float [M], M at least 1.
  """
  ordered = np.sort(seen_score)
  below = np.searchsorted(ordered, unseen_score, 'left')
  not_above = np.searchsorted(ordered, unseen_score, 'right')
  return float((below + not_above).mean() / 2 / len(ordered))
