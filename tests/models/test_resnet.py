"""ResNets against a recorded ResNet-50, and their shapes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from helpers.resnet_goldens import (
  channels_first,
  channels_last,
  check_final,
  check_stages,
  formula,
  stage_outputs,
  state_dict,
  torch_name,
  torch_shapes,
)
from owdfa_jax.models import resnet


def build(name, **kwargs):
  return resnet.ResNet(resnet.CONFIGS[name], rngs=nnx.Rngs(0), **kwargs)


def abstract(name, **kwargs):
  return nnx.eval_shape(lambda: build(name, **kwargs))


def feature_map(model, images, train):
  return model.first_and_last(images, train=train)[1]


def num_params(model):
  return sum(x.size for x in jax.tree.leaves(nnx.state(model, nnx.Param)))


@pytest.fixture(scope='module')
def seed(golden):
  return int(golden('resnet50')['set_seed'])


def by_formula(seed, dtype):
  """Returns (graphdef, params, batch_stats) of the formula's ResNet-50."""
  model = abstract('resnet50', dtype=dtype)
  shapes, state = torch_shapes(model), nnx.state(model)
  for path, variable in nnx.to_flat_state(state):
    name = torch_name(path)
    value = formula(name, shapes[name], seed)
    if path[-1] == 'kernel':
      value = value.transpose(2, 3, 1, 0)
    variable.set_value(jnp.asarray(value, dtype))
  nnx.update(model, state)
  return nnx.split(model, nnx.Param, nnx.BatchStat)


@pytest.fixture(scope='module')
def variables(seed):
  return by_formula(seed, jnp.float32)


@pytest.fixture(scope='module')
def head(seed):
  shapes = state_dict()
  weight, bias = (
    formula(name, shapes[name], seed) for name in ('fc.weight', 'fc.bias')
  )
  return lambda x: np.asarray(x).mean((1, 2)) @ weight.T + bias


@pytest.fixture(scope='module')
def forward(golden, variables):
  """Returns a function from `train` to (stage outputs, new statistics)."""
  graphdef, params, stats = variables
  x = channels_last(golden('resnet50')['x'])

  @functools.cache
  def run(train):
    @jax.jit
    def compute(params, stats, x):
      model = nnx.merge(graphdef, params, stats, copy=True)
      return stage_outputs(model, x, train), nnx.state(model, nnx.BatchStat)

    return compute(params, stats, x)

  return run


def loss_and_gradients(file, seed, dtype):
  """Returns the goldens' training loss, and gradients as PyTorch has them."""
  shape = file['train_featuremap'].shape
  projection = np.random.RandomState(71000 + seed).randn(*shape)
  projection = channels_last(projection.astype(np.float32))
  graphdef, params, stats = by_formula(seed, dtype)

  @jax.jit
  def run(params, stats, x):
    def loss(params):
      model = nnx.merge(graphdef, params, stats, copy=True)
      return jnp.sum(feature_map(model, x, train=True) * projection) / 100

    return jax.value_and_grad(loss)(params)

  x = channels_last(file['x']).astype(dtype)
  loss, gradients = run(params, stats, x)
  named = {}
  for path, variable in nnx.to_flat_state(gradients):
    value = np.asarray(variable[...])
    if path[-1] == 'kernel':
      value = value.transpose(3, 2, 0, 1)
    named[torch_name(path)] = value
  return loss, named


@pytest.mark.golden
def test_names_and_shapes_are_those_of_the_torch_state_dict():
  expected = {
    name: shape
    for name, shape in state_dict().items()
    if not name.startswith('fc.')
  }
  assert torch_shapes(abstract('resnet50')) == expected


@pytest.mark.golden
def test_weight_formula(golden, seed):
  file, shapes = golden('resnet50'), state_dict()
  for name, total in zip(
    file['param_names'], file['param_sums_f64'], strict=True
  ):
    value = formula(str(name), shapes[str(name)], seed).astype(np.float64)
    np.testing.assert_allclose(value.sum(), total, atol=1e-6, err_msg=name)


@pytest.mark.golden
@pytest.mark.parametrize(
  ('mode', 'tolerance'), [('eval', 1e-5), ('train', 2e-4)]
)
def test_stages_as_recorded(golden, forward, head, mode, tolerance):
  file = golden('resnet50')
  outputs, _ = forward(mode == 'train')
  check_stages(file, mode, outputs, tolerance)
  final = outputs['layer4']
  check_final(file, mode, final, head(final), tolerance)


@pytest.mark.golden
def test_evaluation_at_256_pixels_as_recorded(golden, variables, seed):
  image = np.random.RandomState(72000 + seed).randn(1, 3, 256, 256)
  model = nnx.merge(*variables, copy=True)
  run = jax.jit(lambda x: feature_map(model, x, train=False))
  output = channels_first(run(channels_last(image.astype(np.float32))))
  file = golden('resnet50')
  atol = 1e-5 * file['eval256_mean_std_absmax'][2]
  expected = file['eval256_featuremap']
  np.testing.assert_allclose(
    output[:, : expected.shape[1]], expected, rtol=0, atol=atol
  )
  np.testing.assert_allclose(
    output.mean((0, 2, 3)), file['eval256_channel_mean'], rtol=0, atol=atol
  )


@pytest.mark.golden
def test_running_statistics_as_recorded(golden, forward):
  file = golden('resnet50')
  _, stats = forward(True)
  named = {torch_name(p): v[...] for p, v in nnx.to_flat_state(stats)}
  for kind in ('mean', 'var'):
    values = [named[f'{name}.running_{kind}'] for name in file['bn_names']]
    np.testing.assert_allclose(
      np.concatenate(values),
      file[f'bn_running_{kind}_concat'],
      rtol=1e-4,
      atol=1e-4,
    )


@pytest.mark.golden
def test_gradients_as_recorded(golden, seed):
  # In float64: an activation of 1e-6 that rounds to the other side of a ReLU
  # changes the gradients by half a percent.
  file = golden('resnet50')
  with jax.enable_x64(True):
    loss, named = loss_and_gradients(file, seed, jnp.float64)
  np.testing.assert_allclose(loss, file['train_loss'], rtol=2e-4)
  assert set(named) == set(map(str, file['grad_names']))
  norms = [np.linalg.norm(named[str(name)]) for name in file['grad_names']]
  np.testing.assert_allclose(norms, file['grad_l2'], rtol=1e-3)
  for key, expected in file.items():
    name = key.removeprefix('grad_corner_').removeprefix('grad_')
    if name not in named or key == name:
      continue
    value = named[name]
    if key.startswith('grad_corner_'):
      value = value[:8, :8]
    error = np.linalg.norm(value - expected) / np.linalg.norm(expected)
    assert error < 1e-3, (key, error)


@pytest.mark.parametrize(
  ('name', 'expected'),
  [
    ('resnet18', 11_176_512),
    ('resnet34', 21_284_672),
    ('resnet50', 23_508_032),
    ('small', 1_226_400),
  ],
)
def test_parameter_counts(name, expected):
  assert num_params(abstract(name)) == expected


@pytest.mark.parametrize(
  ('name', 'width', 'shape'),
  [
    ('small', 1.0, (2, 8, 8, 256)),
    ('small', 0.5, (2, 8, 8, 128)),
    ('resnet18', 0.25, (2, 2, 2, 128)),
    ('resnet50', 0.25, (2, 2, 2, 512)),
  ],
)
def test_feature_map_of_64_pixels(name, width, shape):
  model = abstract(name, width=width)
  images = jax.ShapeDtypeStruct((2, 64, 64, 3), jnp.float32)
  output = nnx.eval_shape(
    lambda m, x: feature_map(m, x, train=False), model, images
  )
  assert output.shape == shape
  assert model.num_features == shape[-1]
  assert 64 // model.stride == shape[1]


def test_initialisation_is_kaiming_by_fan_out():
  @jax.jit
  def values():
    block = build('small').layer4[0]  # 128 to 256 channels
    return block.conv1.kernel[...], block.bn2.scale[...], block.bn2.bias[...]

  kernel, scale, bias = values()
  np.testing.assert_allclose(kernel.std(), np.sqrt(2 / (9 * 256)), rtol=0.01)
  np.testing.assert_array_equal(scale, 1)
  np.testing.assert_array_equal(bias, 0)


def test_bfloat16_network_has_float32_parameters():
  images = jax.random.normal(jax.random.key(0), (4, 32, 32, 3))
  # All arguments are traced, as XLA would fold constants for a minute.
  initialise = jax.jit(lambda: nnx.state(build('small', width=0.25)))
  run = jax.jit(lambda m, x: (feature_map(m, x, train=True), nnx.state(m)))
  state, outputs = initialise(), []
  for dtype in (jnp.float32, jnp.bfloat16):
    graphdef = nnx.graphdef(abstract('small', width=0.25, dtype=dtype))
    output, new_state = run(nnx.merge(graphdef, state), images)
    assert all(x.dtype == jnp.float32 for x in jax.tree.leaves(new_state))
    outputs.append(output)
  full, low = outputs
  assert low.dtype == jnp.bfloat16
  error = jnp.linalg.norm(low - full) / jnp.linalg.norm(full)
  assert 1e-4 < error < 0.05
