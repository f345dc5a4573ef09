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

from input_pipeline.errors import one_line_errors
from owdfa_jax import configs
from owdfa_jax.experiment import make_method
from owdfa_jax.methods.base import make_epoch_info_at
from owdfa_jax.models.create import create_classifier
from owdfa_jax.parallel import make_placement
from owdfa_jax.training.optimizers import make_optimizer
from owdfa_jax.training.state import abstract_network, create_state, make_init
from owdfa_jax.training.step import make_train_step
from owdfa_jax.training.timing import repeat_step
from owdfa_jax.training.views import Augmentation

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
  method, placement = make_method(chosen), make_placement()
  outputs = method.num_outputs(NUM_KNOWN) or NUM_CLASSES
  network = chosen.model.to_dict()
  del network['init'], network['init_head']

  def build(rngs: Any) -> Any:
    return create_classifier(
      **network,
      num_outputs=outputs,
      image_size=image_size,
      branches=method.branches,
      rngs=rngs,
    )

  optimizer, schedule = make_optimizer(
    **chosen.optimizer, epochs=chosen.epochs, steps_per_epoch=STEPS_PER_EPOCH
  )
  graphdef, _, _ = abstract_network(build, placement)
  init = make_init(build, method, outputs, optimizer, NUM_EXAMPLES)
  train_step = make_train_step(
    graphdef,
    method,
    optimizer,
    schedule,
    make_epoch_info_at(NUM_KNOWN, chosen.epochs, STEPS_PER_EPOCH),
    chosen.seed,
    placement,
    Augmentation(**chosen.augment),
  )
  state = create_state(init, chosen.seed, placement)
  batch = random_batch(chosen.batch_size, image_size)
  return repeat_step(train_step, state, placement.put_batch(batch))


def random_batch(rows: int, image_size: int) -> dict[str, np.ndarray]:
  """Returns a batch of noise; every second row has a label."""
  draw = np.random.default_rng(0)
  true = draw.integers(0, NUM_CLASSES, rows, np.int32)
  labelled = (np.arange(rows) % 2 == 0) & (true < NUM_KNOWN)
  return {
    'image': draw.integers(0, 256, (rows, image_size, image_size, 3), np.uint8),
    'label': np.where(labelled, true, -1).astype(np.int32),
    'true_label': true,
    'index': np.arange(rows, dtype=np.int32),
  }


@one_line_errors()
def main(arguments: list[str]) -> None:
  """Answers on standard output.

  First prints the seconds and the processor seconds of the first step and its
  compilation. Then, for each line that it reads, the seconds of one step.

  Args:
    arguments: METHOD:BENCHMARK, the side of the images, how many steps to take
      for each line, and settings of the config.
  """
  config, image_size, steps, *settings = arguments
  began = time.perf_counter(), time.process_time()
  step = random_step(config, settings, int(image_size))
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
