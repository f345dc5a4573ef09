"""Random batches as a method's loss gets them."""

import jax
import jax.numpy as jnp
import numpy as np

from owdfa_jax.methods.base import Context, EpochInfo, VisibleLabels
from owdfa_jax.models.outputs import Outputs
from owdfa_jax.models.perspectives import LocalViews

EPOCH_INFO = EpochInfo(epoch=0, progress=0.1, num_known=3)
KEY = jax.random.key(0)


def make_batch(seed=0, size=16, num_classes=6, num_features=8):
  """Returns random outputs and labels; every other row is labelled."""
  draw = np.random.default_rng(seed)
  label = np.where(np.arange(size) % 2, -1, draw.integers(0, 3, size))
  outputs = Outputs(
    logits=jnp.array(draw.normal(size=(size, num_classes)), jnp.float32),
    feature=jnp.array(draw.normal(size=(size, num_features)), jnp.float32),
    local_views=LocalViews.of(
      jnp.array(draw.normal(size=(size, 8, 8, num_features)), jnp.float32),
      grids=(3, 5, 7),
    ),
  )
  labels = VisibleLabels(
    label=jnp.array(label, jnp.int32), index=jnp.arange(size, dtype=jnp.int32)
  )
  return outputs, labels


def make_two_views():
  """Returns two views' outputs, of different logits, and the labels of both."""
  first, labels = make_batch(0)
  second, _ = make_batch(1)
  return (first, second), labels


def make_context(outputs, labels, epoch_info=EPOCH_INFO, state=(), key=KEY):
  """Returns the context of a loss; `outputs` has one entry for each view."""
  return Context(
    outputs=outputs, labels=labels, epoch_info=epoch_info, state=state, key=key
  )


def random_unit_vectors(seed, size=6, width=4):
  """Returns vectors of length 1, float32 [size, width]."""
  x = np.random.default_rng(seed).normal(size=(size, width))
  return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def random_pairing_batch(rows=32, channels=8, seed=0):
  """Returns the arguments of `mpsl_partners`; even rows are labelled."""
  rng = np.random.default_rng(seed)
  true_label = rng.integers(0, 5, rows)
  # All views of an image are noisy copies of one point.
  point = rng.normal(size=(5, channels))[true_label]
  point += rng.normal(size=(rows, channels))
  labelled = np.arange(rows) % 2 == 0

  def draw(*shape):
    noise = rng.normal(size=(rows, *shape, channels))
    centre = point.reshape(rows, *(1,) * len(shape), channels)
    return (centre + 0.5 * noise).astype(np.float32)

  return {
    'draw': rng.random(rows).astype(np.float32),
    'label': np.where(labelled, true_label, -1),
    'labelled': labelled,
    'feature': draw(),
    'parts': [draw(9), draw(25), draw(49)],
    'bands': [draw(16), draw(16), draw(16)],
  }
