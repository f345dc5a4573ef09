"""Compiles the training step for chips that need not be there, and counts.

  owdfa scale --topology=v5e:16x16 --batch=32768

For each method prints what a step costs one chip, as the compiler counts it:
floating-point operations, bytes that operations read and write, memory, and the
bytes of what it gets from other chips; in brackets, as multiples of the
supervised step on the same chips. No step is run or timed. TPU topologies need
libtpu (`pip install 'owdfa-jax[tpu]'`), but no TPU; GPUs, such as h100:8 or
a100:8, need `pip install 'owdfa-jax[cuda-compiler]'`, but no GPU. `local`
stands for the devices of this machine. Compiling a step takes minutes. Each row
is printed when it is done, and `--out=FILE.json` keeps it, so that the same
command goes on where an earlier one was interrupted.

  owdfa scale --topology=v5e:16x16 --rows=10000000 --clusters=20,200

does the same for the clustering of as many features, in place of the step. With
`--run`, on the devices of this machine, it is run too, and timed.
"""

import argparse
import os
from collections.abc import Sequence

from input_pipeline.argument_parser import ArgumentParser
from input_pipeline.errors import UsageError, check_choice, one_line_errors
from input_pipeline.number_ranges import (
  add_whole_numbers,
  check_flags,
  whole,
  whole_numbers,
)
from owdfa_jax.scale.size_flags import (
  BATCH,
  RANGES,
  add_sizes,
  checked_names,
  ended_by_interrupt,
)

_RANGES = {'batch': BATCH, 'channels': whole(2, 2**16), **RANGES}
_DEVICES = whole(0, 2**16)
_ROWS = whole(2, 10**9)
_CLUSTERS = whole(2, 10**5)
# Flags that go with --batch alone, and those that go with --rows alone.
_OF_STEP = (
  *('methods', 'backbones', 'image_size', 'width', 'pair_within', 'part'),
  'effort',
)
_OF_CLUSTERING = ('channels', 'clusters')
# Keys of `costs.LOWER`.
PARTS = ('step', 'loss')
EFFORTS = {'default': 0.0, 'low': -1.0}


@one_line_errors()
def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
  """Parses the command line, compiles and prints the tables.

  Args:
    argv: the arguments; by default those of the process.
    prog: the program's name.
  """
  parser = ArgumentParser(
    prog or 'python -m owdfa_jax.scale',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  _add_arguments(parser)
  _add_clustering(parser)
  options = parser.parse_args(argv)
  _check(parser, options)
  methods, backbones = checked_names(options)
  if options.topology != 'local':
    # Where libtpu is installed, JAX would look for a TPU of this machine.
    os.environ.setdefault('JAX_PLATFORMS', 'cpu')
    # The compiler for GPUs says several times that there is no GPU.
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '1')
  # These import JAX, which takes seconds.
  from owdfa_jax.library_logs import silence_libraries
  from owdfa_jax.scale.clustering import print_clustering_costs
  from owdfa_jax.scale.costs import print_costs

  silence_libraries()
  devices = options.devices
  with ended_by_interrupt():
    if options.rows is not None:
      print_clustering_costs(options, options.rows, options.clusters, devices)
    else:
      effort = EFFORTS[options.effort]
      print_costs(options, methods, backbones, devices, effort)


def _check(parser: ArgumentParser, options: argparse.Namespace) -> None:
  """Raises `UsageError` for flags that cannot be understood."""
  check_flags(options, _RANGES)
  if (options.batch is None) == (options.rows is None):
    parser.error('give --batch, the rows of a step, or --rows, of a clustering')
  if options.run and (options.rows is None or options.topology != 'local'):
    parser.error('--run takes --rows and --topology=local')
  check_choice('--effort', options.effort, EFFORTS)
  check_choice('--part', options.part, PARTS)
  usual = parser.parse_args(['--topology=local'])
  others, given = (
    (_OF_CLUSTERING, '--batch')
    if options.rows is None
    else (_OF_STEP, '--rows')
  )
  for name in others:
    if getattr(options, name) != getattr(usual, name):
      raise UsageError(
        f'--{name} does not go with {given}; leave out one of them'
      )


def _add_arguments(parser: ArgumentParser) -> None:
  add = parser.add_argument
  add(
    '--topology',
    required=True,
    help="chips and their arrangement, such as v5e:16x16 or h100:8; 'local' "
    'for the devices of this machine',
  )
  add_whole_numbers(
    parser,
    '--devices',
    '0',
    _DEVICES,
    'chips, the first of the topology, or 0 for all, a table for each',
  )
  add('--batch', type=int, help='rows of the global batch')
  add_sizes(parser)
  add(
    '--part',
    default='step',
    help="'step', or 'loss': the loss alone, with its pairing, without the "
    'network and the gradient, which compiles fast (default: %(default)s)',
  )
  add(
    '--effort',
    default='default',
    help="of the compiler, 'default' or 'low', which compiles faster; counts "
    'may differ by some percent',
  )
  add(
    '--out',
    default='',
    help='a JSON file that keeps finished rows; those that it has are printed '
    'without compiling again',
  )


def _add_clustering(parser: ArgumentParser) -> None:
  add = parser.add_argument
  add(
    '--rows',
    metavar='N,N',
    type=lambda text: whole_numbers('--rows', text, _ROWS),
    help='numbers of features to cluster, in place of a step, with commas',
  )
  add(
    '--channels',
    type=int,
    default=2048,
    help='of each feature, with --rows (default: %(default)s)',
  )
  add_whole_numbers(
    parser, '--clusters', '20,200', _CLUSTERS, 'clusters, with --rows'
  )
  add(
    '--run',
    action='store_true',
    help='run each clustering too, once, and print its seconds; with --rows '
    'and --topology=local',
  )


if __name__ == '__main__':
  main()
