"""CAL's dynamic prototype pruning (DPP), which estimates the number of classes.

Training starts with many more prototypes than classes. After each epoch the
novel prototypes that were used little are merged into their nearest used one.
Shapes do not change: a prototype keeps its row, and a mask says which rows are
in use. Whatever belongs to a prototype (Adam's moments, its class id) therefore
stays aligned with it; the released code moves the prototypes alone.

References:
  Zheng et al., Open-World Deepfake Attribution via Confidence-Aware Asymmetric
  Learning, AAAI 2026.
"""

import jax
import jax.numpy as jnp

from owdfa_jax import vectors
from owdfa_jax.losses.similarity import cosine_similarity

# The share of a normal distribution within two standard deviations.
COVERAGE = 0.9544


def count_usage(logits: jax.Array) -> jax.Array:
  """Counts the rows of [B, K] that have each class on top, int32 [K]."""
  top = jnp.argmax(logits, axis=-1, keepdims=True)
  classes = jnp.arange(logits.shape[-1])
  return jnp.sum(top == classes, axis=0, dtype=jnp.int32)


def keep_count(
  usage: jax.Array, count: jax.Array | int, coverage: float
) -> jax.Array:
  """Returns how many of the most used prototypes to keep.

  At first those that make up the share `coverage` of all use. The tail starts
  at the last of them. Prototypes of the tail are kept, in order, until one is
  used less than the tail's mean *and* falls from the one before it by less than
  the tail's mean fall.

  Args:
    usage: int or float [K] in descending order.
    count: the first `count` entries of `usage` are real, the rest is padding.
    coverage: share in [0, 1].

  Returns:
    int32 [], from 1 to `count`; `count` if nothing was used.
  """
  position = jnp.arange(len(usage))
  real = position < count
  usage = jnp.where(real, usage, 0).astype(jnp.float32)
  total = jnp.sum(usage)
  # Products, not quotients: a compiler may round x / x below 1.
  first = jnp.sum(real & (jnp.cumsum(usage) < coverage * total))
  tail = real & (position >= first)
  below_mean = usage * jnp.sum(tail) < jnp.sum(usage * tail)
  # The fall to the tail's first prototype starts outside of the tail.
  inside = tail & (position > first)
  fall = jnp.abs(jnp.diff(usage, prepend=usage[:1])) * inside
  small_fall = fall * jnp.sum(inside) < jnp.sum(fall)
  ends = tail & below_mean & small_fall
  kept = jnp.min(jnp.where(ends, position, count))
  return jnp.where(total > 0, kept, count).astype(jnp.int32)


def most_used(
  usage: jax.Array, eligible: jax.Array, coverage: float
) -> jax.Array:
  """Selects the prototypes to keep by their usage.

  Of prototypes used equally often, those of lower index are kept first.

  Args:
    usage: int [K].
    eligible: bool [K], the prototypes to choose from.
    coverage: see `keep_count`.

  Returns:
    bool [K], part of `eligible`.
  """
  # 1 sorts the others behind a prototype that was never used, which has 0.
  order = jnp.argsort(jnp.where(eligible, -usage, 1), stable=True)
  number = keep_count(usage[order], jnp.sum(eligible), coverage)
  rank = jnp.zeros_like(order).at[order].set(jnp.arange(len(order)))
  return eligible & (rank < number)


def merge(
  prototypes: jax.Array,
  kept: jax.Array,
  dropped: jax.Array,
  *,
  parity_merge: bool = False,
) -> jax.Array:
  """Merges each dropped prototype into the kept one nearest by cosine.

  A prototype that receives others takes the direction of the mean of itself and
  these, and keeps its length. The released code gives it length 1, which
  changes the scale of its logits relative to the other prototypes'.

  Args:
    prototypes: float32 [K, C].
    kept: bool [K], the prototypes that may receive others.
    dropped: bool [K], the prototypes to merge; their rows become 0.
    parity_merge: use length 1, as the released code does.

  Returns:
    float32 [K, C].
  """
  cosine = cosine_similarity(prototypes)
  nearest = jnp.argmax(jnp.where(kept, cosine, -jnp.inf), axis=1)
  # joins[i, j]: prototype i is merged into prototype j.
  joins = jax.nn.one_hot(nearest, len(prototypes)) * dropped[:, None]
  joins = jnp.where(kept.any(), joins, 0)
  received = jnp.sum(joins, axis=0)
  total = prototypes + jnp.matmul(
    joins.T, prototypes, precision=jax.lax.Precision.HIGHEST
  )
  # The mean's own length is dropped: opposed prototypes would shorten it.
  merged = vectors.unit(total / (1 + received[:, None]))
  if not parity_merge:
    merged *= vectors.length(prototypes)
  result = jnp.where(received[:, None] > 0, merged, prototypes)
  return jnp.where(dropped[:, None], 0, result)


def prune(
  prototypes: jax.Array,
  usage: jax.Array,
  in_use: jax.Array,
  num_known: int,
  *,
  coverage: float = COVERAGE,
  parity_merge: bool = False,
) -> tuple[jax.Array, jax.Array]:
  """Prunes the novel prototypes by an epoch's usage; known ones stay.

  Args:
    prototypes: float32 [K, C].
    usage: int [K], how often each prototype was on top during the epoch.
    in_use: bool [K], the prototypes that are not pruned yet.
    num_known: the first `num_known` prototypes belong to the known classes.
    coverage: see `keep_count`.
    parity_merge: see `merge`.

  Returns:
    The prototypes, float32 [K, C], with zeros in pruned rows, and the mask of
    those in use, bool [K]: never more than before. Their number is the
    estimated number of classes.
  """
  # Weight decay and moments move pruned rows too; they must not be merged.
  prototypes = jnp.where(in_use[:, None], prototypes, 0)
  novel = jnp.arange(len(in_use)) >= num_known
  kept = most_used(usage, in_use & novel, coverage)
  dropped = in_use & novel & ~kept
  prototypes = merge(prototypes, kept, dropped, parity_merge=parity_merge)
  return prototypes, in_use & ~dropped
