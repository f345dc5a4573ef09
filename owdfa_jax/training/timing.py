"""Where the time of a training step goes: input, augmentation, network, rest.

Everything is measured in one process, the parts in turn and over again, so
that their ratios hold on a machine that does other things besides.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
from flax import nnx

from input_pipeline import pipeline
from owdfa_jax.experiment import Experiment
from owdfa_jax.losses import common
from owdfa_jax.methods.base import Calendar
from owdfa_jax.training import augment, optimizers, step
from owdfa_jax.training import state as state_lib
from owdfa_jax.training.progress import say
from owdfa_jax.training.state import TrainState

ROUNDS = 8


def benchmark(experiment: Experiment) -> dict[str, float]:
  """Prints and returns the seconds of a step's parts, medians of 8 rounds.

  Returns:
    input: decoding a batch, from shards, nothing cached (overlaps with the
      step in training).
    augmentation: of the batch, on the device.
    network: forward and backward with a cross entropy alone, per view.
    step: the whole training step.
    method: what is left of it: pairing, losses, the optimiser.
  """
  config, dataset = experiment.config, experiment.dataset
  placement, method = experiment.placement, experiment.method
  tx, schedule = optimizers.make_optimizer(
    **config.optimizer, epochs=config.epochs, steps_per_epoch=1
  )
  graphdef, state = state_lib.initialise(
    experiment.build,
    method,
    experiment.num_outputs,
    tx,
    num_examples=len(dataset.train),
    seed=config.seed,
    placement=placement,
  )
  batches = pipeline.train_batches(
    dataset,
    batch_size=config.batch_size,
    seed=config.seed,
    supervision=config.data.supervision,
    process_index=jax.process_index(),
    process_count=jax.process_count(),
    num_threads=0,
    cache_bytes=0,
  )
  batch = placement.put_batch(next(batches))
  clock_at = Calendar(dataset.num_known, config.epochs, 1)
  train_step = step.make_train_step(
    graphdef, method, tx, schedule, clock_at, config.seed, placement
  )

  def whole_step() -> Any:
    # The step consumes the state it is given.
    nonlocal state
    state, scalars = train_step(state, batch)
    return scalars

  views = jax.jit(
    lambda image: [
      augment.augment(jax.random.key(0), image, view) for view in method.views
    ]
  )
  gradient = jax.jit(lambda s: network_gradient(graphdef, s, batch))
  seconds = medians(
    {
      'input': lambda: next(batches),
      'augmentation': lambda: views(batch['image']),
      'network': lambda: gradient(state),
      'step': whole_step,
    }
  )
  seconds['network'] *= len(method.views)
  whole = seconds.pop('step')
  seconds['method'] = whole - seconds['network'] - seconds['augmentation']
  seconds['step'] = whole
  say(
    f'{config.method.name}, {config.model.backbone}, batch of '
    f'{len(batch["label"])}, {placement.mesh.size} x '
    f'{jax.devices()[0].device_kind}'
  )
  for name, value in seconds.items():
    share = value / whole
    say(f'{name:14} {1000 * value:9.1f} ms {100 * share:6.1f} % of a step')
  say('input is decoded beside the step; the other parts add up to it')
  return seconds


def network_gradient(
  graphdef: nnx.GraphDef, state: TrainState, batch: dict[str, jax.Array]
) -> Any:
  """Gradient of a plain cross entropy, without augmentation and parts."""

  def loss(params: Any) -> jax.Array:
    model = nnx.merge(graphdef, params, state.batch_stats, copy=True)
    images = augment.normalise(batch['image'])
    logits = model(images, train=True, key=jax.random.key(0)).logits
    return common.margin_cross_entropy(logits, batch['label'], 0.0).mean()

  return jax.grad(loss)(state.params)


def medians(parts: dict[str, Callable[[], Any]]) -> dict[str, float]:
  """Median seconds of each part, all of them once a round."""
  taken: dict[str, list[float]] = {name: [] for name in parts}
  for _ in range(1 + ROUNDS):
    for name, part in parts.items():
      began = time.perf_counter()
      jax.block_until_ready(part())
      taken[name].append(time.perf_counter() - began)
  # The first round compiles.
  return {name: statistics.median(times[1:]) for name, times in taken.items()}
