"""Trains in pods of local processes, and ends some of them."""

import os
import signal
import subprocess
import sys
import time

import portpicker

from helpers.paths import ROOT

# Four devices in all, whatever the number of processes.
DEVICES = 4
SETTINGS = (
  '--config=configs/cpl.py:folder64',
  '--config.model.width=0.125',
  '--config.batch_size=16',
  '--config.eval.batch_size=16',
  '--config.epochs=3',
  '--config.log.every_steps=1',
  '--config.log.tensorboard=False',
)


class PodRun:
  """The running processes of a pod that trains."""

  def __init__(self, packed, workdir, num_processes, prefixes=(), more=()):
    """Starts the processes.

    Args:
      packed: the packed data; for each process, or one for all.
      workdir: the folder of the run.
      num_processes: the number of processes.
      prefixes: for each process, the words before its command.
      more: settings of all processes.
    """
    port = portpicker.pick_unused_port()
    packed = packed if isinstance(packed, list) else [packed] * num_processes
    prefixes = prefixes or [()] * num_processes
    self.workdir = workdir
    self.processes = [
      subprocess.Popen(
        [
          *prefixes[i],
          sys.executable,
          'main.py',
          *SETTINGS,
          f'--config.data.path={packed[i]}',
          f'--workdir={workdir}',
          '--distributed',
          f'--coordinator=localhost:{port}',
          f'--num_processes={num_processes}',
          f'--process_id={i}',
          '--pod_timeout=30',
          *more,
        ],
        cwd=ROOT,
        env=os.environ | {'JAX_NUM_CPU_DEVICES': str(DEVICES // num_processes)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
      )
      for i in range(num_processes)
    ]

  def end(self):
    """Waits for all; returns their statuses, and what each wrote to stderr."""
    outputs = [process.communicate(timeout=300) for process in self.processes]
    self.printed = [out for out, _ in outputs]
    return [p.returncode for p in self.processes], [err for _, err in outputs]

  def signal_when(self, happened, process, number=signal.SIGKILL):
    """Sends a signal to one process.

    Args:
      happened: returns whether it is time, looked at all the time.
      process: the number of the process.
      number: of the signal.
    """
    until = time.monotonic() + 240
    while not happened(self.workdir):
      assert time.monotonic() < until
      assert all(p.poll() is None for p in self.processes), self.end()
      time.sleep(0.005)
    self.processes[process].send_signal(number)


def has_saved(step):
  """Returns a test of whether a checkpoint is complete."""
  return lambda workdir: (workdir / 'checkpoints' / str(step)).exists()


def is_saving(step):
  """Returns a test of whether a checkpoint is being written."""
  return lambda workdir: any((workdir / 'checkpoints').glob(f'{step}.*'))


def has_logged(step):
  """Returns a test of whether a step is in the metrics."""

  def logged(workdir):
    try:
      return f'"step": {step},' in (workdir / 'metrics.jsonl').read_text()
    except FileNotFoundError:
      return False

  return logged


def last_line(error):
  """Returns the last line of what a process wrote to stderr."""
  return error.strip().splitlines()[-1]
