"""The recorded ResNet-50: its weights by a formula, and its outputs."""

import json
import zlib

import jax.numpy as jnp
import numpy as np
from flax import nnx

from helpers.paths import GOLDENS

TORCH_LEAVES = {
  'kernel': 'weight',
  'scale': 'weight',
  'bias': 'bias',
  'mean': 'running_mean',
  'var': 'running_var',
}


def torch_name(path):
  """Returns PyTorch's name of a variable at a path."""
  return '.'.join([*map(str, path[:-1]), TORCH_LEAVES[path[-1]]])


def torch_shapes(model):
  """Returns all variables' shapes in PyTorch's order, by PyTorch's names."""
  shapes = {}
  for path, variable in nnx.to_flat_state(nnx.state(model)):
    shape = variable.shape
    if path[-1] == 'kernel':
      shape = (shape[3], shape[2], *shape[:2])
    shapes[torch_name(path)] = shape
  return shapes


def state_dict():
  """Returns the shapes in the recorded state dict, by name."""
  path = GOLDENS / 'resnet50_state_dict.json'
  return {
    name: tuple(shape)
    for name, shape, _ in json.loads(path.read_text())['state_dict']
    if not name.endswith('num_batches_tracked')
  }


def formula(name, shape, seed):
  """Returns the recorded weights, a function of name, shape and seed."""
  crc = (zlib.crc32(name.encode('ascii')) + seed) % 2**32
  z = np.random.RandomState(crc).randn(*shape)
  if len(shape) == 4:
    z *= np.sqrt(2 / np.prod(shape[1:]))
  elif name == 'fc.weight':
    z *= 0.02
  elif name.endswith('running_var'):
    z = 1 + 0.2 * np.abs(z)
  elif name.endswith(('bias', 'running_mean')):
    z *= 0.1
  else:
    z = (0.4 if '.bn3.' in name else 1.0) + 0.1 * z
  return z.astype(np.float32)


def channels_last(x):
  return jnp.asarray(x).transpose(0, 2, 3, 1)


def channels_first(x):
  return np.asarray(x).transpose(0, 3, 1, 2)


def stage_outputs(model, x, train):
  """Returns the outputs of the stem's layers and of the stages, by name."""
  outputs = {'conv1': model.conv1(x)}
  outputs['bn1_relu'] = nnx.relu(model.bn1(outputs['conv1'], train=train))
  outputs['maxpool'] = nnx.max_pool(
    outputs['bn1_relu'], (3, 3), strides=(2, 2), padding=((1, 1), (1, 1))
  )
  x = outputs['maxpool']
  for number, blocks in enumerate(model.stages(), start=1):
    for block in blocks:
      x = block(x, train=train)
    outputs[f'layer{number}'] = x
  return outputs


def check_stages(file, mode, outputs, tolerance):
  """Compares the stages' outputs, to `tolerance` of the largest value.

  Args:
    file: the arrays of the golden file.
    mode: 'eval' or 'train', the prefix of the recorded names.
    outputs: see `stage_outputs`.
    tolerance: relative to the largest value of a stage.
  """
  for stage, output in outputs.items():
    output = channels_first(output)
    prefix = f'{mode}_{stage}'
    assert output.shape == tuple(file[f'{prefix}_shape'])
    largest = file[f'{prefix}_mean_std_absmax'][2]
    close = {'rtol': 0, 'atol': tolerance * largest, 'err_msg': prefix}
    np.testing.assert_allclose(
      [output.mean(), output.std(), np.abs(output).max()],
      file[f'{prefix}_mean_std_absmax'],
      **close,
    )
    np.testing.assert_allclose(
      output.mean((0, 2, 3)), file[f'{prefix}_channel_mean'], **close
    )
    corner = file[f'{prefix}_corner']
    np.testing.assert_allclose(
      output[:, :4, : corner.shape[2], : corner.shape[3]], corner, **close
    )


def check_final(file, mode, output, logits, tolerance):
  """Compares feature map and logits; see `check_stages`."""
  for key, value in (
    ('featuremap', channels_first(output)),
    ('logits', logits),
  ):
    expected = file[f'{mode}_{key}']
    atol = tolerance * np.abs(expected).max()
    np.testing.assert_allclose(value, expected, rtol=0, atol=atol, err_msg=key)
