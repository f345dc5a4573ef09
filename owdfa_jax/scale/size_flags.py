"""Flags that say which steps are counted or timed."""

import argparse
import contextlib
import signal
from collections.abc import Iterator

from input_pipeline.argument_parser import ArgumentParser
from input_pipeline.errors import check_choice
from input_pipeline.number_ranges import NumberRange, whole
from owdfa_jax.methods.parameters import PARAMETERS
from owdfa_jax.models.names import BACKBONE_NAMES

# The method that the others are compared with comes first.
REFERENCE = 'supervised'
# Trace is CPL with a network of its own.
METHODS = (REFERENCE, *sorted((PARAMETERS.keys() | {'trace'}) - {REFERENCE}))
# What the settings of a run are called here, for `reworded`.
FLAG_WORDS = {
  '--config.batch_size': '--batch',
  '--config.method.params.pair_within': '--pair_within',
  '--config.model.backbone': '--backbones',
  # A config that has another backbone.
  'configs/METHOD.py:folder64': '--backbones=small',
}
BATCH = whole(2, 2**20)
RANGES = {
  'image_size': whole(8, 2**12),
  'width': NumberRange(0.02, 16),
  'pair_within': whole(0, 2**20),
}


def add_sizes(parser: ArgumentParser) -> None:
  """Adds the flags; check their numbers with `RANGES`."""
  add = parser.add_argument
  add(
    '--methods',
    default=','.join(METHODS),
    help='methods, with commas between them (default: %(default)s)',
  )
  add(
    '--backbones',
    default='resnet50,efficientnet_lite0',
    help='backbones, with commas between them (default: %(default)s)',
  )
  add(
    '--image_size',
    type=int,
    default=256,
    help='side of the images in pixels (default: %(default)s)',
  )
  add(
    '--width',
    type=float,
    default=1.0,
    help='multiplies the channels (default: %(default)s)',
  )
  add(
    '--pair_within',
    type=int,
    default=0,
    help='rows that CPL, MPSL and Trace compare with each other (default: 0, '
    'all)',
  )


@contextlib.contextmanager
def ended_by_interrupt() -> Iterator[None]:
  """Has Ctrl-C end the process at once, even while it compiles.

  An exception would wait for the compiler, which may take an hour, and would
  then crash JAX's threads. Rows that are done have been printed and kept.
  """
  handler = signal.signal(signal.SIGINT, signal.SIG_DFL)
  try:
    yield
  finally:
    signal.signal(signal.SIGINT, handler)


def checked_names(options: argparse.Namespace) -> tuple[list[str], list[str]]:
  """Returns the methods and the backbones that flags name.

  Raises:
    UsageError: there is none of a name.
  """
  methods = list(dict.fromkeys(options.methods.split(',')))
  backbones = list(dict.fromkeys(options.backbones.split(',')))
  for name in methods:
    check_choice('--methods', name, METHODS)
  for name in backbones:
    check_choice('--backbones', name, BACKBONE_NAMES)
  return methods, backbones
