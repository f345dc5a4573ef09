"""CAL's losses, and its adaptive threshold.

References:
  Zheng et al., Open-World Deepfake Attribution via Confidence-Aware Asymmetric
  Learning, AAAI 2026.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from owdfa_jax.losses import common
from owdfa_jax.losses.checks import check_logits

# The released code keeps the novel classes' mean confidence relative to the
# known ones' in these bounds.
MIN_RATIO, MAX_RATIO = 0.1, 10.0


def confidence_consistency(
  *,
  weak: jax.Array,
  strong: jax.Array,
  progress: jax.Array | float,
  teacher_temperature: float = 0.1,
  student_temperature: float = 1.0,
) -> jax.Array:
  """Computes L_CCR: the strong view learns the weak view's sharp prediction.

  w CE(q, z_strong) with q = sg softmax(z_weak / 0.1), c = max q and the weight
  w = (1 - t) c + t (1 - c): rows of high confidence weigh more early in
  training, rows of low confidence late. No gradient reaches the weak view. The
  sharpening brings c close to 1 where the top logit leads by 0.5 or more; in
  the last epochs such rows weigh next to nothing.

  Args:
    weak: z_weak, float [B, K].
    strong: z_strong, float [B, K].
    progress: t = (epoch + 1) / epochs, in (0, 1].
    teacher_temperature: divides the weak view's logits before the softmax.
    student_temperature: divides the strong view's logits.

  Returns:
    float32 [B].
  """
  check_logits(weak=weak, strong=strong)
  weak = jax.lax.stop_gradient(weak).astype(jnp.float32)
  teacher = jax.nn.softmax(weak / teacher_temperature)
  confidence = jnp.max(teacher, axis=-1)
  weight = (1 - progress) * confidence + progress * (1 - confidence)
  student = jax.nn.log_softmax(strong.astype(jnp.float32) / student_temperature)
  return -weight * jnp.sum(teacher * student, axis=-1)


def non_uniformity(
  weak: jax.Array, strong: jax.Array, in_use: jax.Array | None = None
) -> jax.Array:
  """Computes CAL's regulariser R, which is 0 if all classes are used equally.

  R = (log K - H(mean p)) / 2, with the mean over both views' rows. K counts the
  outputs in use only: with all of them R could never reach 0.

  Args:
    weak: float [B, K].
    strong: float [B, K].
    in_use: bool [K], the outputs that are not pruned; the logits of the others
      must be masked. None means all.

  Returns:
    float32 [].

  Examples:
    >>> even = 30 * jnp.eye(4)
    >>> one_class = jnp.tile(even[:1], (4, 1))
    >>> for logits in (even, one_class):
    ...   print(f'{abs(non_uniformity(logits, logits)):.3f}')  # 0, log(4) / 2
    0.000
    0.693
  """
  check_logits(weak=weak, strong=strong)
  logits = jnp.concatenate([weak, strong]).astype(jnp.float32)
  mean = jax.nn.softmax(logits).mean(axis=0)
  # A masked class has probability 0, where the logarithm's gradient is NaN.
  information = mean * jnp.log(jnp.where(mean > 0, mean, 1))
  count = logits.shape[-1] if in_use is None else jnp.sum(in_use)
  return (jnp.log(count) + jnp.sum(information)) / 2


def accept_pseudo_labels(
  weak: jax.Array,
  unlabelled: jax.Array,
  num_known: int,
  *,
  known_threshold: float,
  novel_threshold: jax.Array | float,
) -> tuple[jax.Array, jax.Array]:
  """Selects ACR's pseudo-labels: confident predictions of the weak view.

  Known and novel predictions have thresholds of their own, because a network is
  less confident about classes without labels. The same view is then trained on
  these labels, as in the released code.

  Args:
    weak: float [B, K].
    unlabelled: bool [B], the rows that may get a pseudo-label.
    num_known: number of known classes, which come first.
    known_threshold: least confidence for a known class.
    novel_threshold: least confidence for a novel class.

  Returns:
    The accepted rows, bool [B], and the predicted classes, int32 [B].
  """
  _, confidence, target = common.predict(weak)
  known = target < num_known
  threshold = jnp.where(known, known_threshold, novel_threshold)
  return unlabelled & (confidence >= threshold), target


def accepted_cross_entropy(
  weak: jax.Array, mask: jax.Array, target: jax.Array
) -> jax.Array:
  """Computes L_ACR: the mean cross entropy of the accepted rows.

  The mean is over the accepted rows alone, so a single one weighs as much as a
  full batch of them. Without any, the loss is 0.

  Args:
    weak: float [B, K].
    mask: bool [B], the accepted rows.
    target: int [B], their pseudo-labels.

  Returns:
    float32 [].
  """
  return common.masked_mean(common.integer_cross_entropy(weak, target), mask)


class ConfidenceSums(NamedTuple):
  """Confidences of an epoch's rows, summed by the kind of the predicted class.

  Only rows whose two views agree on the class count. All are float32 [].

  Attributes:
    known: sum over rows predicted as a known class.
    known_count: number of these rows.
    novel: sum over rows predicted as a novel class.
    novel_count: number of these rows.
  """

  known: jax.Array
  known_count: jax.Array
  novel: jax.Array
  novel_count: jax.Array


def no_confidence() -> ConfidenceSums:
  """Returns the sums at the start of an epoch, all 0."""
  # Four arrays, not one used four times: the step donates its buffers.
  return ConfidenceSums(*(jnp.zeros((), jnp.float32) for _ in range(4)))


def add_confidence(
  sums: ConfidenceSums, *, weak: jax.Array, strong: jax.Array, num_known: int
) -> ConfidenceSums:
  """Adds a batch to an epoch's sums.

  Counts labelled rows too, as the released code does.

  Args:
    sums: the epoch's sums so far.
    weak: float [B, K].
    strong: float [B, K].
    num_known: number of known classes, which come first.
  """
  _, confidence, target = common.predict(weak)
  agree = target == common.predict(strong).label
  known, novel = agree & (target < num_known), agree & (target >= num_known)
  return ConfidenceSums(
    known=sums.known + jnp.sum(confidence * known),
    known_count=sums.known_count + jnp.sum(known),
    novel=sums.novel + jnp.sum(confidence * novel),
    novel_count=sums.novel_count + jnp.sum(novel),
  )


def novel_threshold(
  sums: ConfidenceSums, *, previous: jax.Array, known_threshold: float
) -> jax.Array:
  """Computes the next epoch's threshold for novel classes, float32 [].

  tau_novel = tau_known clip(mean novel confidence / mean known confidence, 0.1,
  10). It stays as it was if all predictions were known, or all novel.

  Args:
    sums: the sums of the epoch that ends.
    previous: the threshold of the epoch that ends.
    known_threshold: tau_known.
  """
  known = sums.known / jnp.maximum(sums.known_count, 1)
  novel = sums.novel / jnp.maximum(sums.novel_count, 1)
  has_both = (sums.known_count > 0) & (sums.novel_count > 0)
  # The division must be finite even where its result is not used.
  ratio = jnp.clip(novel / jnp.where(has_both, known, 1), MIN_RATIO, MAX_RATIO)
  return jnp.where(has_both, known_threshold * ratio, previous)
