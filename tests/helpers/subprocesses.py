"""Runs a command in another process and tells which modules it imported."""

import json
import os
import subprocess
import sys
from typing import NamedTuple

from helpers.paths import ROOT

# Importing any of these takes up to seconds.
SLOW = ('jax', 'flax', 'orbax', 'tensorflow_datasets', 'grain', 'sklearn')
# Runs `main` of the module argv[1] and writes the slow modules into argv[2].
_WRAPPER = f"""
import importlib, json, sys
module, report, *arguments = sys.argv[1:]
sys.argv = ['command', *arguments]
try:
  importlib.import_module(module).main()
finally:
  with open(report, 'w') as file:
    json.dump([name for name in {SLOW} if name in sys.modules], file)
"""


class Ended(NamedTuple):
  """How a command ended.

  Attributes:
    status: its exit status.
    out: what it printed.
    err: what it wrote to stderr.
    slow: which of `SLOW` it imported.
  """

  status: int
  out: str
  err: str
  slow: list[str]


def run_main(module, arguments, folder):
  """Runs `main` of a module in `folder`, with an environment of its own."""
  report = folder / 'slow_modules.json'
  done = subprocess.run(
    [sys.executable, '-c', _WRAPPER, module, report, *map(str, arguments)],
    cwd=folder,
    env=os.environ | {'PYTHONPATH': str(ROOT)},
    capture_output=True,
    text=True,
    timeout=120,
  )
  slow = json.loads(report.read_text())
  return Ended(done.returncode, done.stdout, done.stderr, slow)
