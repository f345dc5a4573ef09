"""Losses that several methods share: pure functions of logits.

Most return one value for each row, and the caller decides which rows count.
Rows are selected by masks, never by slices, so a batch may come in any order.
"""

import jax
import jax.numpy as jnp
import optax

# PyTorch's binary cross entropy, which the released code uses, clamps its
# logarithm here.
MIN_LOG_AGREEMENT = -100.0
MIN_PROBABILITY = 1e-8


def masked_mean(values: jax.Array, mask: jax.Array) -> jax.Array:
  """Returns the mean of `values` [B] where `mask` [B] holds.

  Without any such row the mean is 0, not NaN. Values outside of the mask are
  not read and get gradient 0. They should still be finite: 0 times an infinite
  derivative further back is NaN.
  """
  total = jnp.sum(jnp.where(mask, values, 0))
  return total / jnp.maximum(jnp.sum(mask), 1)


def margin_cross_entropy(
  logits: jax.Array, label: jax.Array, margin: jax.Array | float
) -> jax.Array:
  """Computes the cross entropy after adding a margin to the true class's logit.

  CE(z + m onehot(y), y), the L_CE of CPL and MPSL with m = 0.2, and the L_S of
  ORCA with an m that follows the uncertainty. The margin is *added*, so it
  lowers the loss of known classes, which then do not learn faster than novel
  ones. Margin losses of face recognition subtract it and do the opposite.

  Args:
    logits: float [B, K].
    label: int [B]; a row of label -1 (unlabelled) gets 0 and no gradient.
    margin: m, constant added to the true class's logit.

  Returns:
    float32 [B].

  References:
    Sun et al., Contrastive Pseudo Learning for Open-World DeepFake Attribution,
    ICCV 2023.
    Cao et al., Open-World Semi-Supervised Learning, ICLR 2022.
  """
  logits = logits.astype(jnp.float32)
  # An integer label of -1 would select the last class; its one-hot row is 0.
  target = jax.nn.one_hot(label, logits.shape[-1])
  return optax.softmax_cross_entropy(logits + margin * target, target)


def agreement(logits: jax.Array, others: jax.Array) -> jax.Array:
  """Computes the loss of two predictions that should be of one class.

  -max(log <p, p'>, -100), the summand of L_GLV, L_MPV and ORCA's L_P: binary
  cross entropy of the inner product with target 1. The gradient flows into
  both predictions. The loss of a prediction with itself is not 0 but
  -log ||p||^2, so a row without a partner is pushed towards confidence.

  Args:
    logits: float [B, K], of p.
    others: float [B, K], of p'.

  Returns:
    float32 [B], in [0, 100].

  References:
    Cao et al., Open-World Semi-Supervised Learning, ICLR 2022.
    Sun et al., Contrastive Pseudo Learning for Open-World DeepFake Attribution,
    ICCV 2023.
  """
  # In the log domain nothing underflows on the way to e^-100, which float32
  # holds as a denormal at best, and the gradient is finite everywhere.
  log_prob, log_other = (
    jax.nn.log_softmax(x.astype(jnp.float32)) for x in (logits, others)
  )
  log_agreement = jax.nn.logsumexp(log_prob + log_other, axis=-1)
  return -jnp.maximum(log_agreement, MIN_LOG_AGREEMENT)


def pair_agreement(logits: jax.Array, partner: jax.Array) -> jax.Array:
  """Computes `agreement` of each row with its partner, float32 [B].

  Args:
    logits: float [B, K].
    partner: int [B], the row of each row's partner.
  """
  return agreement(logits, logits[partner])


def soft_pseudo_label(
  logits: jax.Array, gumbel: jax.Array, *, detach_confidence: bool = False
) -> jax.Array:
  """Computes the cross entropy to a perturbed prediction, times its confidence.

  L_CSP of CPL (confidence-based soft pseudo-labels) and L_FCP of MPSL:
  CE(z, r) p[t] with r = softmax(sg(z) + G) and t = argmax r, where G is Gumbel
  noise, so that t is a sample of p. The released code differentiates the weight
  p[t]; the loss then also falls when the network loses confidence.

  Args:
    logits: z, float [B, K].
    gumbel: G, standard Gumbel noise, float [B, K].
    detach_confidence: hold the weight p[t] constant.

  Returns:
    float32 [B].

  References:
    Sun et al., Contrastive Pseudo Learning for Open-World DeepFake Attribution,
    ICCV 2023.
  """
  logits = logits.astype(jnp.float32)
  perturbed = jax.lax.stop_gradient(logits) + gumbel
  log_prob = jax.nn.log_softmax(logits)
  sampled = jnp.argmax(perturbed, axis=-1, keepdims=True)
  confidence = jnp.exp(jnp.take_along_axis(log_prob, sampled, axis=-1))[:, 0]
  if detach_confidence:
    confidence = jax.lax.stop_gradient(confidence)
  cross_entropy = -jnp.sum(jax.nn.softmax(perturbed) * log_prob, axis=-1)
  return cross_entropy * confidence


def hard_pseudo_label(logits: jax.Array, target: jax.Array) -> jax.Array:
  """Computes the cross entropy to classes, float32 [B].

  Args:
    logits: float [B, K].
    target: int [B]; unlike a label it must not be -1, which would select the
      last class.
  """
  return optax.softmax_cross_entropy_with_integer_labels(
    logits.astype(jnp.float32), target
  )


def entropy(prob: jax.Array) -> jax.Array:
  """Computes entropies in nats, [..., K] to [...].

  Probabilities are clamped at 1e-8, as in the released code; a clamped one has
  no gradient.
  """
  # `jnp.maximum` would halve the gradient of a probability at the clamp.
  prob = jnp.where(prob >= MIN_PROBABILITY, prob, MIN_PROBABILITY)
  return -jnp.sum(prob * jnp.log(prob), axis=-1)


def mean_prediction_entropy(logits: jax.Array) -> jax.Array:
  """Computes the entropy of the batch's mean prediction, [B, K] to float32 [].

  H(mean_i p_i), which ORCA, SimGCD, CPL and MPSL maximise, so it is subtracted
  from the loss: otherwise all unlabelled rows can end up in one class. It asks
  for equal use of the classes within each batch, which an unbalanced dataset
  does not have.
  """
  return entropy(jax.nn.softmax(logits.astype(jnp.float32)).mean(axis=0))


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

  References:
    Zheng et al., Open-World Deepfake Attribution via Confidence-Aware
    Asymmetric Learning, AAAI 2026.
  """
  logits = jnp.concatenate([weak, strong]).astype(jnp.float32)
  mean = jax.nn.softmax(logits).mean(axis=0)
  # A masked class has probability 0, where the logarithm's gradient is NaN.
  information = mean * jnp.log(jnp.where(mean > 0, mean, 1))
  count = logits.shape[-1] if in_use is None else jnp.sum(in_use)
  return (jnp.log(count) + jnp.sum(information)) / 2
