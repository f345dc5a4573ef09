"""Every method with more channels and the spectrum branch: a step fits.

`tests/methods/test_methods.py` takes such steps.
"""

import functools

import jax
import numpy as np
import optax
import pytest

from owdfa_jax import parallel
from owdfa_jax.methods.base import make_epoch_info_at
from owdfa_jax.methods.by_name import METHODS
from owdfa_jax.methods.cpl import CPL
from owdfa_jax.models.create import create_classifier
from owdfa_jax.training import state, step, timing

BATCH, SIZE, KNOWN, CLASSES = 16, 56, 3, 6
RUNS = {name: METHODS[name]() for name in ('mpsl', 'cal', 'orca', 'simgcd')} | {
  'cpl and cdal': CPL(counterfactual=True)
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


def prepare(method_name):
  """Returns the graphdef, the shapes of the state and the step of a run."""
  placement = parallel.make_placement()
  method = RUNS[method_name]
  outputs = method.num_outputs(KNOWN) or CLASSES
  build = functools.partial(
    create_classifier,
    backbone='small',
    width=0.125,
    num_outputs=outputs,
    image_size=SIZE,
    branches=method.branches,
    # Of the front ends, this one alone has another number of channels.
    front_end='both',
    spectrum_features=3,
    spectrum_projections=2,
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
  return graphdef, state.abstract_state(init, placement), train_step


@pytest.mark.parametrize('method', RUNS)
def test_shapes_of_a_step_fit(method):
  _, start, train_step = prepare(method)
  after, report = jax.eval_shape(
    train_step.program, start, make_batch(), np.uint32(0)
  )
  shapes = lambda tree: jax.tree.map(lambda x: (x.shape, x.dtype), tree)
  assert shapes(after) == shapes(start)
  assert report.numbers['loss'].shape == ()


def test_timing_takes_the_front_end_of_the_network():
  graphdef, start, _ = prepare('cal')
  gradient = timing.make_network_gradient(graphdef)
  shapes = jax.eval_shape(
    gradient, start.params, start.batch_stats, make_batch()
  )
  assert jax.tree.structure(shapes) == jax.tree.structure(start.params)
