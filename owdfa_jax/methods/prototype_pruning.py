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
from owdfa_jax.models.outputs import Head

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

  Sort prototypes by use. Keep those before the one that reaches `coverage`;
  that one starts the tail. Walk down the tail; stop at the first prototype with
  usage below the tail's mean and a drop below the tail's mean drop.

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
  # The drop to the tail's first prototype starts outside of the tail.
  inside = tail & (position > first)
  drop = jnp.abs(jnp.diff(usage, prepend=usage[:1])) * inside
  small_drop = drop * jnp.sum(inside) < jnp.sum(drop)
  ends = tail & below_mean & small_drop
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
  # Ineligible prototypes get 1 and sort last: eligible ones have -usage <= 0.
  order = jnp.argsort(jnp.where(eligible, -usage, 1), stable=True)
  number = keep_count(usage[order], jnp.sum(eligible), coverage)
  rank = jnp.zeros_like(order).at[order].set(jnp.arange(len(order)))
  return eligible & (rank < number)


def merge(
  prototypes: jax.Array,
  *,
  kept: jax.Array,
  dropped: jax.Array,
  parity_merge: bool = False,
) -> jax.Array:
  """Merges each dropped prototype into the kept one nearest by cosine.

  A kept prototype with others merged into it gets the direction of their common
  mean. Its length stays. The released code gives it length 1, which changes the
  scale of its logits relative to the other prototypes'.

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
  # If no prototype is kept, `argmax` returns 0, which is none to merge into.
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
  head: Head,
  usage: jax.Array,
  num_known: int,
  *,
  coverage: float = COVERAGE,
  parity_merge: bool = False,
) -> Head:
  """Prunes the novel prototypes by an epoch's usage; known ones stay.

  Args:
    head: the prototypes, and the mask of those that are not pruned yet.
    usage: int [K], how often each prototype was on top during the epoch.
    num_known: the first `num_known` prototypes belong to the known classes.
    coverage: see `keep_count`.
    parity_merge: see `merge`.

  Returns:
    The head, with zeros in the prototypes of pruned outputs. The number of
    outputs in use, which never grows, is the estimated number of classes.
  """
  # Weight decay and moments move pruned rows too; they must not be merged.
  prototypes = jnp.where(head.in_use[:, None], head.prototypes, 0)
  eligible = head.in_use & (jnp.arange(len(head.in_use)) >= num_known)
  kept = most_used(usage, eligible, coverage)
  dropped = eligible & ~kept
  prototypes = merge(
    prototypes, kept=kept, dropped=dropped, parity_merge=parity_merge
  )
  return Head(prototypes=prototypes, in_use=head.in_use & ~dropped)
