"""The packing command: several processes, interruption and errors."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from helpers.imagesets import write_set
from helpers.paths import ROOT
from input_pipeline import pack

SMALL = pack.Options(size=16, shards=2)


def command(csv, out, *extra):
  module = [sys.executable, '-m', 'input_pipeline.pack']
  return [*module, '--meta', str(csv), '--out', str(out), '--size=16', *extra]


def run(*arguments):
  return subprocess.run(
    command(*arguments), cwd=ROOT, capture_output=True, text=True
  )


def hidden(folder):
  return [p.name for p in folder.iterdir() if p.name.startswith('.')]


def content(folder):
  return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_the_number_of_processes_changes_no_byte(tmp_path):
  csv = write_set(tmp_path)
  pack.pack(csv, tmp_path / 'a' / 'out', SMALL, workers=1)
  pack.pack(csv, tmp_path / 'b' / 'out', SMALL, workers=2)
  one, two = content(tmp_path / 'a' / 'out'), content(tmp_path / 'b' / 'out')
  assert len(one) == 11
  assert one == two


def test_the_command_prints_a_table(tmp_path):
  done = run(write_set(tmp_path), tmp_path / 'out')
  assert done.returncode == 0, done.stderr
  lines = [line.split() for line in done.stdout.splitlines()]
  assert lines[0] == [
    'class',
    'role',
    'labelled',
    'unlabelled',
    'test',
    'skipped',
  ]
  assert lines[3] == ['m2', 'novel', '0', '8', '2', '0']
  assert lines[4][0] == 'total'
  assert sum(map(int, lines[4][1:])) == 30
  assert lines[-1][-1] == f'--config.data.path={tmp_path}/out'
  # No terminal, and over before the first line a minute.
  assert done.stderr == ''


@pytest.mark.parametrize('workers', [1, 2])
def test_an_unreadable_image_stops_with_its_path(tmp_path, workers):
  csv = write_set(tmp_path)
  broken = tmp_path / '1' / '7.png'
  broken.write_bytes(broken.read_bytes()[:-20])
  done = run(csv, tmp_path / 'out', '--shards=2', f'--workers={workers}')
  assert done.returncode == 1
  error = done.stderr.splitlines()[-1]
  assert error.startswith(
    f'error: unreadable image: {broken}: the file is cut short; '
  )
  assert error.endswith('--on_error skip')
  assert 'Traceback' not in done.stderr
  assert not (tmp_path / 'out').exists()
  assert not hidden(tmp_path)


@pytest.mark.parametrize('workers', [1, 2])
def test_a_full_disk_is_one_line(tmp_path, workers):
  # A limit on the size of files fails like a full disk, for root too.
  csv = write_set(tmp_path)
  words = command(csv, tmp_path / 'out', '--shards=2', f'--workers={workers}')
  done = subprocess.run(
    ['bash', '-c', 'ulimit -f 4; exec "$@"', 'bash', *words],
    cwd=ROOT,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 1
  error = done.stderr.splitlines()[-1]
  assert error.startswith('error: cannot write ')
  assert 'File too large' in error
  assert 'Traceback' not in done.stderr
  assert not (tmp_path / 'out').exists()
  assert not hidden(tmp_path)


def start_a_long_pack(folder):
  """Starts a packing of large images, which takes several seconds."""
  csv = write_set(folder)
  large = np.zeros((4000, 4000, 3), np.uint8)
  cv2.imwrite(str(folder / 'large.png'), large)
  for path in folder.glob('[0-9]/*.png'):
    path.unlink()
    os.link(folder / 'large.png', path)
  process = subprocess.Popen(
    command(csv, folder / 'out', '--workers=2', '--shards=2'),
    cwd=ROOT,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    start_new_session=True,
  )
  deadline = time.monotonic() + 60
  pattern = '.out.incomplete-*/owdfa-*'
  while not list(folder.glob(pattern)) and time.monotonic() < deadline:
    time.sleep(0.05)
  assert list(folder.glob(pattern)), process.communicate()
  return csv, process


def test_ctrl_c_leaves_nothing_behind(tmp_path):
  _, process = start_a_long_pack(tmp_path)
  os.killpg(process.pid, signal.SIGINT)
  _, errors = process.communicate(timeout=60)
  assert process.returncode == 130, errors
  assert errors.splitlines()[-1] == 'interrupted: nothing was packed'
  assert 'Traceback' not in errors
  assert not (tmp_path / 'out').exists()
  assert not hidden(tmp_path)


def test_the_next_pack_removes_what_a_killed_one_left(tmp_path):
  _, process = start_a_long_pack(tmp_path)
  process.kill()
  process.communicate(timeout=60)  # returns once the workers have ended too
  assert not (tmp_path / 'out').exists()
  assert hidden(tmp_path)
  # Earlier versions named the folder by the process; 1 is init, which runs.
  other, dead = (tmp_path / f'.out.incomplete-{n}' for n in (1, 2**22 + 1))
  other.mkdir()
  dead.mkdir()
  for folder in tmp_path.glob('[0-9]'):
    shutil.rmtree(folder)
  csv = write_set(tmp_path)
  pack.pack(csv, tmp_path / 'out', SMALL, workers=1)
  assert (tmp_path / 'out' / 'description.json').exists()
  assert hidden(tmp_path) == [other.name]


def test_a_dead_worker_is_one_line(tmp_path):
  _, process = start_a_long_pack(tmp_path)
  children = pathlib.Path(f'/proc/{process.pid}/task').glob('*/children')
  pids = [int(pid) for path in children for pid in path.read_text().split()]
  for pid in pids:
    if b'spawn_main' in pathlib.Path(f'/proc/{pid}/cmdline').read_bytes():
      os.kill(pid, signal.SIGKILL)
  _, errors = process.communicate(timeout=60)
  assert process.returncode == 1
  assert 'error: a packing process died' in errors.splitlines()[-1]
  assert 'Traceback' not in errors
  assert not (tmp_path / 'out').exists()
  assert not hidden(tmp_path)


# Writes to stderr as Python does and as a C library does, within
# `silent_libraries`, and after it.
SILENCED = """
import os, sys
from input_pipeline.processes import silent_libraries

def write(what):
  if sys.stderr and not sys.stderr.closed:
    print(what, 'Python', file=sys.stderr)
  os.write(2, f'{what} library\\n'.encode())

with silent_libraries(), open('shard', 'w'):
  write('within')
write('after')
"""


@pytest.mark.parametrize(
  ('before', 'redirect', 'heard'),
  [
    ('', '2>heard', ['within Python', 'after Python', 'after library']),
    # The shard must not get the number of stderr.
    ('', '2>&-', []),
    # Not stderr, or no longer: what is there stays as it is.
    (
      'import sys; sys.stderr.close()',
      '2>heard',
      ['within library', 'after library'],
    ),
    (
      'import io, sys; sys.stderr = io.StringIO()',
      '2>heard',
      ['within library', 'after library'],
    ),
  ],
)
def test_libraries_are_silenced_whatever_stderr_is(
  tmp_path, before, redirect, heard
):
  words = [sys.executable, '-c', before + SILENCED]
  subprocess.run(
    ['sh', '-c', f'exec "$@" {redirect}', 'sh', *words],
    cwd=tmp_path,
    env=os.environ | {'PYTHONPATH': str(ROOT)},
    check=True,
  )
  assert (tmp_path / 'shard').read_text() == ''
  path = tmp_path / 'heard'
  assert (path.read_text().splitlines() if path.exists() else []) == heard
