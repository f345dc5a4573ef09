"""Commands that are killed right before a file of theirs appears."""

import os
import subprocess
import sys

from helpers.paths import ROOT

# argv: the beginning of a file's name, '' for no kill; then those of main.py.
# The file has been written under its hidden name, and is not renamed yet.
_WRAPPER = """
import os, signal, sys
beginning, *arguments = sys.argv[1:]
replace = os.replace

def replace_or_die(source, target, **options):
  if beginning and os.path.basename(target).startswith(beginning):
    os.kill(os.getpid(), signal.SIGKILL)
  replace(source, target, **options)

os.replace = replace_or_die
from owdfa_jax.commands.run import main
sys.argv = ['main.py', *arguments]
main()
"""


def run_command(arguments, killed_before=''):
  """Runs `main.py` in a process of its own.

  Args:
    arguments: of the command.
    killed_before: SIGKILL comes before a file appears whose name begins so.

  Returns:
    The `CompletedProcess`, with what it wrote.
  """
  return subprocess.run(
    [sys.executable, '-c', _WRAPPER, killed_before, *map(str, arguments)],
    cwd=ROOT,
    env=os.environ
    | {
      'PYTHONPATH': str(ROOT),
      'JAX_NUM_CPU_DEVICES': '1',
      'JAX_DISABLE_MOST_OPTIMIZATIONS': '1',
    },
    capture_output=True,
    text=True,
  )
