"""Losses and means that several files use: pure functions of logits.

Most return one value for each row, and the caller decides which rows count.
Rows are selected by masks, never by slices, so a batch may come in any order.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from owdfa_jax.losses.checks import check_label, check_logits

# PyTorch's binary cross entropy, which the released code uses, clamps its
# logarithm here.
MIN_LOG_AGREEMENT = -100.0
MIN_PROBABILITY = 1e-8


class Prediction(NamedTuple):
  """What a network predicts for B rows; for decisions, without gradient.

  Attributes:
    probability: float32 [B, K].
    confidence: float32 [B], the largest probability.
    label: int32 [B], the class of the largest logit.
  """

  probability: jax.Array
  confidence: jax.Array
  label: jax.Array


def predict(logits: jax.Array) -> Prediction:
  """Returns the prediction of logits, float [B, K]."""
  check_logits(logits=logits)
  logits = jax.lax.stop_gradient(logits).astype(jnp.float32)
  probability = jax.nn.softmax(logits)
  # The softmax can round two different logits to one probability.
  label = jnp.argmax(logits, axis=-1).astype(jnp.int32)
  return Prediction(probability, probability.max(axis=-1), label)


def masked_mean(values: jax.Array, mask: jax.Array) -> jax.Array:
  """Returns the mean of `values` [B] where `mask` [B] holds.

  Without any such row the mean is 0, not NaN. Values outside of the mask are
  not read and get gradient 0. Keep them finite too: the backward pass
  multiplies their derivative by 0, and 0 * inf is NaN.

  Raises:
    ValueError: the shapes differ.
  """
  # [B] and [B, 1] would broadcast to [B, B], and the mean would be wrong.
  if values.shape != mask.shape:
    raise ValueError(
      f'values and mask must have one shape, got {values.shape} and '
      f'{mask.shape}'
    )
  total = jnp.sum(jnp.where(mask, values, 0))
  return total / jnp.maximum(jnp.sum(mask), 1)


def margin_cross_entropy(
  logits: jax.Array, label: jax.Array, margin: jax.Array | float
) -> jax.Array:
  """Computes the cross entropy after adding a margin to the true class's logit.

  Returns CE(z + m onehot(y), y). CPL and MPSL use m = 0.2; in ORCA m grows with
  the uncertainty. The margin is *added*, so it lowers the loss of known
  classes, which then do not learn faster than novel ones. Margin losses of face
  recognition subtract it and do the opposite.

  Args:
    logits: float [B, K].
    label: int [B]; a row of label -1 (unlabelled) gets 0 and no gradient.
    margin: m, constant added to the true class's logit.

  Returns:
    float32 [B].

  Raises:
    ValueError: an argument has another rank or dtype.

  Examples:
    >>> logits, label = jnp.array([[0.0, 1.0]]), jnp.array([0])
    >>> for margin in (0.0, 0.2):
    ...   loss = margin_cross_entropy(logits, label, margin)
    ...   print(f'{loss[0]:.3f}')
    1.313
    1.171

  References:
    Sun et al., Contrastive Pseudo Learning for Open-World DeepFake Attribution,
    ICCV 2023.
    Cao et al., Open-World Semi-Supervised Learning, ICLR 2022.
  """
  check_logits(logits=logits)
  check_label(len(logits), label=label)
  logits = logits.astype(jnp.float32)
  # An integer label of -1 would select the last class; its one-hot row is 0.
  target = jax.nn.one_hot(label, logits.shape[-1])
  return optax.softmax_cross_entropy(logits + margin * target, target)


def agreement_loss(logits: jax.Array, others: jax.Array) -> jax.Array:
  """Computes the loss of two predictions that should be of one class.

  -max(log <p, p'>, -100), the summand of L_GLV, L_MPV and ORCA's L_P: binary
  cross entropy of the inner product with target 1. The gradient flows into
  both predictions. A row paired with itself has loss -log ||p||^2, which is 0
  only for a one-hot p. This trains the row to be confident.

  Args:
    logits: the logits of p, float [B, K].
    others: the logits of p', float [B, K].

  Returns:
    float32 [B], in [0, 100].

  Raises:
    ValueError: an argument has another rank or dtype.

  Examples:
    >>> p = jnp.array([[0.5, 0.5], [0.9, 0.1]])
    >>> others = jnp.array([[0.25, 0.75], [0.9, 0.1]])
    >>> for loss in agreement_loss(jnp.log(p), jnp.log(others)):
    ...   print(f'{loss:.3f}')  # -log(0.5) and -log(0.82)
    0.693
    0.198

  References:
    Cao et al., Open-World Semi-Supervised Learning, ICLR 2022.
    Sun et al., Contrastive Pseudo Learning for Open-World DeepFake Attribution,
    ICCV 2023.
  """
  check_logits(logits=logits, others=others)
  # In the log domain nothing underflows on the way to e^-100, which float32
  # holds as a denormal at best, and the gradient is finite everywhere.
  log_prob, log_other = (
    jax.nn.log_softmax(x.astype(jnp.float32)) for x in (logits, others)
  )
  log_agreement = jax.nn.logsumexp(log_prob + log_other, axis=-1)
  return -jnp.maximum(log_agreement, MIN_LOG_AGREEMENT)


def partner_agreement_loss(logits: jax.Array, partner: jax.Array) -> jax.Array:
  """Computes `agreement_loss` of each row with its partner, float32 [B].

  Args:
    logits: float [B, K].
    partner: int [B], the row of each row's partner.
  """
  check_label(len(logits), partner=partner)
  return agreement_loss(logits, logits[partner])


def soft_pseudo_label_loss(
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
  check_logits(logits=logits, gumbel=gumbel)
  logits = logits.astype(jnp.float32)
  # The target is held constant, as a label would be.
  perturbed = jax.lax.stop_gradient(logits) + gumbel
  log_prob = jax.nn.log_softmax(logits)
  sampled = jnp.argmax(perturbed, axis=-1, keepdims=True)
  confidence = jnp.exp(jnp.take_along_axis(log_prob, sampled, axis=-1))[:, 0]
  if detach_confidence:
    confidence = jax.lax.stop_gradient(confidence)
  cross_entropy = -jnp.sum(jax.nn.softmax(perturbed) * log_prob, axis=-1)
  return cross_entropy * confidence


def integer_cross_entropy(logits: jax.Array, target: jax.Array) -> jax.Array:
  """Computes the cross entropy to classes, float32 [B].

  Args:
    logits: float [B, K].
    target: int [B]; unlike a label it must not be -1, which would select the
      last class.
  """
  check_logits(logits=logits)
  check_label(len(logits), target=target)
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

  Returns H(mean_i p_i), which ORCA, SimGCD, CPL and MPSL maximise. The methods
  subtract this from the loss. Without it all unlabelled rows can end up in one
  class. The term favours equal class shares in each batch, even if the dataset
  is unbalanced.
  """
  check_logits(logits=logits)
  return entropy(jax.nn.softmax(logits.astype(jnp.float32)).mean(axis=0))
