"""Tests that two processes of a pod train as one process does."""

import json
import os
import subprocess
import sys

import portpicker
import pytest

from helpers.paths import ROOT


def start(packed, workdir, num_processes, process_id, port, prefix=(), more=()):
  return subprocess.Popen(
    [
      *prefix,
      sys.executable,
      'main.py',
      '--config=configs/cpl.py:folder64',
      f'--config.data.path={packed}',
      '--config.model.width=0.125',
      '--config.batch_size=16',
      '--config.epochs=1',
      '--config.log.every_steps=1',
      f'--workdir={workdir}',
      '--distributed',
      f'--coordinator=localhost:{port}',
      f'--num_processes={num_processes}',
      f'--process_id={process_id}',
      *more,
    ],
    cwd=ROOT,
    env=os.environ | {'JAX_NUM_CPU_DEVICES': str(4 // num_processes)},
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )


# For the words before a command: as on TPUs, a mesh that passes each process
# several times.
MIXED = sys.executable, 'tests/helpers/mixed_mesh.py'


def run(packed, workdir, num_processes, prefix=()):
  """Trains on four devices in all; returns the log and the report."""
  port = portpicker.pick_unused_port()
  processes = [
    start(packed, workdir, num_processes, i, port, prefix)
    for i in range(num_processes)
  ]
  outputs = [process.communicate(timeout=300)[0] for process in processes]
  for process, output in zip(processes, outputs, strict=True):
    assert process.returncode == 0, output
  assert '| Known ACC |' in outputs[0]
  assert all('Known ACC' not in output for output in outputs[1:])
  lines = (workdir / 'metrics.jsonl').read_text().splitlines()
  report = json.loads((workdir / 'report.json').read_text())
  return [json.loads(line) for line in lines], report


@pytest.mark.slow
@pytest.mark.parametrize('prefix', [(), MIXED], ids=['usual', 'mixed'])
def test_two_processes_train_as_one(packed, tmp_path, prefix):
  one, one_report = run(packed, tmp_path / 'one', 1)
  two, two_report = run(packed, tmp_path / 'two', 2, prefix)
  assert [line['step'] for line in one] == [line['step'] for line in two]
  for name in ('train/loss', 'train/partner_paired', 'train/gradient_norm'):
    assert two[0][name] == pytest.approx(one[0][name], rel=1e-5), name
  assert two_report['num_examples'] == one_report['num_examples']


@pytest.mark.slow
def test_both_processes_stop_if_the_first_has_no_space(packed, tmp_path):
  limit = ['bash', '-c', 'ulimit -f 20; exec "$@"', 'bash']
  # The limit would leave a truncated program in the cache of all tests.
  uncached = ['--config.compilation_cache=']
  port = portpicker.pick_unused_port()
  processes = [
    start(packed, tmp_path / 'run', 2, i, port, prefix, uncached)
    for i, prefix in enumerate([limit, ()])
  ]
  outputs = [process.communicate(timeout=300)[0] for process in processes]
  for process, output in zip(processes, outputs, strict=True):
    assert process.returncode == 1, output
    assert 'cannot write the checkpoint' in output
    assert 'Traceback' not in output
