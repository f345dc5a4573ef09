"""The loss of pseudo-labels, and the interface of rules that select them."""

from typing import Any, Protocol

import jax
import jax.numpy as jnp

from owdfa_jax.losses import common


class Rule(Protocol):
  """What a pseudo-label rule offers."""

  def init(self, num_classes: int, num_examples: int) -> Any:
    """Returns the state before the first step; empty by default.

    Args:
      num_classes: K, the width of the logits.
      num_examples: size of the training split, which `index` points into.
    """
    del num_classes, num_examples
    return ()

  def __call__(
    self, state: Any, logits: jax.Array, index: jax.Array, unlabelled: jax.Array
  ) -> tuple[jax.Array, jax.Array, Any]:
    """Selects rows and their labels, and updates the state.

    Args:
      state: as `init` or the previous call returned it.
      logits: float [B, K].
      index: int [B], each row's place in the training split.
      unlabelled: bool [B], the rows to select from.

    Returns:
      The selected rows, bool [B], False on labelled rows; the predicted
      classes, int32 [B]; the new state.
    """
    ...


def pseudo_label_loss(
  logits: jax.Array, target: jax.Array, mask: jax.Array, unlabelled: jax.Array
) -> jax.Array:
  """Computes the mean over unlabelled rows of mask * CE(logits, target).

  A rejected row counts as 0 in the mean, so that a few accepted rows do not
  weigh as much as a full batch of them. (CAL's ACR does otherwise, see
  `confidence.accepted_cross_entropy`.)

  Args:
    logits: float [B, K].
    target: int [B], the rule's labels.
    mask: bool [B], the rows that the rule selected.
    unlabelled: bool [B].

  Returns:
    float32 [].

  References:
    Sohn et al., FixMatch: Simplifying Semi-Supervised Learning with Consistency
    and Confidence, NeurIPS 2020.
  """
  cross_entropy = common.hard_pseudo_label(logits, target)
  return common.masked_mean(jnp.where(mask, cross_entropy, 0), unlabelled)


def predict(logits: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Returns probabilities [B, K], the largest [B], and its class int32 [B]."""
  logits = jax.lax.stop_gradient(logits).astype(jnp.float32)
  prob = jax.nn.softmax(logits)
  return prob, prob.max(axis=-1), jnp.argmax(prob, axis=-1).astype(jnp.int32)
