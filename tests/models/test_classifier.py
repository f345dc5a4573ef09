"""The classifier: recorded heads, shapes, dtypes and what training needs."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from input_pipeline.errors import UserError
from owdfa_jax.models.classifier import Classifier
from owdfa_jax.models.create import create_classifier
from owdfa_jax.models.outputs import Branches
from owdfa_jax.models.perspectives import LocalViews

FEATURE_MAP = jax.random.normal(jax.random.key(7), (8, 8, 8, 256))


class Identity(nnx.Module):
  """A backbone whose feature map is its input."""

  def __init__(self, num_features):
    self.num_features = self.first_features = num_features

  def first_and_last(self, images, *, train):
    return images, images


def on_features(num_classes=5, num_features=256, **kwargs):
  """Returns a classifier whose images are feature maps."""
  backbone = Identity(num_features)
  dropout = kwargs.pop('dropout', 0.2)
  return Classifier(
    backbone,
    num_classes,
    branches=Branches(**kwargs),
    dropout=dropout,
    rngs=nnx.Rngs(0),
  )


def create(**kwargs):
  """Returns a small classifier; `kwargs` may be fields of `Branches`."""
  arguments = {'backbone': 'small', 'width': 0.25, 'image_size': 64}
  arguments |= {'num_outputs': 5, 'rngs': nnx.Rngs(0)} | kwargs
  names = {field.name for field in dataclasses.fields(Branches)}
  branches = {name: arguments.pop(name) for name in names & arguments.keys()}
  return create_classifier(branches=Branches(**branches), **arguments)


def abstract_forward(size=64, *, train=True, **kwargs):
  """Returns shapes and dtypes of the outputs and the variables."""

  def forward():
    model = create(image_size=size, **kwargs)
    images = jnp.zeros((8, size, size, 3))
    outputs = model(images, train=train, key=jax.random.key(0))
    return outputs, nnx.state(model)

  return jax.eval_shape(forward)


@nnx.jit(static_argnames='train')
def run(model, feature_map, train):
  """Returns the outputs, and updates the statistics in training."""
  return model(feature_map, train=train)


def golden_models(file):
  """Yields (prefix, feature map, classifier) for each recorded head."""
  for key in sorted(file):
    if not key.endswith('_fc2_weight') or '_grad_' in key:
      continue
    prefix = key.removesuffix('_fc2_weight')
    weight = file[key]
    model = on_features(
      *weight.shape,
      grids=(3, 5, 7) if f'{prefix}_freq1' in file else (3,),
      dropout=0.0,
    )
    model.fc2.kernel[...] = jnp.asarray(weight.T)
    model.bottleneck.scale[...] = jnp.asarray(
      file[f'{prefix}_bottleneck_weight']
    )
    feature_map = file[f'{prefix.split("_")[0]}_featuremap']
    yield prefix, jnp.asarray(feature_map).transpose(0, 2, 3, 1), model


@pytest.mark.golden
def test_head_as_recorded_in_training_and_evaluation(golden):
  file = golden('mpsl_features')
  for prefix, feature_map, model in golden_models(file):
    close = {'rtol': 1e-5, 'atol': 1e-5, 'err_msg': prefix}
    outputs = run(model, feature_map, train=True)
    for value, key in (
      (outputs.feature, 'train_f_g'),
      (outputs.logits, 'train_logits'),
      (model.bottleneck.mean[...], 'bottleneck_running_mean'),
      (model.bottleneck.var[...], 'bottleneck_running_var'),
    ):
      np.testing.assert_allclose(value, file[f'{prefix}_{key}'], **close)
    views, grids = outputs.local_views, model.branches.grids
    for grid, part in zip(grids, views.parts(), strict=True):
      name = f'part{grid}' if len(grids) > 1 else 'part'
      scale = file[f'{prefix}_{name}_bn_weight'].T
      expected = file[f'{prefix}_train_{name}'].transpose(0, 2, 1)
      np.testing.assert_allclose(part * scale, expected, **close)
    # CPL has no bands.
    for i, band in enumerate(views.bands() if len(grids) > 1 else (), start=1):
      expected = file[f'{prefix}_freq{i}'].transpose(0, 2, 1)
      np.testing.assert_allclose(band, expected, **close)
    outputs = run(model, feature_map, train=False)
    for value, key in (
      (outputs.feature, 'eval_f_g'),
      (outputs.logits, 'eval_logits'),
    ):
      np.testing.assert_allclose(value, file[f'{prefix}_{key}'], **close)


@pytest.mark.golden
def test_gradients_of_the_head_as_recorded(golden):
  file = golden('mpsl_features')
  for prefix, feature_map, model in golden_models(file):
    graphdef, params, stats = nnx.split(model, nnx.Param, nnx.BatchStat)

    def projected(params, feature_map, graphdef=graphdef, stats=stats):
      model = nnx.merge(graphdef, params, stats, copy=True)
      logits = model(feature_map, train=True).logits
      return jnp.sum(logits * file[f'{prefix}_R'])  # noqa: B023

    gradient = jax.jit(jax.grad(projected, argnums=(0, 1)))
    by_params, by_map = gradient(params, feature_map)
    for value, key in (
      (by_map.transpose(0, 3, 1, 2), 'featuremap'),
      (by_params['bottleneck']['scale'][...], 'bottleneck_weight'),
      (by_params['fc2']['kernel'][...].T, 'fc2_weight'),
    ):
      np.testing.assert_allclose(
        value, file[f'{prefix}_grad_{key}'], atol=1e-5, rtol=1e-5, err_msg=key
      )


def test_shapes_in_training():
  outputs, _ = abstract_forward(grids=(3, 5, 7))
  assert outputs.logits.shape == (8, 5)
  assert outputs.feature.shape == (8, 64)
  views = outputs.local_views
  parts = jax.eval_shape(LocalViews.parts, views)
  assert [part.shape for part in parts] == [
    (8, cells, 64) for cells in (9, 25, 49)
  ]
  bands = jax.eval_shape(LocalViews.bands, views)
  assert [band.shape for band in bands] == [(8, 16, 64)] * 3


@pytest.mark.parametrize('arguments', [{'train': False, 'grids': (3,)}, {}])
def test_there_are_no_local_views_in_evaluation_and_by_default(arguments):
  outputs, _ = abstract_forward(**arguments)
  assert outputs.local_views is None


def test_local_views_carry_no_gradient():
  def squares(feature_map):
    model = on_features(grids=(3,), dropout=0.0)
    views = model(feature_map, train=True).local_views
    views = (*views.parts(), *views.bands())
    return sum(jnp.sum(jnp.square(view)) for view in views)

  value, gradient = jax.jit(jax.value_and_grad(squares))(FEATURE_MAP)
  assert value > 0
  np.testing.assert_array_equal(gradient, 0)


def test_head_is_float32_over_a_bfloat16_backbone():
  _, feature_map = jax.eval_shape(
    lambda: create(dtype='bfloat16').backbone.first_and_last(
      jnp.zeros((1, 64, 64, 3)), train=False
    )
  )
  assert feature_map.dtype == jnp.bfloat16
  outputs, state = abstract_forward(dtype='bfloat16', grids=(3,))
  views = outputs.local_views
  assert views.feature_map.dtype == jnp.bfloat16
  made = jax.eval_shape(lambda views: (views.parts(), views.bands()), views)
  rest = outputs.replace(local_views=views.moments)
  dtypes = {leaf.dtype for leaf in jax.tree.leaves((rest, state, made))}
  assert dtypes == {jnp.dtype('float32')}


def test_dropout_depends_on_the_key_and_does_not_change_the_feature():
  model = on_features()
  model.fc2.kernel[...] = jnp.eye(256, 5)
  one, same, other = (
    model(FEATURE_MAP, train=True, key=jax.random.key(seed))
    for seed in (0, 0, 1)
  )
  np.testing.assert_array_equal(one.logits, same.logits)
  assert not np.array_equal(one.logits, other.logits)
  np.testing.assert_array_equal(one.feature, other.feature)
  kept = one.logits != 0
  np.testing.assert_allclose(
    one.logits[kept], one.feature[:, :5][kept] / 0.8, rtol=1e-5
  )


def test_training_without_a_key_is_an_error():
  with pytest.raises(ValueError, match='rngs'):
    on_features()(FEATURE_MAP, train=True)


def test_parameters_have_the_released_codes_names():
  _, state = abstract_forward(grids=(3, 5, 7))
  assert set(state) == {'backbone', 'bottleneck', 'fc2'}
  assert set(state['bottleneck']) == {'scale', 'mean', 'var'}
  assert set(state['fc2']) == {'kernel'}


def test_initial_head_is_small():
  kernel = on_features(num_classes=400).fc2.kernel[...]
  np.testing.assert_allclose(kernel.std(), 0.001, rtol=0.02)


@pytest.mark.parametrize('image_size', [64, 223])
def test_map_smaller_than_a_grid_is_an_error(image_size):
  message = f'{image_size}-pixel .*stride 32 .*grid is 8 x 8'
  with pytest.raises(UserError, match=message):
    create(backbone='resnet18', image_size=image_size, grids=(3, 8))


@pytest.mark.parametrize('image_size', [49, 56])
def test_map_as_large_as_the_grid_is_accepted(image_size):
  outputs, _ = abstract_forward(image_size, grids=(7,))
  assert outputs.local_views.moments[0][0].shape == (49, 64)


@pytest.mark.parametrize(
  ('field', 'value'), [('backbone', 'resnet5'), ('dtype', 'float16')]
)
def test_unknown_choices_are_errors(field, value):
  with pytest.raises(UserError, match=f'model.{field}={value}; use one of'):
    create(**{field: value})


def test_counterfactual_branch_has_a_key_of_its_own():
  model, key, keys = on_features(counterfactual=True), jax.random.key(3), []
  model.counterfactual = lambda first, key: keys.append(key)
  model(FEATURE_MAP, train=True, key=key)
  split = jax.random.key_data(jax.random.split(key, 8))
  assert not (split == jax.random.key_data(keys[0])).all(1).any()
