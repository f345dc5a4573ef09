"""Starts the processes of a pod whose work needs no jax."""

import os
import pathlib
import signal
import subprocess
import sys
import time

from helpers.paths import ROOT

# What the lines end with that ask for a restart.
AGAIN = (
  '; start all processes again, and the run goes on from its last checkpoint'
)
# What they say of a kill: process {} of {}.
KILLED = 'error: a process of the pod was killed: process {} of {} (SIGKILL)'
# The work of one process: argv is its number, the number of processes, a folder
# for all of them, the timeout of the pod, and what to do, a piece of Python.
_WORK = """
import os, pathlib, signal, sys, time
from input_pipeline.errors import UsageError, UserError, one_line_errors
from owdfa_jax.pods.worker import PodProcess

process, count, folder, timeout, what = sys.argv[1:]

def wait_for(name):
  path = pathlib.Path(folder, name)
  while not path.exists():
    time.sleep(0.02)
  return path.read_text()

def tell(name, text=''):
  pathlib.Path(folder, f'{name}.part').write_text(str(text))
  os.rename(f'{folder}/{name}.part', f'{folder}/{name}')

def hang():
  time.sleep(60)

def cpp(text):
  os.write(2, text.encode() + b'\\n')

with one_line_errors(), PodProcess(int(timeout)) as pod:
  if process == '0':
    tell('port', pod.port)
  port = int(wait_for('port'))
  if not what.startswith('early:'):
    pod.joined(int(process), int(count), 'localhost', port, 'token')
  tell(f'child{process}', os.getpid())
  exec(what.removeprefix('early:'))
  sys.exit(0)
"""


class Pod:
  """Running processes."""

  def __init__(self, folder, *works, timeout=10):
    """Starts a process for each piece of Python."""
    self.folder = folder
    self.processes = [
      subprocess.Popen(
        [
          *(sys.executable, '-c', _WORK, str(i), str(len(works)), folder),
          *(str(timeout), work),
        ],
        env=os.environ | {'PYTHONPATH': str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
      )
      for i, work in enumerate(works)
    ]

  def child(self, process):
    """Returns the number of the process that does the work of a process.

    The supervisor may not have ended before that, since one that is told of a
    loss starts no work.
    """
    path = pathlib.Path(self.folder, f'child{process}')
    until = time.monotonic() + 60
    while not path.exists():
      assert self.processes[process].poll() is None, f'{process} has ended'
      assert time.monotonic() < until, f'{process} does not begin to work'
      time.sleep(0.02)
    return int(path.read_text())

  def end(self):
    """Waits for all; returns their statuses and what they wrote to stderr."""
    errors = [p.communicate(timeout=50)[1].strip() for p in self.processes]
    for process in range(len(self.processes)):
      if pathlib.Path(self.folder, f'child{process}').exists():
        assert ends(self.child(process))
    return [p.returncode for p in self.processes], errors

  def all_work(self):
    """Waits until all processes work; none of them may end by itself."""
    for process in range(len(self.processes)):
      self.child(process)
    time.sleep(0.5)

  def wait_for_end(self, process):
    """Waits until the work of a process has ended, and its supervisor knows."""
    path = pathlib.Path(f'/proc/{self.child(process)}')
    while path.exists():
      time.sleep(0.02)
    time.sleep(0.5)

  def processor_seconds(self, process):
    """Returns the processor time that a supervisor has taken."""
    stat = pathlib.Path(f'/proc/{self.processes[process].pid}/stat').read_text()
    user, system = stat.rpartition(')')[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf('SC_CLK_TCK')

  def kill(self, process, number=signal.SIGKILL):
    """Sends a signal to a process, as a scheduler does."""
    self.processes[process].send_signal(number)


def ends(pid):
  """Returns whether a process ends soon.

  A process that is killed closes its pipes before it counts as ended, so who
  has read all that it wrote may still see it run.
  """
  until = time.monotonic() + 20
  while _is_running(pid):
    if time.monotonic() > until:
      return False
    time.sleep(0.02)
  return True


def _is_running(pid):
  """Returns whether there is a process of that number that can run."""
  try:
    state = pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2]
  except FileNotFoundError:
    return False
  return state.split()[0] not in 'ZX'
