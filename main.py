"""Trains an open-world attribution network, or evaluates a checkpoint.

  python main.py --config=configs/cpl.py:owdfa1 --workdir=runs/cpl
  python main.py --config=configs/cpl.py:owdfa1 --workdir=runs/cpl --mode=eval

Any field of the config can be overridden: --config.optimizer.learning_rate=1e-3
"""

import functools
import sys
from collections.abc import Sequence

import jax
from absl import app, flags, logging
from ml_collections import config_flags

from input_pipeline.errors import UserError, one_line_errors
from owdfa_jax.commands.flags import parse
from owdfa_jax.discovery.stages import evaluate_stages, last_stage, train_stages
from owdfa_jax.evaluation.attribute import attribute
from owdfa_jax.evaluation.evaluate import evaluate
from owdfa_jax.experiment import set_up
from owdfa_jax.methods import METHODS
from owdfa_jax.training.loop import train
from owdfa_jax.training.timing import benchmark

# Who gives no config, or one that is not there, is told.
_EXAMPLE = (
  'configs/METHOD.py:BENCHMARK, METHOD being '
  f'{", ".join(m for m in METHODS if m != "supervised")}, lower_bound, '
  'upper_bound or staged'
)
_CONFIG = config_flags.DEFINE_config_file(
  'config', None, 'What to run: configs/METHOD.py:BENCHMARK.', lock_config=True
)
_WORKDIR = flags.DEFINE_string('workdir', None, 'Where the run is kept.')
_MODE = flags.DEFINE_enum(
  'mode',
  'train',
  ['train', 'eval', 'attribute', 'benchmark'],
  'Train and evaluate; evaluate alone; say which source made each of '
  '--images; or time the parts of a step.',
)
_IMAGES = flags.DEFINE_string(
  'images', None, 'A folder of new images, for --mode=attribute.'
)
_DISTRIBUTED = flags.DEFINE_bool(
  'distributed',
  False,
  'One of several processes (a TPU or GPU pod): start the same command on '
  'each. Slurm, Kubernetes and TPU pods are recognised; elsewhere say who is '
  'who with the three flags below.',
)
_COORDINATOR = flags.DEFINE_string(
  'coordinator', None, 'host:port of process 0, for --distributed.'
)
_NUM_PROCESSES = flags.DEFINE_integer(
  'num_processes', None, 'How many there are, for --distributed.'
)
_PROCESS_ID = flags.DEFINE_integer(
  'process_id', None, 'Which of them this is, from 0, for --distributed.'
)


def join_pod() -> None:
  """Meets the other processes; must come before anything asks for devices."""
  try:
    jax.distributed.initialize(
      _COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value
    )
  except ValueError as error:
    raise UserError(
      f'the other processes cannot be found: --distributed ({error}); '
      'give --coordinator, --num_processes and --process_id'
    ) from error


def main(argv: Sequence[str]) -> None:
  """Runs the mode asked for; training ends with the evaluation."""
  del argv
  config, workdir = _CONFIG.value, _WORKDIR.value
  if workdir is None:
    if _MODE.value != 'benchmark':
      raise UserError('nowhere to keep the run: give --workdir=DIR')
    workdir = '.'  # where nothing is read or written
  # Orbax speaks of its doings, and warns of saves without metrics.
  logging.set_verbosity(logging.ERROR)
  if config.compilation_cache:
    jax.config.update('jax_compilation_cache_dir', config.compilation_cache)
  if _DISTRIBUTED.value:
    join_pod()
  if 'stages' in config:
    if _MODE.value == 'train':
      sys.exit(train_stages(config, workdir))
    if _MODE.value == 'eval':
      evaluate_stages(config, workdir)
      return
    config, workdir = last_stage(config, workdir)
  experiment = set_up(config, workdir)
  if _MODE.value == 'benchmark':
    benchmark(experiment)
    return
  if _MODE.value == 'attribute':
    if _IMAGES.value is None:
      raise UserError('nothing to attribute: give --images=FOLDER')
    sys.exit(attribute(experiment, _IMAGES.value))
  if _MODE.value == 'train' and (status := train(experiment)):
    sys.exit(status)
  evaluate(experiment)


if __name__ == '__main__':
  with one_line_errors():
    app.run(
      main,
      flags_parser=functools.partial(
        parse,
        config=_CONFIG,
        example=_EXAMPLE,
        needs='method',
      ),
    )
