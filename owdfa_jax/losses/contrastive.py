"""Contrastive losses on projections of two views, all of unit length."""

import jax
import jax.numpy as jnp

from owdfa_jax.losses import common


def info_nce(
  first: jax.Array, second: jax.Array, *, temperature: float
) -> jax.Array:
  """Each view's counterpart against all other views of the batch.

  The mean over 2 B views of -log softmax of the cosine to the image's other
  view, among all views but the one itself (van den Oord et al., 2018).

  Args:
    first: float32 [B, D], of unit length.
    second: float32 [B, D], other views of the same images.
    temperature: divides the cosines.
  """
  log_prob = _log_prob(jnp.concatenate([first, second]), None, temperature)
  size = len(first)
  counterpart = jnp.roll(jnp.arange(2 * size), size)
  return -jnp.take_along_axis(log_prob, counterpart[:, None], axis=1).mean()


def supervised_contrastive(
  first: jax.Array,
  second: jax.Array,
  label: jax.Array,
  labelled: jax.Array,
  *,
  temperature: float,
) -> jax.Array:
  """Views of one class against all labelled views (Khosla et al., 2020).

  The mean over labelled views of the mean over its positives (all other views
  of its class) of -log softmax among the labelled views but the one itself.

  Args:
    first: float32 [B, D], of unit length.
    second: float32 [B, D], other views of the same images.
    label: int [B], read on labelled rows only.
    labelled: bool [B].
    temperature: divides the cosines.
  """
  label, labelled = jnp.tile(label, 2), jnp.tile(labelled, 2)
  log_prob = _log_prob(jnp.concatenate([first, second]), labelled, temperature)
  others = ~jnp.eye(len(label), dtype=bool)
  positive = (label[:, None] == label) & labelled & others
  total = jnp.sum(jnp.where(positive, log_prob, 0), axis=1)
  mean = total / jnp.maximum(positive.sum(axis=1), 1)
  return -common.masked_mean(mean, labelled)


def _log_prob(
  views: jax.Array, candidates: jax.Array | None, temperature: float
) -> jax.Array:
  """Row-wise log softmax [N, N] of the cosines, a view itself left out."""
  # A large finite number: -inf times a probability of 0 would be NaN.
  cosine = jnp.matmul(views, views.T, precision=jax.lax.Precision.HIGHEST)
  taken = ~jnp.eye(len(views), dtype=bool)
  if candidates is not None:
    taken &= candidates
  return jax.nn.log_softmax(jnp.where(taken, cosine / temperature, -1e9))
