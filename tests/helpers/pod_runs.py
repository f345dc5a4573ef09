"""Trains in pods of local processes, and ends some of them."""

import json
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
  '--config.model.width=0.125',
  '--config.batch_size=16',
  '--config.eval.batch_size=16',
  '--config.epochs=3',
  '--config.log.every_steps=1',
  '--config.log.tensorboard=False',
  '--config.log.page=False',
)
# The status of a pod that has to be started again. XLA's collectives on CPUs
# end a pod if one process compiles for half a minute longer than another.
AGAIN = 75
_STARTS = 5


class PodRun:
  """The running processes of a pod that trains."""

  def __init__(
    self,
    packed,
    workdir,
    num_processes,
    prefixes=(),
    more=(),
    config='configs/cpl.py:folder64',
  ):
    """Starts the processes.

    Args:
      packed: the packed data; for each process, or one for all.
      workdir: the folder of the run.
      num_processes: the number of processes.
      prefixes: for each process, the words before its command.
      more: settings of all processes.
      config: the config file and its argument.
    """
    packed = packed if isinstance(packed, list) else [packed] * num_processes
    prefixes = prefixes or [()] * num_processes
    self.workdir = workdir
    self._environment = os.environ | {
      'JAX_NUM_CPU_DEVICES': str(DEVICES // num_processes),
      # Halves the time of compiling: a pod on CPUs keeps no programs.
      'JAX_DISABLE_MOST_OPTIMIZATIONS': '1',
    }
    self._commands = [
      [
        *prefixes[i],
        sys.executable,
        'main.py',
        f'--config={config}',
        *SETTINGS,
        f'--config.data.path={packed[i]}',
        f'--workdir={workdir}',
        '--distributed',
        f'--num_processes={num_processes}',
        f'--process_id={i}',
        '--pod_timeout=30',
        *more,
      ]
      for i in range(num_processes)
    ]
    self._starts = 0
    self._start()

  def _start(self):
    self._starts += 1
    port = portpicker.pick_unused_port()
    self._processes = [
      subprocess.Popen(
        [*command, f'--coordinator=localhost:{port}'],
        cwd=ROOT,
        env=self._environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
      )
      for command in self._commands
    ]

  def end(self):
    """Waits for all; returns their statuses, and what each wrote to stderr."""
    outputs = [process.communicate(timeout=560) for process in self._processes]
    self.printed = [out for out, _ in outputs]
    errors = [error for _, error in outputs]
    return [process.returncode for process in self._processes], errors

  def complete(self):
    """Starts all again as long as they ask for it; all must then succeed."""
    statuses, errors = self.end()
    while set(statuses) == {AGAIN} and self._starts < _STARTS:
      self._start()
      statuses, errors = self.end()
    assert set(statuses) == {0}, (statuses, errors)

  def signal_when(self, happened, process, number=signal.SIGKILL):
    """Sends a signal to one process.

    Args:
      happened: returns whether it is time, looked at all the time.
      process: the number of the process.
      number: of the signal.
    """
    until = time.monotonic() + 560
    while not happened(self.workdir):
      assert time.monotonic() < until
      if any(p.poll() is not None for p in self._processes):
        statuses, errors = self.end()
        again = set(statuses) == {AGAIN} and self._starts < _STARTS
        assert again, (statuses, errors)
        self._start()
      time.sleep(0.005)
    self._processes[process].send_signal(number)


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


def read_losses(workdir):
  """Returns the losses of training by their steps."""
  lines = map(json.loads, (workdir / 'metrics.jsonl').read_text().splitlines())
  return {x['step']: x['train/loss'] for x in lines if 'train/loss' in x}
