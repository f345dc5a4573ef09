"""Random batches as a method sees them, for the tests."""

import jax.numpy as jnp
import numpy as np

from owdfa_jax.methods.base import Clock, Rows
from owdfa_jax.models.outputs import Outputs

CLOCK = Clock(epoch=0, progress=0.1, num_known=3)


def make_batch(seed=0, size=16, num_classes=6, num_features=8):
  draw = np.random.default_rng(seed)
  label = np.where(np.arange(size) % 2, -1, draw.integers(0, 3, size))
  outputs = Outputs(
    logits=jnp.array(draw.normal(size=(size, num_classes)), jnp.float32),
    feature=jnp.array(draw.normal(size=(size, num_features)), jnp.float32),
    parts=(jnp.array(draw.normal(size=(size, 9, num_features)), jnp.float32),),
  )
  rows = Rows(
    label=jnp.array(label, jnp.int32), index=jnp.arange(size, dtype=jnp.int32)
  )
  return outputs, rows


def units(seed, size=6, width=4):
  x = np.random.default_rng(seed).normal(size=(size, width))
  return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
