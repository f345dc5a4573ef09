"""Small networks to load weights into, and state dicts that fit them."""

import functools

import jax
import numpy as np
from flax import nnx

from helpers.resnet_goldens import formula
from owdfa_jax import parallel, weights
from owdfa_jax.models import resnet
from owdfa_jax.models.batch_norm import BatchNorm


class Network(nnx.Module):
  """A backbone, a BN neck and a head, as every classifier has them."""

  def __init__(self, name, width, num_outputs, channels, rngs):
    config = resnet.CONFIGS[name]
    self.backbone = resnet.ResNet(
      config, width=width, channels=channels, rngs=rngs
    )
    features = self.backbone.num_features
    self.bottleneck = BatchNorm(features, use_bias=False)
    self.fc2 = nnx.Linear(features, num_outputs, use_bias=False, rngs=rngs)


def make(name='small', width=0.125, num_outputs=3, devices=8, channels=3):
  """Returns (graphdef, params, batch_stats) of a network of zeros."""
  network = nnx.eval_shape(
    lambda: Network(name, width, num_outputs, channels, nnx.Rngs(0))
  )
  graphdef, *variables = nnx.split(network, nnx.Param, nnx.BatchStat)
  zeros = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), variables)
  return graphdef, *jax.device_put(
    zeros, parallel.make_placement(jax.devices()[:devices]).replicated
  )


@functools.cache
def source(name='small', width=0.125, num_outputs=3):
  """Returns a state dict for that network, all tensors different."""
  _, *trees = make(name, width, num_outputs)
  shapes = {key: x.shape for key, x in weights.to_state_dict(*trees).items()}
  return {key: formula(key, shape, 0) for key, shape in shapes.items()}


def renamed(arrays, old, new):
  """Returns a state dict in which prefix `old` is `new`."""
  return {
    (new + key.removeprefix(old) if key.startswith(old) else key): value
    for key, value in arrays.items()
  }
