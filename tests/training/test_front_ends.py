"""Every method with every front end: a step fits, and one is taken."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from owdfa_jax import parallel
from owdfa_jax.methods.base import make_epoch_info_at
from owdfa_jax.methods.by_name import METHODS
from owdfa_jax.methods.cal import CAL
from owdfa_jax.methods.cpl import CPL
from owdfa_jax.models import classifier
from owdfa_jax.training import state, step, timing

pytestmark = pytest.mark.usefixtures('quick_compile')

BATCH, SIZE, KNOWN, CLASSES = 16, 56, 3, 6
RUNS = {name: method() for name, method in METHODS.items()} | {
  'cal, classes unknown': CAL(estimate_classes=True),
  'cpl and cdal': CPL(counterfactual=True),
}


def make_batch():
  draw = np.random.default_rng(0)
  label = np.where(np.arange(BATCH) % 2, -1, draw.integers(0, KNOWN, BATCH))
  return {
    'image': draw.integers(0, 256, (BATCH, SIZE, SIZE, 3), dtype=np.uint8),
    'label': label.astype(np.int32),
    'true_label': np.maximum(label, 0).astype(np.int32),
    'index': np.arange(BATCH, dtype=np.int32),
  }


def prepare(method_name, front_end, spectrum_features, num_devices=1):
  """Returns placement, graphdef, initial state and step of a tiny run."""
  placement = parallel.make_placement(jax.devices()[:num_devices])
  method = RUNS[method_name]
  outputs = method.num_outputs(KNOWN) or CLASSES
  build = functools.partial(
    classifier.create,
    backbone='small',
    width=0.125,
    num_outputs=outputs,
    image_size=SIZE,
    branches=method.branches,
    front_end=front_end,
    spectrum_features=spectrum_features,
  )
  optimizer = optax.adam(1e-3)
  graphdef, _, _ = state.abstract_network(lambda r: build(rngs=r), placement)
  init = state.make_init(
    lambda r: build(rngs=r), method, outputs, optimizer, num_examples=BATCH
  )
  train_step = step.make_train_step(
    graphdef,
    method,
    optimizer,
    lambda count: 1e-3,
    make_epoch_info_at(KNOWN, epochs=2, steps_per_epoch=2),
    0,
    placement,
  )
  return placement, graphdef, init, train_step


@pytest.mark.parametrize('method', RUNS)
def test_shapes_of_a_step_fit(method):
  # Of the front ends, 'both' alone has another number of channels than 'rgb'.
  placement, _, init, train_step = prepare(method, 'both', 3)
  start = state.abstract_state(init, placement)
  after, report = jax.eval_shape(train_step, start, make_batch())
  shapes = lambda tree: jax.tree.map(lambda x: (x.shape, x.dtype), tree)
  assert shapes(after) == shapes(start)
  assert report.numbers['loss'].shape == ()


def test_a_step_on_eight_devices_trains_every_part():
  placement, _, init, train_step = prepare('supervised', 'both', 3, 8)
  start = state.create_state(init, 0, placement)
  before = jax.device_get(start.params)
  after, report = train_step(start, placement.put_batch(make_batch()))
  assert report.taken
  moved = jax.tree.map(
    lambda a, b: bool(jnp.any(a != b)), before, jax.device_get(after.params)
  )
  assert all(jax.tree.leaves(moved)), moved


def test_timing_takes_the_front_end_of_the_network():
  placement, graphdef, init, _ = prepare('cpl', 'both', 3)
  start = state.abstract_state(init, placement)
  gradient = timing.make_network_gradient(graphdef)
  shapes = jax.eval_shape(
    gradient, start.params, start.batch_stats, make_batch()
  )
  assert jax.tree.structure(shapes) == jax.tree.structure(start.params)
