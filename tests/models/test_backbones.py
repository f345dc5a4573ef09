"""Backbones in a classifier: their pixels, their input and their grids."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from input_pipeline.errors import UserError
from owdfa_jax.models import classifier
from owdfa_jax.models.create import create_classifier
from owdfa_jax.models.outputs import Branches


class Mirror(nnx.Module):
  """A backbone whose feature map is its input."""

  num_features = first_features = 3
  pixel_mean = (0.25, 0.5, 0.75)
  pixel_std = (0.5, 0.25, 0.125)

  def first_and_last(self, images, *, train):
    return images, images


def test_a_backbone_gets_pixels_on_its_own_scale():
  model = classifier.Classifier(Mirror(), 2, rngs=nnx.Rngs(0))
  images = np.full((2, 4, 4, 3), 255, np.uint8)
  feature = model.classify_images(images, train=False).feature
  np.testing.assert_allclose(feature, [[1.5, 2, 2]] * 2, rtol=1e-4)


def efficientnet(**kwargs):
  return create_classifier(
    backbone='efficientnet_lite0', num_outputs=5, rngs=nnx.Rngs(0), **kwargs
  )


def test_an_efficientnet_takes_the_front_end_and_the_branches():
  branches = Branches(grids=(3,), counterfactual=True)

  def forward(images):
    model = efficientnet(
      image_size=96, front_end='both', dtype='bfloat16', branches=branches
    )
    key = jax.random.key(0)
    outputs = model.classify_images(images, train=True, key=key)
    first, last = model.backbone.first_and_last(
      jnp.zeros((2, 96, 96, 6)), train=False
    )
    return model.backbone.conv_stem.kernel[...], outputs, first, last

  images = jax.ShapeDtypeStruct((2, 96, 96, 3), jnp.uint8)
  kernel, outputs, first, last = jax.eval_shape(forward, images)
  assert kernel.shape == (3, 3, 6, 32) and kernel.dtype == jnp.float32
  assert outputs.logits.shape == (2, 5) and outputs.logits.dtype == jnp.float32
  assert outputs.feature.shape == (2, 1280)
  assert outputs.counterfactual.distance.shape == (2,)
  assert first.dtype == last.dtype == jnp.bfloat16


def test_a_grid_needs_a_feature_map_of_its_size():
  with pytest.raises(UserError, match=r'efficientnet_lite0 give a 3 x 3 map'):
    efficientnet(image_size=96, branches=Branches(grids=(3, 5)))
