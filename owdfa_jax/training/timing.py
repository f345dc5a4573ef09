"""Times the parts of a training step: input, augmentation, network, method.

All parts run in one process, in turn and several times, so that other load on
the machine affects them alike.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import grain
import jax
import jax.numpy as jnp
from flax import nnx

from input_pipeline import pipeline
from input_pipeline.batches import Batch
from owdfa_jax.experiment import Experiment
from owdfa_jax.losses import common
from owdfa_jax.method_titles import method_title
from owdfa_jax.parallel import DeviceBatch
from owdfa_jax.training import augment
from owdfa_jax.training.progress import say
from owdfa_jax.training.setup import set_up_training
from owdfa_jax.training.state import (
  BatchStats,
  Params,
  TrainState,
  create_state,
)
from owdfa_jax.training.step import TrainStep
from owdfa_jax.training.step_report import StepReport
from owdfa_jax.training.views import Augmentation, View, make_view

ROUNDS = 8


def time_step(experiment: Experiment) -> dict[str, float]:
  """Prints and returns the seconds of a step's parts, medians of 8 rounds.

  Args:
    experiment: what `experiment.set_up` returns; its workdir is not used.

  Returns:
    input: reading and decoding a batch, with an empty cache. In training this
      overlaps with the step.
    augmentation: augmenting a batch on the device, for all views.
    network: forward and backward pass with a cross entropy, for all views.
    method: the rest of the step: pairing, losses, the optimiser. Below 0 if
      it is too small to measure.
    step: the whole training step, the sum of the three parts before it.

  Raises:
    UserError: the data is damaged, or smaller than one batch.
  """
  training = set_up_training(experiment)
  state = create_state(
    training.init, experiment.config.seed, experiment.placement
  )
  # The step below donates its state, so the network is timed with a copy.
  params, batch_stats = jax.tree.map(
    jnp.copy, (state.params, state.batch_stats)
  )
  batches = uncached_batches(experiment)
  augmentation = Augmentation(**experiment.config.augment)
  batch = experiment.placement.put_batch(next(batches))
  augment_views = make_augment_views(
    [make_view(name, augmentation) for name in experiment.method.views]
  )
  network_gradient = make_network_gradient(training.graphdef)
  take_step = repeat_step(training.train_step, state)
  seconds = median_seconds(
    {
      'input': lambda: next(batches),
      'augmentation': lambda: augment_views(batch['image']),
      'network': lambda: network_gradient(params, batch_stats, batch),
      'step': lambda: take_step(batch),
    }
  )
  step = seconds.pop('step')
  # One pass was timed; a step has one for each view.
  seconds['network'] *= len(experiment.method.views)
  seconds['method'] = step - seconds['network'] - seconds['augmentation']
  seconds['step'] = step
  print_parts(experiment, len(batch['label']), seconds)
  return seconds


def uncached_batches(
  experiment: Experiment,
) -> grain.DatasetIterator[Batch]:
  """Returns training batches that are decoded when asked for, not before."""
  config = experiment.config
  return pipeline.train_batches(
    experiment.dataset,
    batch_size=config.batch_size,
    seed=config.seed,
    supervision=config.data.supervision,
    own_rows=experiment.placement.own_rows,
    num_threads=0,
    cache_bytes=0,
  )


def make_augment_views(
  views: Sequence[View],
) -> Callable[[jax.Array], list[jax.Array]]:
  """Returns the compiled augmentation: uint8 images -> one array per view."""
  return jax.jit(
    lambda image: [
      augment.random_view(jax.random.key(0), image, view) for view in views
    ]
  )


def make_network_gradient(
  graphdef: nnx.GraphDef,
) -> Callable[[Params, BatchStats, DeviceBatch], Params]:
  """Returns the compiled gradient of a plain cross entropy.

  It has no augmentation and no method:
  (params, batch_stats, batch) -> gradient of params.
  """

  def loss(
    params: Params, batch_stats: BatchStats, batch: DeviceBatch
  ) -> jax.Array:
    model = nnx.merge(graphdef, params, batch_stats, copy=True)
    outputs = model.classify_images(
      batch['image'], train=True, key=jax.random.key(0)
    )
    return common.margin_cross_entropy(
      outputs.logits, batch['label'], 0.0
    ).mean()

  return jax.jit(jax.grad(loss))


def repeat_step(
  train_step: TrainStep, state: TrainState
) -> Callable[[DeviceBatch], StepReport]:
  """Returns a function that takes one more step with the batch it is given."""

  def next_step(batch: DeviceBatch) -> StepReport:
    nonlocal state
    state, report = train_step(state, batch)
    return report

  return next_step


def median_seconds(parts: dict[str, Callable[[], Any]]) -> dict[str, float]:
  """Returns the median seconds of each part over `ROUNDS` rounds.

  Every round runs each part once and waits for its result.
  """
  taken: dict[str, list[float]] = {name: [] for name in parts}
  for _ in range(1 + ROUNDS):
    for name, part in parts.items():
      began = time.perf_counter()
      jax.block_until_ready(part())
      taken[name].append(time.perf_counter() - began)
  # The first round includes compilation.
  return {name: statistics.median(times[1:]) for name, times in taken.items()}


def print_parts(
  experiment: Experiment, num_rows: int, seconds: dict[str, float]
) -> None:
  """Prints each part's milliseconds and its share of a step.

  Args:
    experiment: what was timed.
    num_rows: rows of a batch.
    seconds: what `time_step` returns.
  """
  config = experiment.config
  say(
    f'{method_title(config.to_dict())}, {config.model.backbone}, batch of '
    f'{num_rows}, {experiment.placement.mesh.size} x '
    f'{jax.devices()[0].device_kind}',
    always=True,
  )
  for name, value in seconds.items():
    # A short part is the small difference of two measured times, which the
    # noise can make negative.
    if value < 0:
      say(f'{name:14} too small to measure', always=True)
      continue
    share = value / seconds['step']
    say(
      f'{name:14} {1000 * value:9.1f} ms {100 * share:6.1f} % of a step',
      always=True,
    )
  say('the input is decoded while the step runs; the other parts add up to it')
