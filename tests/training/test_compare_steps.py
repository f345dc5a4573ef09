"""The command that times variants of a step in turns, without a step."""

import os
import signal
import subprocess
import sys
import time
import types

import pytest

from helpers.paths import ROOT
from input_pipeline.errors import INTERRUPTED, UsageError
from owdfa_jax.training import compare_steps
from owdfa_jax.training.compare_steps import (
  comparison_table,
  shipped_config,
  split_variant,
)


def test_a_variant_has_variables_and_settings():
  found = split_variant('XLA_FLAGS=--a=1 --b=2 model.dtype=bfloat16 HOME=/x')
  assert found == (
    {'XLA_FLAGS': '--a=1 --b=2', 'HOME': '/x'},
    ['model.dtype=bfloat16'],
  )
  assert split_variant('') == ({}, [])


@pytest.mark.parametrize('text', ['model.dtype', '--a=1'])
def test_a_part_without_a_name_or_a_value_is_refused(text):
  with pytest.raises(UsageError, match='a variant'):
    split_variant(text)


def variant(name, *seconds):
  return types.SimpleNamespace(
    name=name, seconds=list(seconds), start_seconds=12.0
  )


def test_ratios_are_of_each_round():
  """Every round is twice as slow as the one before, for both variants."""
  lines = comparison_table(
    [variant('', 1.0, 2.0, 4.0), variant('b.c=1', 0.5, 1.0, 2.0)]
  ).splitlines()
  assert lines[1].split() == [
    *('as', 'it', 'is'),
    *('2000.0', '1.00', '1.00', 'to', '1.00', '12.0'),
  ]
  assert lines[2].split() == [
    *('b.c=1', '1000.0', '2.00', '2.00', 'to', '2.00', '12.0')
  ]


CONFIG = '--config=upper_bound:folder64'


@pytest.mark.parametrize(
  ('arguments', 'words', 'status'),
  [
    (['--config=nonesuch:folder', ''], '--config=nonesuch; use one of', 2),
    (['--config=mine.py:folder', ''], '--config=mine.py; use one of', 2),
    (['--config=trace:owdfa9', ''], '--config=trace:owdfa9; use one of', 2),
    ([CONFIG, 'PYTHON=/nope'], "of the variant 'PYTHON=/nope': No such", 2),
    (
      [CONFIG, 'PYTHON=/etc/passwd'],
      "of the variant 'PYTHON=/etc/passwd': Permission denied",
      2,
    ),
    ([CONFIG, 'PYTHON=/bin/echo'], "the variant 'PYTHON=/bin/echo' printed", 1),
    ([CONFIG, 'PYTHON=/bin/false'], 'ended early, with status 1', 1),
    ([CONFIG, 'epoch=3'], "the variant 'epoch=3': no such setting", 2),
    ([CONFIG, 'batch_size=0'], 'out of range: --config.batch_size=0', 2),
    ([CONFIG, 'batch_size=3'], 'the batch cannot be split evenly', 1),
  ],
)
def test_a_mistake_is_one_line(arguments, words, status, capfd):
  with pytest.raises(SystemExit) as stopped:
    compare_steps.main(arguments)
  *progress, line = capfd.readouterr().err.splitlines()
  assert not progress or progress == [
    f'compiling: {arguments[1] or "as it is"}'
  ]
  assert line.startswith('error: ') and words in line
  assert stopped.value.code == status


@pytest.mark.parametrize('name', ['trace', 'trace.py', 'configs/trace.py'])
def test_a_config_is_named_as_for_main(name):
  assert shipped_config(f'{name}:simulated1') == 'trace:simulated1'


@pytest.fixture
def sleeper(tmp_path):
  """A program in place of PYTHON that answers nothing for a minute."""
  program = tmp_path / 'sleeper'
  program.write_text('#!/bin/sh\necho $$ > $STARTED\nexec sleep 60\n')
  program.chmod(0o755)
  return program


def test_ctrl_c_ends_all_processes_with_one_word(sleeper, tmp_path):
  started = tmp_path / 'started'
  command = subprocess.Popen(
    [
      *(sys.executable, '-m', 'owdfa_jax.training.compare_steps', CONFIG),
      f'PYTHON={sleeper} STARTED={started}',
    ],
    cwd=ROOT,
    stderr=subprocess.PIPE,
    text=True,
    process_group=0,
  )
  end = time.monotonic() + 60
  while not (started.is_file() and started.read_text()):
    assert command.poll() is None and time.monotonic() < end
    time.sleep(0.05)
  # As a terminal does it: to the whole group.
  os.killpg(command.pid, signal.SIGINT)
  _, err = command.communicate(timeout=30)
  assert err.splitlines()[1:] == ['interrupted']
  assert command.returncode == INTERRUPTED
  with pytest.raises(ProcessLookupError):
    os.kill(int(started.read_text()), 0)


def test_a_process_that_is_killed_later_is_named(tmp_path, capfd):
  """One that answers for its first step, and then no more."""
  program = tmp_path / 'short'
  program.write_text('#!/bin/sh\necho 1.0 2.0\n')
  program.chmod(0o755)
  with pytest.raises(SystemExit) as stopped:
    compare_steps.main([CONFIG, f'PYTHON={program}'])
  assert stopped.value.code == 1
  *progress, line = capfd.readouterr().err.splitlines()
  assert progress == [
    f'compiling: PYTHON={program}',
    'timing steps: round 1 of 15',
  ]
  assert f"'PYTHON={program}' ended early, with status 0" in line
