"""Kills runs at random moments and checks that nothing is lost.

  owdfa soak --workdir=/data/soak

Runs small commands on simulated data, kills each of them several times, starts
it again until it has finished, and compares its result with that of a command
that was not killed: images, shards, tables and metrics, and the network and the
optimiser bit for bit. Ends with status 1 at the first difference. In a
checkout, `python -m owdfa_jax.soak` does the same.
"""

import os
import sys
from collections.abc import Sequence

from absl import logging

from input_pipeline.argument_parser import described_parser
from input_pipeline.errors import UserError, check_choice, one_line_errors
from input_pipeline.files import absolute, path_type
from input_pipeline.number_ranges import LARGEST_SEED, check_flags, whole
from owdfa_jax.soak.kinds import KINDS
from owdfa_jax.soak.loop import Soak

_RANGES = {'kills': whole(1, 10**6), 'seed': whole(0, LARGEST_SEED)}


@one_line_errors()
def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
  """Parses the command line and soaks.

  Args:
    argv: the arguments; by default those of the process.
    prog: the program's name.
  """
  parser = described_parser(prog or 'python -m owdfa_jax.soak', __doc__)
  add = parser.add_argument
  add(
    '--workdir',
    required=True,
    type=path_type('--workdir'),
    metavar='DIR',
    help='an empty folder',
  )
  add(
    '--kills',
    type=int,
    default=60,
    help='the least number of kills in all (default: 60)',
  )
  add(
    '--seed',
    type=int,
    default=0,
    help='seed of the random moments (default: 0)',
  )
  add(
    '--kinds',
    default=','.join(KINDS),
    help='kinds of commands, with commas between them (default: %(default)s)',
  )
  options = parser.parse_args(argv)
  check_flags(options, _RANGES)
  chosen = options.kinds.split(',')
  for name in chosen:
    check_choice('--kinds', name, KINDS)
  workdir = absolute(options.workdir)
  if os.path.lexists(workdir):
    if not os.path.isdir(workdir) or os.listdir(workdir):
      raise UserError(
        f'not an empty folder: --workdir={workdir}; choose another one'
      )
  # Orbax warns when a checkpoint is read.
  logging.set_verbosity(logging.ERROR)
  # Comparing needs no accelerator; the commands may need all of its memory.
  soak = Soak(workdir, options.seed)
  os.environ['JAX_PLATFORMS'] = 'cpu'
  sys.exit(soak.run(chosen, options.kills))


if __name__ == '__main__':
  main()
