"""EfficientNet-Lite against a recorded PyTorch run, and its shapes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from helpers.paths import TESTS
from helpers.resnet_goldens import (
  channels_first,
  channels_last,
  formula,
  torch_name,
  torch_shapes,
)
from owdfa_jax.models import efficientnet
from owdfa_jax.models.efficientnet import EfficientNetConfig, StageShape

# The recorded network: each kind of block, with and without a shortcut.
SHORT = EfficientNetConfig(
  (
    StageShape(depth=1, kernel=3, stride=1, expansion=1, features=16),
    StageShape(depth=2, kernel=5, stride=2, expansion=6, features=24),
  )
)


def abstract(config, **kwargs):
  return nnx.eval_shape(
    lambda: efficientnet.EfficientNet(config, rngs=nnx.Rngs(0), **kwargs)
  )


@pytest.fixture(scope='module')
def recorded():
  # Not in $OWDFA_GOLDENS, which has other draws of the papers' code.
  with np.load(TESTS / 'goldens' / 'efficientnet_lite0.npz') as file:
    return dict(file)


def by_formula(dtype):
  """Returns (graphdef, params, batch_stats) of the formula's short network."""
  model = abstract(SHORT, dtype=dtype)
  shapes, state = torch_shapes(model), nnx.state(model)
  for path, variable in nnx.to_flat_state(state):
    name = torch_name(path)
    value = formula(name, shapes[name], 0)
    if path[-1] == 'kernel':
      value = value.transpose(2, 3, 1, 0)
    variable.set_value(jnp.asarray(value, dtype))
  nnx.update(model, state)
  return nnx.split(model, nnx.Param, nnx.BatchStat)


@pytest.fixture(scope='module')
def outputs():
  """Returns the short network's outputs, as the golden file has them."""
  images = np.random.RandomState(73000).randn(4, 3, 18, 18).astype(np.float32)
  # In float64: an activation of 1e-6 that rounds to the other side of a ReLU
  # changes the gradients.
  with jax.enable_x64(True):
    graphdef, params, stats = by_formula(jnp.float64)
    x = channels_last(images).astype(jnp.float64)
    projection = channels_last(
      np.random.RandomState(73001).randn(4, 1280, 5, 5)
    )

    @jax.jit
    def run(params, stats, x):
      def loss(params):
        model = nnx.merge(graphdef, params, stats, copy=True)
        _, y = model.first_and_last(x, train=True)
        return jnp.sum(y * projection) / 100, (
          y,
          nnx.state(model, nnx.BatchStat),
        )

      model = nnx.merge(graphdef, params, stats, copy=True)
      _, evaluation = model.first_and_last(x, train=False)
      return evaluation, jax.value_and_grad(loss, has_aux=True)(params)

    return jax.tree.map(np.asarray, run(params, stats, x))


def named(tree):
  """Returns arrays as PyTorch has them, by its names."""
  return {
    torch_name(path): variable[...].transpose(3, 2, 0, 1)
    if path[-1] == 'kernel'
    else variable[...]
    for path, variable in nnx.to_flat_state(tree)
  }


@pytest.mark.golden
def test_features_as_recorded(recorded, outputs):
  evaluation, ((_, (training, _)), _) = outputs
  for mode, y in (('eval', evaluation), ('train', training)):
    np.testing.assert_allclose(
      y.mean((1, 2)), recorded[f'{mode}_pooled'], rtol=1e-5, atol=1e-6
    )
  np.testing.assert_allclose(
    channels_first(evaluation)[:, :8],
    recorded['eval_corner'],
    rtol=1e-5,
    atol=1e-6,
  )


@pytest.mark.golden
def test_running_statistics_as_recorded(recorded, outputs):
  _, ((_, (_, stats)), _) = outputs
  arrays = named(stats)
  for kind in ('mean', 'var'):
    sums = [arrays[f'{x}.running_{kind}'].sum() for x in recorded['bn_names']]
    np.testing.assert_allclose(
      sums, recorded[f'bn_running_{kind}_sums'], rtol=1e-6, atol=1e-6
    )


@pytest.mark.golden
def test_gradients_as_recorded(recorded, outputs):
  _, ((loss, _), gradients) = outputs
  np.testing.assert_allclose(loss, recorded['train_loss'], rtol=1e-6)
  arrays = named(gradients)
  assert arrays.keys() == set(recorded['grad_names'])
  norms = [np.linalg.norm(arrays[name]) for name in recorded['grad_names']]
  np.testing.assert_allclose(norms, recorded['grad_l2'], rtol=1e-5, atol=1e-8)
  compared = [key for key in recorded if key.endswith('conv.weight')]
  compared.append('grad_conv_stem.weight')
  assert len(compared) == 4
  for key in compared:
    np.testing.assert_allclose(
      arrays[key.removeprefix('grad_')], recorded[key], rtol=1e-4, atol=1e-6
    )


@pytest.mark.golden
@pytest.mark.parametrize('name', efficientnet.CONFIGS)
def test_names_and_shapes_are_those_of_the_torch_state_dict(recorded, name):
  shapes = {
    key: tuple(map(int, text.split(',')))
    for key, text in zip(recorded['names'], recorded['shapes'], strict=True)
  }
  assert torch_shapes(abstract(efficientnet.CONFIGS[name])) == shapes


@pytest.mark.parametrize(
  ('name', 'size', 'width', 'shape'),
  [
    ('efficientnet_lite0', 128, 1.0, (2, 4, 4, 1280)),
    ('efficientnet_lite0', 100, 0.5, (2, 4, 4, 640)),
    ('efficientnet_lite0_stride16', 128, 1.0, (2, 8, 8, 1280)),
  ],
)
def test_feature_maps(name, size, width, shape):
  model = abstract(efficientnet.CONFIGS[name], width=width, channels=6)
  images = jax.ShapeDtypeStruct((2, size, size, 6), jnp.float32)
  first, last = nnx.eval_shape(
    lambda m, x: m.first_and_last(x, train=False), model, images
  )
  assert last.shape == shape
  assert model.num_features == shape[-1]
  assert first.shape == (2, size // 4, size // 4, model.first_features)
  assert -(-size // model.stride) == shape[1]


def test_depthwise_kernels_start_by_the_fan_out_of_one_channel():
  @jax.jit
  def kernel():
    block = efficientnet.EfficientNet(SHORT, rngs=nnx.Rngs(0)).blocks[2]
    return block.depthwise_conv.kernel[...]

  values = kernel()
  assert values.shape == (5, 5, 1, 144)
  np.testing.assert_allclose(values.std(), np.sqrt(2 / 25), rtol=0.05)
