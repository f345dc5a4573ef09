"""Contrastive losses on projections of two views, as SimGCD uses them."""

import jax
import jax.numpy as jnp

from owdfa_jax.losses import common
from owdfa_jax.losses.checks import check_label, check_logits


def info_nce(
  first: jax.Array, second: jax.Array, *, temperature: float
) -> jax.Array:
  """Computes the InfoNCE loss of two views of each image.

  Averages -log softmax(<u, v> / temperature) over all 2 B views u. The positive
  is the image's other view, the softmax is over all views but u itself. Every
  other image counts as a negative, those of the same class too.

  Args:
    first: float32 [B, D], vectors of length 1.
    second: float32 [B, D], vectors of length 1, other views of the same images.
    temperature: divides the cosines.

  Returns:
    float32 [].

  References:
    van den Oord et al., Representation Learning with Contrastive Predictive
    Coding, arXiv:1807.03748, 2018.
    Chen et al., A Simple Framework for Contrastive Learning of Visual
    Representations, ICML 2020.
  """
  check_logits(first=first, second=second)
  log_prob = _log_prob(jnp.concatenate([first, second]), None, temperature)
  size = len(first)
  # View i of the second half shows the image of view i of the first.
  other_view = jnp.roll(jnp.arange(2 * size), size)
  return -jnp.take_along_axis(log_prob, other_view[:, None], axis=1).mean()


def supervised_contrastive(
  first: jax.Array,
  second: jax.Array,
  label: jax.Array,
  labelled: jax.Array,
  *,
  temperature: float,
) -> jax.Array:
  """Computes the supervised contrastive loss of the labelled rows.

  Averages -log softmax(<u, v> / temperature) over the positives v of each
  labelled view u, then over these views. The positives are all other views of
  the class, the softmax is over all labelled views but u itself. This is L_out
  of the paper, where the logarithm stands inside the mean over the positives.
  The loss is 0, not NaN, without labelled rows.

  Args:
    first: float32 [B, D], vectors of length 1.
    second: float32 [B, D], vectors of length 1, other views of the same images.
    label: int [B]; read on labelled rows only.
    labelled: bool [B].
    temperature: divides the cosines.

  Returns:
    float32 [].

  References:
    Khosla et al., Supervised Contrastive Learning, NeurIPS 2020.
  """
  check_logits(first=first, second=second)
  check_label(len(first), label=label)
  label, labelled = jnp.tile(label, 2), jnp.tile(labelled, 2)
  log_prob = _log_prob(jnp.concatenate([first, second]), labelled, temperature)
  others = ~jnp.eye(len(label), dtype=bool)
  positive = (label[:, None] == label) & labelled & others
  total = jnp.sum(jnp.where(positive, log_prob, 0), axis=1)
  # A labelled view has at least one positive, the other view of its image.
  mean = total / jnp.maximum(positive.sum(axis=1), 1)
  return -common.masked_mean(mean, labelled)


def _log_prob(
  views: jax.Array, candidates: jax.Array | None, temperature: float
) -> jax.Array:
  """Returns the log softmax of each row's cosines, [N, N].

  A view itself is left out, and so are views that are no `candidates`.
  """
  # A temperature of 0.07 magnifies the rounding of a cosine 14 times.
  cosine = jnp.matmul(views, views.T, precision=jax.lax.Precision.HIGHEST)
  compared = ~jnp.eye(len(views), dtype=bool)
  if candidates is not None:
    compared &= candidates
  # A large finite number: -inf times a probability of 0 would be NaN.
  return jax.nn.log_softmax(jnp.where(compared, cosine / temperature, -1e9))
