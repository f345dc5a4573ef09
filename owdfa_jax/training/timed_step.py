"""A process that times a training step on random images when it is asked to.

`compare_steps` starts several of them with different settings and lets them
take turns. Each line on standard input asks for the time of some steps.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from input_pipeline.errors import UsageError, UserError
from input_pipeline.escape import message
from owdfa_jax import configs
from owdfa_jax.parallel import check_batch_size, check_groups, make_placement
from owdfa_jax.setting_checks import check_config
from owdfa_jax.training.setup import DataSizes, training_without_data
from owdfa_jax.training.state import create_state
from owdfa_jax.training.timing import repeat_step

# What the packed data would say; they hardly change the cost of a step.
NUM_KNOWN = 8
NUM_CLASSES = 20
NUM_EXAMPLES = 5000
STEPS_PER_EPOCH = 40


def random_step(
  config: str, settings: list[str], image_size: int
) -> Callable[[], Any]:
  """Returns a function that takes one training step with each call.

  The images and labels are random, so no data is needed.

  Args:
    config: METHOD:BENCHMARK.
    settings: overrides of its fields, 'field=value'.
    image_size: S, of images of S x S pixels.

  Raises:
    UserError: there is no such config, or a setting does not fit.
  """
  name, _, benchmark = config.partition(':')
  chosen = configs.load(name, benchmark).lock()
  for setting in settings:
    configs.override(chosen, setting, 'a variant')
  check_config(chosen)
  placement = make_placement()
  check_batch_size(chosen.batch_size, placement)
  group = chosen.method.params.get('pair_within', 0)
  check_groups(group, chosen.batch_size, placement)
  sizes = DataSizes(
    known=NUM_KNOWN,
    outputs=NUM_CLASSES,
    examples=NUM_EXAMPLES,
    steps_per_epoch=STEPS_PER_EPOCH,
  )
  training = training_without_data(chosen, sizes, image_size, placement)
  state = create_state(training.init, chosen.seed, placement)
  take_step = repeat_step(training.train_step, state)
  batch = placement.put_batch(
    random_batch(chosen.batch_size, image_size, NUM_KNOWN, NUM_CLASSES)
  )
  return lambda: take_step(batch)


def random_batch(
  rows: int, image_size: int, known: int, classes: int
) -> dict[str, np.ndarray]:
  """Returns a batch of noise.

  Args:
    rows: B, of the batch.
    image_size: S, of images of S x S pixels.
    known: number of known classes; every second row of them has its label.
    classes: number of known and novel classes.

  Returns:
    What `input_pipeline.pipeline.train_batches` yields.
  """
  draw = np.random.default_rng(0)
  true = draw.integers(0, classes, rows, np.int32)
  labelled = (np.arange(rows) % 2 == 0) & (true < known)
  return {
    'image': draw.integers(0, 256, (rows, image_size, image_size, 3), np.uint8),
    'label': np.where(labelled, true, -1).astype(np.int32),
    'true_label': true,
    'index': np.arange(rows, dtype=np.int32),
  }


def main(arguments: list[str]) -> None:
  """Answers on standard output.

  First prints the seconds and the processor seconds of the first step and its
  compilation. Then, for each line that it reads, the seconds of one step. Of a
  mistake in the settings it prints the kind, such as UsageError, and what it
  is, and ends with status 1.

  Args:
    arguments: METHOD:BENCHMARK, the side of the images, how many steps to take
      for each line, and settings of the config.
  """
  config, image_size, steps, *settings = arguments
  began = time.perf_counter(), time.process_time()
  try:
    step = random_step(config, settings, int(image_size))
  except UserError as error:
    kind = UsageError if isinstance(error, UsageError) else UserError
    print(kind.__name__, message(str(error)))
    sys.exit(1)
  jax.block_until_ready(step())
  taken = time.perf_counter() - began[0], time.process_time() - began[1]
  print(*taken, flush=True)
  for _ in sys.stdin:
    start = time.perf_counter()
    for _ in range(int(steps)):
      report = step()
      jax.block_until_ready(report)
    print((time.perf_counter() - start) / int(steps), flush=True)


if __name__ == '__main__':
  main(sys.argv[1:])
