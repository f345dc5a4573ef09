"""Runs a function on the workers of an Apache Beam runner.

Every worker needs this package installed, and must see the files under the same
names as this machine. Tasks and results travel in files, so that the Beam
pipeline passes nothing but paths.
"""

import importlib
import importlib.util
import shlex
from collections.abc import Callable, Sequence
from typing import Any

from input_pipeline.errors import UserError


def check_beam(runner: str) -> None:
  """Raises `UserError` unless Apache Beam is installed.

  Args:
    runner: one of `pack_options.BEAM_RUNNERS`.
  """
  try:
    found = importlib.util.find_spec('apache_beam') is not None
  except ValueError:  # what a program put in its place
    found = True
  if not found:
    raise _not_installed(runner)


def run_with_beam(
  function: Callable[..., None],
  paths: Sequence[str],
  *arguments: object,
  runner: str,
  options: str = '',
) -> None:
  """Calls a function once for each path, on the workers of a runner.

  A runner may repeat a call, also while the first one is still going on.

  Args:
    function: takes a path and `arguments`; of a module that the workers have.
      If it raises, the runner repeats the call, and fails in the end.
    paths: what it is called with.
    *arguments: given with each path.
    runner: one of `pack_options.BEAM_RUNNERS`.
    options: further options of Beam, as on a command line.

  Raises:
    UserError: Beam is not installed or refuses the options, or a call failed.
  """
  # Beam is optional, and its import takes seconds.
  try:
    beam: Any = importlib.import_module('apache_beam')
    pipeline_options: Any = importlib.import_module(
      'apache_beam.options.pipeline_options'
    )
  except ImportError as error:
    raise _not_installed(runner) from error
  try:
    flags = [f'--runner={runner}', *shlex.split(options)]
    with beam.Pipeline(
      options=pipeline_options.PipelineOptions(flags)
    ) as pipeline:
      _ = (
        pipeline
        | beam.Create([*paths])
        | beam.Reshuffle()  # without it one worker may get all paths
        | beam.Map(function, *arguments)
      )
  # Each runner raises its own kinds of exceptions.
  except Exception as error:
    lines = str(error).splitlines() or [repr(error)]
    raise UserError(f'--runner={runner} failed: {lines[0]}') from error


def _not_installed(runner: str) -> UserError:
  return UserError(
    f'--runner={runner}: Apache Beam is not installed; in an environment of '
    'its own, `pip install owdfa-jax[beam]`, or in a checkout `pip install '
    '.[beam]` (to pack, `pip install -r requirements-beam.txt` is enough)'
  )
