"""Losses that methods share, as pure functions of logits.

Most return one value per row, so that the caller says which rows count: rows
are addressed by masks, never by slices, and a batch may come in any order.
"""

import jax
import jax.numpy as jnp
import optax

# torch's binary cross entropy clamps its logarithm here.
MIN_LOG_AGREEMENT = -100.0
MIN_PROBABILITY = 1e-8


def masked_mean(values: jax.Array, mask: jax.Array) -> jax.Array:
  """Mean of `values` [B] where `mask` [B] holds; 0, not NaN, where none does.

  Values outside the mask are not read: they and their gradient may be anything
  finite.
  """
  total = jnp.sum(jnp.where(mask, values, 0))
  return total / jnp.maximum(jnp.sum(mask), 1)


def margin_cross_entropy(
  logits: jax.Array, label: jax.Array, margin: jax.Array | float
) -> jax.Array:
  """Cross entropy after *adding* `margin` to the true class's logit.

  CPL and MPSL use 0.2, a relaxed margin: it takes pressure off known classes.

  Args:
    logits: float [B, K].
    label: int [B]; a row of label -1 (unlabelled) gets 0 and no gradient.
    margin: what the true logit is given for nothing.

  Returns:
    float32 [B].
  """
  logits = logits.astype(jnp.float32)
  # An integer -1 would index the last class; its one-hot row is zeros.
  target = jax.nn.one_hot(label, logits.shape[-1])
  return optax.softmax_cross_entropy(logits + margin * target, target)


def agreement(logits: jax.Array, others: jax.Array) -> jax.Array:
  """-max(log <p_i, p'_i>, -100): two predictions should be of one class.

  Gradient flows into both. A prediction that meets itself is pushed towards
  confidence.

  Args:
    logits: float [B, K], of p.
    others: float [B, K], of p'.

  Returns:
    float32 [B].
  """
  # In the log domain nothing underflows on the way to e^-100, which float32
  # holds as a denormal at best, and the gradient is finite everywhere.
  log_prob, log_other = (
    jax.nn.log_softmax(x.astype(jnp.float32)) for x in (logits, others)
  )
  log_agreement = jax.nn.logsumexp(log_prob + log_other, axis=-1)
  return -jnp.maximum(log_agreement, MIN_LOG_AGREEMENT)


def pair_agreement(logits: jax.Array, partner: jax.Array) -> jax.Array:
  """`agreement` of each row of [B, K] and its partner int [B]; float32 [B]."""
  return agreement(logits, logits[partner])


def soft_pseudo_label(
  logits: jax.Array, gumbel: jax.Array, *, detach_confidence: bool = False
) -> jax.Array:
  """Cross entropy to a Gumbel-perturbed prediction, weighted by confidence.

  CPL's CSP and MPSL's FCP: r = softmax(sg(z) + G), t = argmax r, and the value
  is CE(z, r) * p[t].

  Args:
    logits: float [B, K].
    gumbel: standard Gumbel noise [B, K].
    detach_confidence: hold the weight p[t] constant. The released code does
      not, so its loss also falls by losing confidence.

  Returns:
    float32 [B].
  """
  logits = logits.astype(jnp.float32)
  perturbed = jax.lax.stop_gradient(logits) + gumbel
  log_prob = jax.nn.log_softmax(logits)
  chosen = jnp.argmax(perturbed, axis=-1, keepdims=True)
  confidence = jnp.exp(jnp.take_along_axis(log_prob, chosen, axis=-1))[:, 0]
  if detach_confidence:
    confidence = jax.lax.stop_gradient(confidence)
  cross_entropy = -jnp.sum(jax.nn.softmax(perturbed) * log_prob, axis=-1)
  return cross_entropy * confidence


def hard_pseudo_label(logits: jax.Array, target: jax.Array) -> jax.Array:
  """Cross entropy [B] of `logits` [B, K] to classes int [B], none -1."""
  return optax.softmax_cross_entropy_with_integer_labels(
    logits.astype(jnp.float32), target
  )


def entropy(prob: jax.Array) -> jax.Array:
  """Entropy in nats, [..., K] to [...]; probabilities clamped at 1e-8."""
  # `jnp.maximum` would halve the gradient of a probability at the clamp.
  prob = jnp.where(prob >= MIN_PROBABILITY, prob, MIN_PROBABILITY)
  return -jnp.sum(prob * jnp.log(prob), axis=-1)


def mean_prediction_entropy(logits: jax.Array) -> jax.Array:
  """Entropy of the batch's mean prediction, [B, K] to a scalar; maximised."""
  return entropy(jax.nn.softmax(logits.astype(jnp.float32)).mean(axis=0))
