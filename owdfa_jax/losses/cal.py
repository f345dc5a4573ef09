"""CAL's losses on two views, weak and strong, and its adaptive threshold."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from owdfa_jax.losses import common


def confidence_consistency(
  weak: jax.Array,
  strong: jax.Array,
  progress: jax.Array | float,
  *,
  teacher_temperature: float = 0.1,
  student_temperature: float = 1.0,
) -> jax.Array:
  """CCR: the strong view learns the weak view's sharpened prediction.

  With q = sg softmax(weak / 0.1) and c = max q a row weighs
  w = (1 - t) c + t (1 - c): confident rows early, doubtful ones late. The value
  is w * CE(q, strong); no gradient reaches the weak view.

  Args:
    weak: float [B, K].
    strong: float [B, K].
    progress: t = (epoch + 1) / epochs, in (0, 1].
    teacher_temperature: of the weak view's softmax.
    student_temperature: of the strong view's.

  Returns:
    float32 [B].
  """
  weak = jax.lax.stop_gradient(weak).astype(jnp.float32)
  teacher = jax.nn.softmax(weak / teacher_temperature)
  confidence = jnp.max(teacher, axis=-1)
  weight = (1 - progress) * confidence + progress * (1 - confidence)
  student = jax.nn.log_softmax(strong.astype(jnp.float32) / student_temperature)
  return -weight * jnp.sum(teacher * student, axis=-1)


def non_uniformity(
  weak: jax.Array, strong: jax.Array, live: jax.Array | None = None
) -> jax.Array:
  """(log K - H(mean p)) / 2 over both views' rows; 0 for even usage.

  Args:
    weak: float [B, K].
    strong: float [B, K].
    live: bool [K], classes in use: K is their number, and the logits of the
      others must be masked. None for all.

  Returns:
    float32 scalar.
  """
  both = jnp.concatenate([weak, strong]).astype(jnp.float32)
  mean = jax.nn.softmax(both).mean(axis=0)
  # A masked class has probability 0, where the logarithm's gradient is not.
  used = mean > 0
  information = mean * jnp.log(jnp.where(used, mean, 1))
  count = both.shape[-1] if live is None else jnp.sum(live)
  return (jnp.log(count) + jnp.sum(information)) / 2


def accept_pseudo_labels(
  weak: jax.Array,
  unlabelled: jax.Array,
  num_known: int,
  *,
  known_threshold: float,
  novel_threshold: jax.Array | float,
) -> tuple[jax.Array, jax.Array]:
  """ACR's choice: hard labels from the weak view where it is sure enough.

  Args:
    weak: float [B, K].
    unlabelled: bool [B].
    num_known: a prediction below it is of a known class.
    known_threshold: least confidence for a known class.
    novel_threshold: least confidence for a novel one.

  Returns:
    mask bool [B], accepted rows; target int32 [B].
  """
  confidence, target = _prediction(weak)
  known = target < num_known
  threshold = jnp.where(known, known_threshold, novel_threshold)
  return unlabelled & (confidence >= threshold), target


def accepted_cross_entropy(
  weak: jax.Array, mask: jax.Array, target: jax.Array
) -> jax.Array:
  """ACR: mean cross entropy of the accepted rows, 0 without any.

  Args:
    weak: float [B, K].
    mask: bool [B], accepted rows.
    target: int [B].
  """
  return common.masked_mean(common.hard_pseudo_label(weak, target), mask)


class ConfidenceSums(NamedTuple):
  """Confidence of rows predicted as known and as novel, float32 scalars.

  Summed over an epoch, of the rows whose two views agree on the class.
  """

  known: jax.Array
  known_count: jax.Array
  novel: jax.Array
  novel_count: jax.Array


def no_confidence() -> ConfidenceSums:
  """The sums at the start of an epoch."""
  return ConfidenceSums(*(jnp.zeros((), jnp.float32) for _ in range(4)))


def add_confidence(
  sums: ConfidenceSums, weak: jax.Array, strong: jax.Array, num_known: int
) -> ConfidenceSums:
  """Adds a batch, labelled rows included as in the released code.

  Args:
    sums: of the epoch so far.
    weak: float [B, K].
    strong: float [B, K].
    num_known: a prediction below it is of a known class.
  """
  confidence, target = _prediction(weak)
  agree = target == _prediction(strong)[1]
  known, novel = agree & (target < num_known), agree & (target >= num_known)
  return ConfidenceSums(
    known=sums.known + jnp.sum(confidence * known),
    known_count=sums.known_count + jnp.sum(known),
    novel=sums.novel + jnp.sum(confidence * novel),
    novel_count=sums.novel_count + jnp.sum(novel),
  )


def novel_threshold(
  sums: ConfidenceSums, before: jax.Array, known_threshold: float
) -> jax.Array:
  """The next epoch's threshold for novel classes, float32 scalar.

  known_threshold * clip(mean novel confidence / mean known one, 0.1, 10); as it
  was when nothing was predicted on one side.
  """
  known = sums.known / jnp.maximum(sums.known_count, 1)
  novel = sums.novel / jnp.maximum(sums.novel_count, 1)
  both = (sums.known_count > 0) & (sums.novel_count > 0)
  ratio = novel / jnp.where(both, known, 1)
  return jnp.where(both, known_threshold * jnp.clip(ratio, 0.1, 10), before)


def _prediction(logits: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Largest probability float32 [B] and its class int32 [B], no gradient."""
  logits = jax.lax.stop_gradient(logits).astype(jnp.float32)
  confidence = jnp.max(jax.nn.softmax(logits), axis=-1)
  return confidence, jnp.argmax(logits, axis=-1).astype(jnp.int32)
