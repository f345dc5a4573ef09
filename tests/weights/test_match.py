"""Networks that are loaded from files: what matches and what does not."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from flax import nnx

from helpers import torch_writer
from helpers.loaded_networks import make, renamed, source
from helpers.resnet_goldens import (
  channels_last,
  check_final,
  check_stages,
  formula,
  stage_outputs,
  state_dict,
)
from owdfa_jax import parallel, weights
from owdfa_jax.weights.match import fill_network

WRITERS = {
  'weights.npz': lambda path, arrays: np.savez(path, **arrays),
  'weights.safetensors': lambda path, arrays: safetensors.numpy.save_file(
    arrays, path
  ),
  'zip.pth': torch_writer.save_zip,
  'legacy.pth': torch_writer.save_legacy,
}


def test_names_of_private_parts_are_found():
  private = {
    '.'.join(f'_{word}' for word in name.split('.')[:-1])
    + '.'
    + name.split('.')[-1]: value
    for name, value in source().items()
  }
  _, params, stats = make()
  *_, report = fill_network(private, params, stats, 'here')
  assert len(report.loaded) == len(private) and not report.unused


def test_every_tensor_is_loaded_where_it_belongs():
  _, params, stats = make()
  new_params, new_stats, report = fill_network(source(), params, stats, 'here')
  block = new_params['backbone']['layer2'][0]
  for value, name in (
    (
      block['conv1']['kernel'],
      'backbone.layer2.0.conv1.weight',
    ),
    (
      block['downsample'][0]['kernel'],
      'backbone.layer2.0.downsample.0.weight',
    ),
  ):
    for index in ((0, 0, 0, 0), (0, 0, 1, 2)):
      height, width, inner, outer = index
      expected = source()[name][outer, inner, height, width]
      assert value[...][index] == expected
  np.testing.assert_array_equal(
    new_params['fc2']['kernel'][...], source()['fc2.weight'].T
  )
  norm = new_params['backbone']['bn1'], new_stats['backbone']['bn1']
  for value, leaf in (
    (norm[0]['scale'], 'weight'),
    (norm[0]['bias'], 'bias'),
    (norm[1]['mean'], 'running_mean'),
    (norm[1]['var'], 'running_var'),
  ):
    np.testing.assert_array_equal(value[...], source()[f'backbone.bn1.{leaf}'])
  assert set(report.loaded) == set(source())
  assert (report.missing, report.unused, report.other_shapes) == ((), (), ())


def test_structure_dtypes_and_devices_are_kept():
  _, *old = make()
  *new, _ = fill_network(source(), *old, 'here')
  assert jax.tree.structure(new) == jax.tree.structure(old)
  for before, after in zip(*map(jax.tree.leaves, (old, new)), strict=True):
    assert after.dtype == before.dtype == jnp.float32
    assert after.sharding == before.sharding
    assert after.sharding.num_devices == 8
    assert after.committed


def test_sharding_of_a_leaf_is_kept():
  _, params, stats = make(num_outputs=8)
  placement = parallel.make_placement()
  kernel = params['fc2']['kernel']
  split = jax.NamedSharding(placement.mesh, jax.P(None, 'data'))
  kernel.set_value(jax.device_put(kernel[...], split))
  arrays = source(num_outputs=8)
  new_params, _, _ = fill_network(arrays, params, stats, 'here')
  value = new_params['fc2']['kernel'][...]
  assert value.sharding == split
  np.testing.assert_array_equal(value, arrays['fc2.weight'].T)


def test_donating_the_parameters_does_not_change_the_source():
  _, params, stats = make()
  arrays = {key: value.copy() for key, value in source().items()}
  params, _, _ = fill_network(arrays, params, stats, 'here')
  scale = jax.jit(
    lambda tree: jax.tree.map(lambda x: 2 * x, tree), donate_argnums=0
  )
  jax.block_until_ready(scale(params))
  for key, value in arrays.items():
    np.testing.assert_array_equal(value, source()[key])


@pytest.mark.parametrize(
  'prefix', ['', 'module.', 'encoder.', 'module.encoder.', 'model.backbone.']
)
def test_prefixes_of_wrappers_are_removed(prefix):
  arrays = renamed(source(), 'backbone.', prefix)
  _, params, stats = make()
  _, _, report = fill_network(arrays, params, stats, 'here')
  assert (report.missing, report.unused) == ((), ())


@pytest.mark.parametrize('dtype', [np.float16, ml_dtypes.bfloat16, np.float64])
def test_other_float_types_become_float32(dtype):
  arrays = {key: value.astype(dtype) for key, value in source().items()}
  _, params, stats = make()
  new_params, _, _ = fill_network(arrays, params, stats, 'here')
  kernel = new_params['fc2']['kernel'][...]
  assert kernel.dtype == jnp.float32
  np.testing.assert_array_equal(
    kernel, arrays['fc2.weight'].T.astype(np.float32)
  )


def test_tensors_that_do_not_match_are_reported():
  arrays = renamed(source(num_outputs=5), 'backbone.', '')
  del arrays['bottleneck.weight']
  arrays |= {
    'fc.weight': np.zeros((1000, 32)),
    'bn1.num_batches_tracked': np.array(7),
  }
  _, params, stats = make()
  new_params, new_stats, report = fill_network(arrays, params, stats, 'here')
  assert report.missing == ('bottleneck.weight',)
  assert report.unused == ('fc.weight',)
  assert report.other_shapes == (('fc2.weight', (5, 32), (3, 32)),)
  for value in (
    new_params['fc2']['kernel'],
    new_params['bottleneck']['scale'],
  ):
    np.testing.assert_array_equal(value[...], 0)
  np.testing.assert_array_equal(
    new_stats['bottleneck']['var'][...], arrays['bottleneck.running_var']
  )
  line = str(report)
  for text in ('from here', 'bottleneck.weight', 'fc.weight', '(5, 32)'):
    assert text in line
  assert '\n' not in line


def test_transposed_matrix_is_not_loaded():
  arrays = source(num_outputs=32) | {}
  arrays['fc2.weight'] = arrays['fc2.weight'][:3].T
  _, params, stats = make()
  _, _, report = fill_network(arrays, params, stats, 'here')
  assert report.other_shapes == (('fc2.weight', (32, 3), (3, 32)),)


def test_the_network_that_is_taken_is_named():
  arrays = renamed(source(), 'backbone.', 'teacher.')
  arrays |= {f'student.{key}': value for key, value in source().items()}
  _, params, stats = make()
  _, _, report = fill_network(arrays, params, stats, 'here')
  # The student has the head beside its backbone.
  assert report.prefix == 'teacher.'
  assert report.others == ('student.backbone.',)
  line = str(report)
  assert 'here, the network teacher.*, not its other one student.' in line
  more = len(report.unused) - 5
  assert more > 0 and line.endswith(f' and {more} more')


@pytest.mark.parametrize('prefix', ['', 'module.', 'state_dict.model.'])
def test_a_head_beside_a_wrapped_backbone_is_found(prefix):
  arrays = {prefix + key: value for key, value in source().items()}
  _, params, stats = make()
  new_params, _, report = fill_network(arrays, params, stats, 'here')
  assert (report.missing, report.unused) == ((), ())
  np.testing.assert_array_equal(
    new_params['fc2']['kernel'][...], source()['fc2.weight'].T
  )


@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_tensors_that_are_left_out_keep_their_values(prefix):
  arrays = {prefix + key: value for key, value in source().items()}
  _, params, stats = make()
  new_params, _, report = fill_network(
    arrays, params, stats, 'here', leave_out=('fc2.',)
  )
  assert not new_params['fc2']['kernel'][...].any()
  assert (report.missing, report.unused) == ((), ())
  assert 'fc2.weight' not in report.loaded


@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_other_networks_beside_ours_do_not_count(prefix):
  arrays = renamed(source('resnet18'), 'backbone.', prefix)
  arrays[f'{prefix}aux.layer1.7.conv1.weight'] = np.zeros((8, 8, 3, 3))
  _, params, stats = make('resnet18')
  _, _, report = fill_network(arrays, params, stats, 'here')
  assert report.unused == (f'{prefix}aux.layer1.7.conv1.weight',)


@pytest.mark.parametrize('name', WRITERS)
def test_export_and_import_give_the_same_network(tmp_path, name):
  _, params, stats = make()
  before = fill_network(source(), params, stats, 'here')[:2]
  WRITERS[name](
    tmp_path / name,
    {
      k: np.ascontiguousarray(v)
      for k, v in weights.to_state_dict(*before).items()
    },
  )
  *after, report = weights.fill_network(
    weights.read_weights(tmp_path / name), params, stats, str(tmp_path / name)
  )
  assert report.source == str(tmp_path / name)
  jax.tree.map(np.testing.assert_array_equal, tuple(after), before)


@pytest.fixture(scope='module')
def resnet50(golden):
  """Returns a ResNet-50's state dict by the goldens' formula, and a network."""
  seed = int(golden('resnet50')['set_seed'])
  arrays = {
    name: formula(name, shape, seed) for name, shape in state_dict().items()
  }
  return arrays, make('resnet50', 1.0, devices=1)


@pytest.fixture(scope='module')
def forward(golden, resnet50):
  graphdef = resnet50[1][0]
  x = channels_last(golden('resnet50')['x'])

  @jax.jit
  def run(params, stats):
    network = nnx.merge(graphdef, params, stats, copy=True)
    return stage_outputs(network.backbone, x, train=False)

  return run


@pytest.mark.golden
@pytest.mark.parametrize('name', WRITERS)
def test_resnet50_reproduces_the_sources_features(
  golden, resnet50, forward, tmp_path, name
):
  file, (arrays, (_, params, stats)) = golden('resnet50'), resnet50
  WRITERS[name](tmp_path / name, arrays)
  params, stats, report = weights.fill_network(
    weights.read_weights(tmp_path / name), params, stats, str(tmp_path / name)
  )
  assert report.unused == ('fc.bias', 'fc.weight')
  assert all(x.startswith(('bottleneck.', 'fc2.')) for x in report.missing)
  outputs = forward(params, stats)
  check_stages(file, 'eval', outputs, 1e-5)
  pooled = np.asarray(outputs['layer4']).mean((1, 2))
  logits = pooled @ arrays['fc.weight'].T + arrays['fc.bias']
  check_final(file, 'eval', outputs['layer4'], logits, 1e-5)
