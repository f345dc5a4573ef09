"""CAL's dynamic prototype pruning: how many novel classes are there?

Training starts with many more prototypes than classes; after each epoch the
little used novel ones are merged into their nearest used one. Shapes stay: a
prototype keeps its row for life, and a mask says which rows are live. So
whatever belongs to a prototype (Adam's moments, its class id) stays beside it,
where the released code moves prototypes only.
"""

import jax
import jax.numpy as jnp

from owdfa_jax.losses import pairing

# Minus infinity times a probability of 0 would be NaN.
DEAD_LOGIT = -1e9

# Two standard deviations of a normal distribution, as the paper has it.
COVERAGE = 0.9544


def mask_dead(logits: jax.Array, live: jax.Array) -> jax.Array:
  """Logits [B, K] in which dead prototypes [K] get no probability."""
  return jnp.where(live, logits, DEAD_LOGIT)


def count_usage(logits: jax.Array) -> jax.Array:
  """How many rows of [B, K] have each class on top, int32 [K]."""
  top = jnp.argmax(logits, axis=-1, keepdims=True)
  classes = jnp.arange(logits.shape[-1])
  return jnp.sum(top == classes, axis=0, dtype=jnp.int32)


def keep_count(
  usage: jax.Array, count: jax.Array | int, coverage: float
) -> jax.Array:
  """How many of the most used prototypes to keep.

  First as many as make up the share `coverage` of all use. The rest is the
  tail, from the last of those on; keeping goes on while a prototype is used at
  least as much as the tail's mean, or falls from the one before it by at least
  the tail's mean fall.

  Args:
    usage: int or float [K] in descending order.
    count: the first so many of `usage` are real, the rest is padding.
    coverage: share in [0, 1].

  Returns:
    int32 scalar, between 1 and `count`; all of them if none was used.
  """
  position = jnp.arange(len(usage))
  real = position < count
  usage = jnp.where(real, usage, 0).astype(jnp.float32)
  total = jnp.sum(usage)
  # Products, not quotients: a compiler may round x / x below 1.
  first = jnp.sum(real & (jnp.cumsum(usage) < coverage * total))
  tail = real & (position >= first)
  below_mean = usage * jnp.sum(tail) < jnp.sum(usage * tail)
  # The fall to the tail's first is not within the tail.
  inside = tail & (position > first)
  fall = jnp.abs(jnp.diff(usage, prepend=usage[:1])) * inside
  small_fall = fall * jnp.sum(inside) < jnp.sum(fall)
  ends = tail & below_mean & small_fall
  kept = jnp.min(jnp.where(ends, position, count))
  return jnp.where(total > 0, kept, count).astype(jnp.int32)


def most_used(
  usage: jax.Array, eligible: jax.Array, coverage: float
) -> jax.Array:
  """Which of the `eligible` [K] to keep by `usage` [K], bool [K].

  Of equally used ones the lower index goes first.
  """
  # Padding sorts behind a prototype that was never used.
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

  A prototype that receives any becomes the direction of the mean of itself and
  these. It keeps its own length, where the released code gives it length 1 and
  so changes the scale of its logits against the untouched ones.

  Args:
    prototypes: float32 [K, C].
    kept: bool [K], those that may receive.
    dropped: bool [K], those that go; their rows become 0.
    parity_merge: the released code's length 1.

  Returns:
    float32 [K, C].
  """
  similarity = pairing.cosine_similarity(prototypes)
  nearest = jnp.argmax(jnp.where(kept, similarity, -jnp.inf), axis=1)
  joins = jax.nn.one_hot(nearest, len(prototypes)) * dropped[:, None]
  joins = jnp.where(kept.any(), joins, 0)
  received = jnp.sum(joins, axis=0)
  total = prototypes + jnp.matmul(
    joins.T, prototypes, precision=jax.lax.Precision.HIGHEST
  )
  mean = total / (1 + received[:, None])
  length = jnp.linalg.norm(mean, axis=1, keepdims=True)
  merged = mean / jnp.maximum(length, pairing.EPSILON)
  if not parity_merge:
    merged *= jnp.linalg.norm(prototypes, axis=1, keepdims=True)
  result = jnp.where(received[:, None] > 0, merged, prototypes)
  return jnp.where(dropped[:, None], 0, result)


def prune(
  prototypes: jax.Array,
  usage: jax.Array,
  live: jax.Array,
  num_known: int,
  *,
  coverage: float = COVERAGE,
  parity_merge: bool = False,
) -> tuple[jax.Array, jax.Array]:
  """One epoch's pruning; known prototypes stay as they are.

  Args:
    prototypes: float32 [K, C].
    usage: int [K], how often each was on top in the epoch.
    live: bool [K].
    num_known: the first so many prototypes are the known classes'.
    coverage: see `keep_count`.
    parity_merge: see `merge`.

  Returns:
    The prototypes, with zeros in dead rows, and who is live: never more than
    before. The estimated number of classes is the sum of that mask.
  """
  # Whatever an optimiser left in dead rows.
  prototypes = jnp.where(live[:, None], prototypes, 0)
  novel = jnp.arange(len(live)) >= num_known
  kept = most_used(usage, live & novel, coverage)
  dropped = live & novel & ~kept
  prototypes = merge(prototypes, kept, dropped, parity_merge=parity_merge)
  return prototypes, live & ~dropped
