"""Whitening of features, so that distances show what separates sources.

A few directions of a network's features vary much within each source, because
of content, and hide the directions that separate sources. Whitening divides
each direction by its own spread.

All functions are pure. Rows may be split over devices: statistics are sums over
rows, so no device sees the features of another.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from owdfa_jax.evaluation.whitening_map import (
  Whitening,
  mean_of_rows,
  positive_deviation,
  principal_whitening,
  whiten,
)

# The label of an unlabelled row, and that of a row which only fills an array up
# to a length that devices can share evenly.
UNLABELLED = -1
PADDING = -2
# See `WhiteningKind`. The fewer the labelled rows and classes, the larger the
# shrinkage has to be; principal components need less.
SHRINKAGE = 0.3
SHRINKAGE_OF_COMPONENTS = 0.1
COMPONENTS = 64

_EXACT = jax.lax.Precision.HIGHEST


class WhiteningKind(NamedTuple):
  """A kind of whitening.

  Attributes:
    name: a key of `KINDS`. 'within_class' divides by the spread of labelled
      rows around the mean of their class, 'pca' by the spread of all rows along
      their principal components, 'pca_within_class' by both in this order, and
      'none' leaves features as they are.
    shrinkage: l in [0, 1] of the scatter within classes: how far it is moved
      towards that of a sphere. At 1 it changes nothing.
    components: D, the number of principal components.
  """

  name: str
  shrinkage: float = SHRINKAGE
  components: int = COMPONENTS

  def __str__(self) -> str:
    """Returns the name, with the numbers that belong to it."""
    numbers = {
      'pca_within_class': f' {self.components} {self.shrinkage}',
      'within_class': f' {self.shrinkage}',
      'pca': f' {self.components}',
      'none': '',
    }
    return self.name + numbers[self.name]


# Each kind with its usual numbers; the first one is the default.
KINDS = {
  'pca_within_class': WhiteningKind(
    'pca_within_class', shrinkage=SHRINKAGE_OF_COMPONENTS
  ),
  'within_class': WhiteningKind('within_class'),
  'pca': WhiteningKind('pca'),
  'none': WhiteningKind('none'),
}


def fit(
  kind: WhiteningKind,
  feature: jax.typing.ArrayLike,
  label: jax.typing.ArrayLike,
  num_known: int,
) -> Whitening:
  """Returns the whitening of a kind for the features of training rows.

  Args:
    kind: what to divide by.
    feature: float32 [N, C].
    label: int32 [N]: a known class, `UNLABELLED` or `PADDING`.
    num_known: the number of known classes.
  """
  feature, label = jnp.asarray(feature), jnp.asarray(label)
  match kind.name:
    case 'within_class':
      return within_class(feature, label, num_known, kind.shrinkage)
    case 'pca':
      return principal(feature, label, kind.components)
    case 'pca_within_class':
      first = principal(feature, label, kind.components)
      second = within_class(
        whiten(first, feature), label, num_known, kind.shrinkage
      )
      # The mean of whitened features is 0.
      matrix = jnp.matmul(first.matrix, second.matrix, precision=_EXACT)
      return Whitening(first.mean, matrix)
  size = feature.shape[1]
  return Whitening(jnp.zeros(size), jnp.eye(size))


@functools.partial(jax.jit, static_argnames='num_known')
def within_class(
  feature: jax.Array,
  label: jax.Array,
  num_known: int,
  shrinkage: jax.typing.ArrayLike = SHRINKAGE,
) -> Whitening:
  """Whitens by the scatter of labelled rows around the mean of their class.

  S = 1/N_L sum_c sum_{i in c} (f_i - mu_c)(f_i - mu_c)^T over the N_L labelled
  rows, S_l = (1 - l) S + l (tr S / C) I, and g(f) = S_l^(-1/2) (f - mean f).
  The root is symmetric, so that a rotation of the features rotates g.

  With few labelled rows S has directions of no spread at all; without shrinkage
  these would become the longest.

  Args:
    feature: float32 [N, C].
    label: int32 [N]: a known class, `UNLABELLED` or `PADDING`.
    num_known: the number of known classes.
    shrinkage: l in [0, 1].
  """
  member = jax.nn.one_hot(label, num_known)
  size = member.sum(0)
  total = jnp.einsum('nk,nc->kc', member, feature, precision=_EXACT)
  means = total / jnp.maximum(size, 1)[:, None]
  labelled = member.sum(1, keepdims=True)
  apart = labelled * (feature - means[jnp.maximum(label, 0)])
  scatter = jnp.einsum('nc,nd->cd', apart, apart, precision=_EXACT)
  scatter /= jnp.maximum(size.sum(), 1)
  channels = feature.shape[1]
  sphere = jnp.trace(scatter) / channels * jnp.eye(channels)
  scatter = (1 - shrinkage) * scatter + shrinkage * sphere
  variance, direction = jnp.linalg.eigh(scatter)
  # Divides by the spread along each direction, and turns back.
  scaled = direction / positive_deviation(variance)
  matrix = jnp.matmul(scaled, direction.T, precision=_EXACT)
  return Whitening(mean_of_rows(feature, label > PADDING), matrix)


@functools.partial(jax.jit, static_argnames='components')
def principal(
  feature: jax.Array, label: jax.Array, components: int = COMPONENTS
) -> Whitening:
  """Whitens the first principal components of all rows.

  Needs no labels. Directions that separate sources are divided by their spread
  too, so it helps less than `within_class` where that has enough labelled rows.

  Args:
    feature: float32 [N, C].
    label: int32 [N]; rows of `PADDING` do not count.
    components: D; fewer if there are fewer channels or rows.
  """
  components = min(components, feature.shape[1], max(1, len(feature) - 1))
  return principal_whitening(feature, label > PADDING, components)
