"""Trains an open-world attribution network, or uses a trained one.

  owdfa train --config=cpl:owdfa1 --workdir=runs/cpl
  owdfa eval --workdir=runs/cpl
  owdfa attribute --workdir=runs/cpl new/*.png --out=sources.csv
  owdfa estimate --config=cpl:owdfa1
  owdfa timing --config=cpl:owdfa1

In a checkout, `python main.py --mode=MODE` does the same. Without
--config, eval, attribute and estimate take the config of the run in --workdir,
of which few settings can be overridden: --config.eval.batch_size=64
"""

import functools
import gc
import sys
from collections.abc import Sequence
from typing import NamedTuple

import ml_collections
from absl import app, flags
from ml_collections import config_flags

from input_pipeline.beam_runner import check_beam
from input_pipeline.errors import UsageError, one_line_errors
from input_pipeline.image_folders import FolderScan
from input_pipeline.pack_options import (
  BEAM_RUNNERS,
  LOCAL,
  check_max_pixels,
)
from input_pipeline.packed_arguments import check_cuts_faces
from input_pipeline.progress_bars import be_quiet
from owdfa_jax.commands.attributed_images import find_images
from owdfa_jax.commands.config_files import choices_of_config, method_configs
from owdfa_jax.commands.flags import (
  ARGUMENTS,
  Recorded,
  command_line,
  parse,
  recorded_workdir,
)
from owdfa_jax.commands.mode_help import MODE_HELP
from owdfa_jax.commands.pod_agreement import facts_of_work
from owdfa_jax.commands.pod_flags import check_pod_flags
from owdfa_jax.commands.recorded_run import check_recorded
from owdfa_jax.commands.training_inputs import check_configured
from owdfa_jax.commands.words import take_flag
from owdfa_jax.discovery.unknown_classes import estimate_without_network
from owdfa_jax.inference.tables import NEAREST_RANGE, NUM_NEAREST
from owdfa_jax.pods.worker import PodProcess
from owdfa_jax.settings import RunInputs
from owdfa_jax.training.recorded_config import (
  check_overrides,
  recorded_config,
  run_folders,
)

MODES = ('train', 'eval', 'attribute', 'estimate', 'timing')
# Python's own have it go through all that imports and tracing made, many times.
_COLLECTION_LIMITS = 50_000, 20, 100

# Modes that take the config of the run in --workdir, without --config.
_OF_RUN = ('eval', 'attribute', 'estimate')

_CONFIG = config_flags.DEFINE_config_file(
  'config',
  None,
  choices_of_config(),
  sys_argv=ARGUMENTS,
)
_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'The folder of the run: checkpoints, logs and reports.'
)
_MODE = flags.DEFINE_enum(
  'mode',
  'train',
  MODES,
  'What to do, as `owdfa MODE` does.',
)
_IMAGES = flags.DEFINE_string(
  'images',
  None,
  'A folder of new images; the same as a folder without a flag.',
)
_OUT = flags.DEFINE_string(
  'out',
  None,
  'The table, a new .csv, .jsonl or .parquet file; by default '
  'new_attributions.csv in the workdir, which is replaced.',
)
_MAX_PIXELS = flags.DEFINE_integer(
  'max_pixels',
  None,
  'The most pixels of an image; by default as many as for packing. A larger '
  'one is not read.',
)
_STABILITY = flags.DEFINE_bool(
  'stability',
  False,
  'See each image also mildly compressed and resized. One whose source changes '
  'is inconclusive. Takes four times as long.',
)
_NEAREST = flags.DEFINE_integer(
  'nearest',
  NUM_NEAREST,
  f'How many of the nearest training images each line names; {NUM_NEAREST} by '
  'default.',
)
_FRAMES = flags.DEFINE_bool(
  'frames',
  False,
  'A line for each frame of a video too.',
)
_FACES = flags.DEFINE_bool(
  'faces',
  False,
  'A line for every face of an image too; of a run trained on faces.',
)
_RUNNER = flags.DEFINE_enum(
  'runner',
  LOCAL,
  (LOCAL, *BEAM_RUNNERS),
  'local, this machine, or a runner of Apache Beam.',
)
_BEAM_OPTIONS = flags.DEFINE_string(
  'beam_options',
  '',
  "Options of the runner, such as '--flink_master=host:8081'.",
)
_QUIET = flags.DEFINE_bool(
  'quiet',
  False,
  'Show no progress, only results, warnings and errors.',
  short_name='q',
)
_DISTRIBUTED = flags.DEFINE_bool(
  'distributed',
  False,
  'Be one of several processes: start the same command on each. Slurm, '
  'Kubernetes and TPU pods are recognised; elsewhere give the three below.',
)
_COORDINATOR = flags.DEFINE_string(
  'coordinator', None, 'HOST:PORT of process 0.'
)
_NUM_PROCESSES = flags.DEFINE_integer(
  'num_processes', None, 'How many processes there are.'
)
_PROCESS_ID = flags.DEFINE_integer(
  'process_id', None, 'The number of this process, from 0.'
)
_POD_TIMEOUT = flags.DEFINE_integer(
  'pod_timeout',
  60,
  'Seconds without a sign of life after which a process counts as lost, 60 by '
  'default. All processes then end with status 75, and can be started again.',
)
# Flags that change what is computed; images are compared by themselves.
_SAME_IN_A_POD = _MODE, _MAX_PIXELS, _STABILITY, _NEAREST, _FRAMES, _FACES


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
  """Parses the command line and runs the mode it asks for.

  Args:
    argv: the arguments; by default those of the process.
    prog: the program's name, given with `argv`.
  """
  flags_parser = functools.partial(
    parse,
    config=_CONFIG,
    example=f'METHOD:BENCHMARK, METHOD one of {", ".join(method_configs())}',
    needs='method',
    description=__doc__ or '',
    recorded=Recorded(
      lambda words: _mode_of(words) in _OF_RUN,
      lambda workdir: recorded_config(run_folders(workdir)[-1]),
    ),
    takes_files=lambda words: _mode_of(words) == 'attribute',
    help_of=lambda words: MODE_HELP.get(_mode_of(words)),
  )
  with one_line_errors():
    app.run(_run, command_line(argv, prog), flags_parser=flags_parser)


def _mode_of(words: Sequence[str]) -> str:
  """Returns the mode that a command line asks for, '' for the default."""
  return ''.join(take_flag(words, 'mode')[0][-1:])


def _run(argv: Sequence[str]) -> None:
  """Checks everything that can be checked early, then runs."""
  gc.set_threshold(*_COLLECTION_LIMITS)
  files = argv[1:]
  if _QUIET.value:
    be_quiet()
  check_pod_flags(
    distributed=_DISTRIBUTED.value,
    coordinator=_COORDINATOR.value,
    num_processes=_NUM_PROCESSES.value,
    process_id=_PROCESS_ID.value,
    timeout=_POD_TIMEOUT.value,
  )
  needs_none = _WORKDIR.value is None and _MODE.value in ('estimate', 'timing')
  if not (_WORKDIR.value or needs_none):
    raise UsageError('no folder for the run: give --workdir=DIR')
  if _DISTRIBUTED.value and 'spectrum' in _CONFIG.value:
    raise UsageError(
      'one process is enough: --distributed with the config of a spectrum, '
      'which has no network; leave it out'
    )
  if _DISTRIBUTED.value and _RUNNER.value != LOCAL:
    raise UsageError(
      f'a runner has workers of its own: --runner={_RUNNER.value} with '
      '--distributed; leave one of them out'
    )
  if _DISTRIBUTED.value:
    with PodProcess(_POD_TIMEOUT.value) as pod:
      _check_and_run(files, pod)
  _check_and_run(files)


class _Checked(NamedTuple):
  """What can be checked before JAX is imported.

  Attributes:
    inputs: of the run; of a run in stages, of the last one.
    stages: the inputs of the stages of a run that its folder describes, if the
      mode uses all of them.
    images: the images to attribute.
    remark: what to say before the work begins.
  """

  inputs: RunInputs
  stages: Sequence[RunInputs]
  images: FolderScan | None
  remark: str


def _check_and_run(files: Sequence[str], pod: PodProcess | None = None) -> None:
  """Checks and runs, as one process of a pod if one is given.

  Args:
    files: images to attribute, and folders of them.
    pod: this process.
  """
  config, mode, workdir = _CONFIG.value, _MODE.value, _WORKDIR.value
  if mode == 'estimate' and workdir is None:
    print(estimate_without_network(config))
    sys.exit()
  # Timing neither reads nor writes in a workdir.
  workdir = workdir or '.'
  checked = _check(files, config, mode, workdir)

  # Imports JAX, which takes seconds, only once the command is known to be
  # right.
  from owdfa_jax.commands import modes, startup
  from owdfa_jax.library_logs import silence_libraries
  from owdfa_jax.training.progress import say

  silence_libraries(in_pod=pod is not None)
  startup.use_compilation_cache(config.compilation_cache)
  if pod is not None:
    startup.join_pod(
      pod, _COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value
    )
    startup.check_same_work(
      facts_of_work(
        checked.inputs,
        {f'--{flag.name}': flag.value for flag in _SAME_IN_A_POD},
        checked.images,
      )
    )
  if checked.remark:
    say(checked.remark)
  with startup.one_line_out_of_memory():
    if len(checked.stages) > 1:
      modes.evaluate_recorded(checked.stages)
      sys.exit()
    if 'stages' in config and mode in ('train', 'eval'):
      sys.exit(modes.run_stages(mode, config, workdir))
    sys.exit(
      modes.run(
        mode,
        checked.inputs,
        checked.images,
        _MAX_PIXELS.value,
        _OUT.value,
        stability=_STABILITY.value,
        nearest=_NEAREST.value,
        frames=_FRAMES.value,
        faces=_FACES.value,
        runner=_RUNNER.value,
        beam_options=_BEAM_OPTIONS.value,
      )
    )


def _check(
  files: Sequence[str],
  config: ml_collections.ConfigDict,
  mode: str,
  workdir: str,
) -> _Checked:
  """Checks the flags, the images, the data and the workdir.

  Args:
    files: images to attribute, and folders of them.
    config: the settings.
    mode: one of `MODES`.
    workdir: the folder of the run.

  Raises:
    UserError: one of them does not fit.
  """
  check_max_pixels(_MAX_PIXELS.value)
  if _RUNNER.value != LOCAL:
    check_beam(_RUNNER.value)
  NEAREST_RANGE.check('--nearest', _NEAREST.value)
  images = None
  if mode == 'attribute':
    images = find_images(_IMAGES.value, files, _OUT.value)
  stages: list[RunInputs] = []
  remark = ''
  if recorded_workdir(_CONFIG) is None:
    given = config_flags.get_override_values(flags.FLAGS[_CONFIG.name])
    inputs, remark = check_configured(
      config, mode, workdir, list(given), writes=_OUT.value is None
    )
  else:
    stages = _check_with_run(mode, workdir)
    inputs = stages[-1]
  if _FACES.value:
    check_cuts_faces(inputs.dataset, '--faces')
  return _Checked(inputs, stages, images, remark)


def _check_with_run(mode: str, workdir: str) -> list[RunInputs]:
  """Returns the checked inputs of a run that its folder describes.

  Those of all its stages, if the mode uses them.
  """
  given = config_flags.get_override_values(flags.FLAGS[_CONFIG.name])
  check_overrides(list(given), workdir)
  return check_recorded(workdir, mode, given, writes=_OUT.value is None)
