"""Trains an open-world attribution network, or evaluates a checkpoint.

  python main.py --config=configs/cpl.py:owdfa1 --workdir=runs/cpl
  python main.py --config=configs/cpl.py:owdfa1 --workdir=runs/cpl --mode=eval

Any field of the config can be overridden: --config.optimizer.learning_rate=1e-3
"""

import sys
from collections.abc import Sequence

import jax
import ml_collections
from absl import app, flags, logging
from ml_collections import config_flags

from input_pipeline.errors import UserError, one_line_errors
from owdfa_jax.attribute import attribute
from owdfa_jax.benchmark import benchmark
from owdfa_jax.evaluate import evaluate
from owdfa_jax.experiment import set_up
from owdfa_jax.train import train

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


def parse(argv: Sequence[str]) -> list[str]:
  """Parses the command line; `UserError` for what is wrong with it."""
  given = [word for word in argv if word.startswith('--config=')]
  no_config_file = UserError(
    f'no such config file: {" ".join(given)}; '
    'give --config=configs/METHOD.py:BENCHMARK'
  )
  try:
    rest = flags.FLAGS(argv)
  except (AttributeError, KeyError) as error:
    raise UserError(
      f'no such config field: {tidy(error)}; see configs/default.py and '
      'the file given by --config for the fields there are'
    ) from error
  except flags.Error as error:
    cause = error.__cause__ or error.__context__
    if isinstance(cause, UserError):
      raise cause from error
    raise UserError(str(error)) from error
  except OSError as error:
    raise no_config_file from error
  if len(rest) > 1:
    raise UserError(f'unknown argument: {rest[1]}; flags begin with --')
  if _CONFIG.value is None:
    raise UserError('nothing to run: give --config=configs/METHOD.py:BENCHMARK')
  if not isinstance(_CONFIG.value, ml_collections.ConfigDict):
    raise no_config_file
  return rest


def tidy(error: AttributeError | KeyError) -> str:
  """ml_collections' words on a field, without its quotes and line breaks."""
  words = str(error.args[0]).replace('\\n', '. ').replace('\n', '. ')
  return words.replace('\\', '').strip('\'"')


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
    raise UserError('nowhere to keep the run: give --workdir=DIR')
  # Orbax speaks of its doings, and warns of saves without metrics.
  logging.set_verbosity(logging.ERROR)
  if config.compilation_cache:
    jax.config.update('jax_compilation_cache_dir', config.compilation_cache)
  if _DISTRIBUTED.value:
    join_pod()
  experiment = set_up(config, workdir)
  if _MODE.value == 'benchmark':
    benchmark(experiment)
    return
  if _MODE.value == 'attribute':
    if _IMAGES.value is None:
      raise UserError('nothing to attribute: give --images=FOLDER')
    attribute(experiment, _IMAGES.value)
    return
  if _MODE.value == 'train' and (status := train(experiment)):
    sys.exit(status)
  evaluate(experiment)


if __name__ == '__main__':
  with one_line_errors():
    app.run(main, flags_parser=parse)
