"""Networks of all kinds become programs for all platforms."""

import types

import jax
import numpy as np
import pytest

from helpers.runs import tiny_experiment
from owdfa_jax.export.comparison import TOLERANCE
from owdfa_jax.export.program import export_function, network_function
from owdfa_jax.training.state import abstract_network

pytestmark = pytest.mark.usefixtures('quick_compile')


def drawn(shape):
  """Returns weights of a size that keeps activations finite."""
  if len(shape.shape) < 2:
    return np.ones(shape.shape, shape.dtype)
  size = np.prod(shape.shape[:-1])
  weights = np.random.default_rng(size).normal(0, size**-0.5, shape.shape)
  return weights.astype(shape.dtype)


@pytest.mark.slow
@pytest.mark.parametrize(
  ('method', 'changes'),
  [
    ('cpl', {'model__dtype': 'bfloat16'}),
    ('trace', {}),
    (
      'upper_bound',
      {'model__backbone': 'resnet50', 'model__dtype': 'bfloat16'},
    ),
  ],
)
def test_a_network_says_the_same_as_a_program(
  packed, tmp_path, method, changes
):
  changes = {'eval__classify_by': 'head', **changes}
  experiment = tiny_experiment(packed, tmp_path, method, **changes)
  _, *shapes = abstract_network(experiment.build, experiment.placement)
  params, batch_stats = jax.tree.map(drawn, shapes[:2])
  network = types.SimpleNamespace(
    params=params, batch_stats=batch_stats, step=0
  )
  function = network_function(experiment, network, None, 2.0)
  exported = export_function(function, 32)
  assert exported.platforms == ('cpu', 'cuda', 'tpu')
  program = jax.export.deserialize(exported.serialize())
  images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
  found, wanted = (
    jax.device_get(jax.jit(run)(images)) for run in (program.call, function)
  )
  for name in ('log_probability', 'feature'):
    assert found[name].dtype == np.float32
    assert np.std(wanted[name]) > 1e-3
    scale = max(1.0, np.abs(wanted[name]).max())
    np.testing.assert_allclose(
      found[name] / scale,
      wanted[name] / scale,
      atol=TOLERANCE[experiment.config.model.dtype],
    )
