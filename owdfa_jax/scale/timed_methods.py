"""Times the training steps of several methods on the devices of this machine.

The methods take turns, so that other load on the machine affects them alike.
Between its turns the state of a method is on the host, so that what fits does
not depend on the other methods.
"""

import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import grain
import jax

from input_pipeline import pipeline
from input_pipeline.batches import Batch
from input_pipeline.dataset import PackedDataset
from owdfa_jax.parallel import Placement
from owdfa_jax.scale.program import Sizes, method_config, step_training
from owdfa_jax.scale.size_flags import REFERENCE
from owdfa_jax.training.state import create_state
from owdfa_jax.training.timed_step import random_batch
from owdfa_jax.training.timing import repeat_step


@dataclasses.dataclass
class TimedMethod:
  """The step of a method, compiled, and how long it took.

  Attributes:
    name: one of `size_flags.METHODS`.
    start_turn: puts the state on the devices, and returns a function that takes
      one more step with a batch there. The state goes with that function.
    flops: of one step on all devices, as traced; the rounds of a loop count
      once.
    compile_seconds: from tracing to the end of the first step.
    seconds: of one step, from each round.
    wait: the share of the time that a step with real batches waits for them;
      None if it was not measured.
  """

  name: str
  start_turn: Callable[[], Callable[[Any], Any]]
  flops: float
  compile_seconds: float
  seconds: list[float] = dataclasses.field(default_factory=list)
  wait: float | None = None


def prepare_method(
  name: str, sizes: Sizes, placement: Placement
) -> TimedMethod | None:
  """Compiles the step of a method and takes it once.

  Args:
    name: one of `size_flags.METHODS`.
    sizes: the batch, the network and the data.
    placement: the devices.

  Returns:
    None if the memory of a device, or of this machine, is too small.

  Raises:
    JaxRuntimeError: the compiler failed for another reason.
  """
  config = method_config(name, sizes)
  try:
    batch = placement.put_batch(
      random_batch(sizes.batch, sizes.image, sizes.known, sizes.outputs)
    )
    began = time.perf_counter()
    training = step_training(config, sizes, placement)
    state = create_state(training.init, config.seed, placement)
    lowered = training.train_step.lower(state, batch)
    step = training.train_step.with_program(lowered.compile())
    shardings = jax.tree.map(lambda x: x.sharding, state)
    state, report = step(state, batch)
    jax.block_until_ready(report)
    compile_seconds = time.perf_counter() - began
    kept = jax.device_get(state)
  except jax.errors.JaxRuntimeError as error:
    if 'RESOURCE_EXHAUSTED' not in str(error):
      raise
    return None
  except MemoryError:
    return None

  def start_turn() -> Callable[[Any], Any]:
    placed = jax.block_until_ready(jax.device_put(kept, shardings))
    return repeat_step(step, placed)

  return TimedMethod(
    name=name,
    start_turn=start_turn,
    flops=lowered.cost_analysis()['flops'],
    compile_seconds=compile_seconds,
  )


def take_turns(
  methods: Sequence[TimedMethod], batch: Any, rounds: int, steps: int
) -> None:
  """Has each method take some steps in each round, and notes their seconds.

  Args:
    methods: what `prepare_method` returns; their `seconds` grow.
    batch: on the devices; all steps take the same one.
    rounds: how many turns each method has.
    steps: of a turn, which ends when the last one is done.
  """
  for _ in range(rounds):
    for method in methods:
      report: Any = None
      take_step = method.start_turn()
      began = time.perf_counter()
      for _ in range(steps):
        report = take_step(batch)
      jax.block_until_ready(report)
      method.seconds.append((time.perf_counter() - began) / steps)
      # With the state, before the next method's is put there.
      del take_step


def measure_wait(
  method: TimedMethod,
  batches: Iterator[Batch],
  placement: Placement,
  steps: int,
) -> None:
  """Takes steps with real batches, and notes how long they were waited for.

  Args:
    method: what `prepare_method` returns; its `wait` is set.
    batches: what `supervised_batches` returns.
    placement: the devices.
    steps: how many; as many are taken before the clock starts, so that batches
      that were made ahead do not count.
  """
  report: Any = None
  take_step = method.start_turn()
  for _ in range(steps):
    report = take_step(placement.put_batch(next(batches)))
  jax.block_until_ready(report)
  waited, began = 0.0, time.perf_counter()
  for _ in range(steps):
    asked = time.perf_counter()
    batch = next(batches)
    waited += time.perf_counter() - asked
    # As in training: the step before may still run.
    running = take_step(placement.put_batch(batch))
    jax.block_until_ready(report)
    report = running
  jax.block_until_ready(report)
  method.wait = waited / (time.perf_counter() - began)


def overhead(method: TimedMethod, reference: TimedMethod) -> float:
  """Returns how many times as long a step takes, by the median of rounds."""
  return statistics.median(
    a / b for a, b in zip(method.seconds, reference.seconds, strict=True)
  )


def supervised_batches(
  dataset: PackedDataset, sizes: Sizes
) -> grain.DatasetIterator[Batch]:
  """Returns the batches that supervised training reads.

  Args:
    dataset: packed images of `sizes.image` pixels.
    sizes: the batch, the network and the data.

  Raises:
    UserError: the dataset is smaller than a batch.
  """
  data = method_config(REFERENCE, sizes).data
  return pipeline.train_batches(
    dataset,
    batch_size=sizes.batch,
    seed=0,
    supervision=data.supervision,
    num_threads=data.num_threads,
    num_workers=data.num_workers,
  )
