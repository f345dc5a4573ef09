"""What killed processes leave is removed; what is in use stays."""

import os
import subprocess
import sys

import pytest

from helpers.paths import ROOT
from input_pipeline import files, leftovers, output_folders
from input_pipeline.errors import UserError

WRITE = """
import sys
from input_pipeline import files
with files.write_whole(sys.argv[1]) as file:
  file.write(b'half')
  file.flush()
  print('writing', flush=True)
  input()
"""
FOLDER = """
import pathlib, sys
from input_pipeline import output_folders
with output_folders.temporary_folder(pathlib.Path(sys.argv[1])) as folder:
  (folder / 'shard').write_bytes(b'half')
  print('writing', flush=True)
  input()
"""


@pytest.fixture
def start(tmp_path):
  """Starts a process that writes tmp_path/out and waits in the middle."""
  running = []

  def run(code):
    process = subprocess.Popen(
      [sys.executable, '-c', code, tmp_path / 'out'],
      cwd=ROOT,
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
    )
    running.append(process)
    assert process.stdout.readline() == b'writing\n'
    return process

  yield run
  for process in running:
    process.kill()
    process.communicate()


def write(path):
  leftovers._searched.clear()  # as in a new process
  with files.write_whole(path) as file:
    file.write(b'whole')


def test_a_file_of_a_killed_process_is_removed(tmp_path, start):
  process = start(WRITE)
  (in_use,) = os.listdir(tmp_path)
  (tmp_path / '.notes.partial').touch()
  write(tmp_path / 'b')
  assert sorted(os.listdir(tmp_path)) == sorted(['.notes.partial', 'b', in_use])
  process.kill()
  process.wait()
  write(tmp_path / 'c')
  assert sorted(os.listdir(tmp_path)) == ['.notes.partial', 'b', 'c']


def test_a_file_in_use_is_written_to_its_end(tmp_path, start):
  process = start(WRITE)
  write(tmp_path / 'out')
  process.communicate(b'\n')
  assert process.returncode == 0
  assert (tmp_path / 'out').read_bytes() == b'half'
  assert os.listdir(tmp_path) == ['out']


def test_a_folder_of_a_killed_process_is_removed(tmp_path, start):
  process = start(FOLDER)
  in_use = sorted(os.listdir(tmp_path))
  out = tmp_path / 'out'
  with output_folders.temporary_folder(out) as folder:
    assert set(in_use) < set(os.listdir(tmp_path))
    assert os.listdir(folder) == []
  assert sorted(os.listdir(tmp_path)) == in_use
  process.kill()
  process.wait()
  with output_folders.local_output(out) as output:
    (output.staging / 'a').write_bytes(b'whole')
    output.finish()
  assert os.listdir(tmp_path) == ['out']
  assert os.listdir(out) == ['a']


def test_two_of_one_process_do_not_meet(tmp_path):
  with (
    output_folders.temporary_folder(tmp_path / 'out') as first,
    output_folders.temporary_folder(tmp_path / 'out') as second,
  ):
    assert first != second and first.is_dir() and second.is_dir()
  assert os.listdir(tmp_path) == []


def test_a_file_taken_before_it_was_locked_is_made_anew(tmp_path, monkeypatch):
  lock = leftovers._lock
  taken = []

  def take_first(descriptor):
    if not taken:
      taken.append(os.unlink(tmp_path / '0'))
    return lock(descriptor)

  monkeypatch.setattr(leftovers, '_lock', take_first)
  names = iter(str(tmp_path / str(n)) for n in range(9))
  with leftovers.locked_file(lambda: next(names)) as (path, descriptor):
    os.close(descriptor)
    assert path == str(tmp_path / '1')
    assert os.listdir(tmp_path) == ['1']


def test_nothing_is_removed_without_locks(tmp_path, monkeypatch):
  monkeypatch.setattr(leftovers, '_lock', lambda descriptor: False)
  (tmp_path / 'a').touch()
  leftovers.remove_leftovers(str(tmp_path), lambda name: True)
  assert os.listdir(tmp_path) == ['a']
  write(tmp_path / 'b')
  assert (tmp_path / 'b').read_bytes() == b'whole'


@pytest.mark.parametrize('target', ['out', 'nothing', 'folder'])
def test_a_link_is_refused_before_the_work(tmp_path, target):
  (tmp_path / 'folder').mkdir()
  (tmp_path / 'out').symlink_to(target)
  with (
    pytest.raises(UserError, match='cannot write .*out: it is a link'),
    output_folders.temporary_folder(tmp_path / 'out'),
  ):
    pytest.fail('the work began')


def test_publishing_on_a_full_disk_fails(tmp_path, monkeypatch):
  """A network file system may tell of it only when it is synchronised."""

  def fail(descriptor):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(os, 'fsync', fail)
  with (
    pytest.raises(UserError, match='cannot write .*out: No space left'),
    output_folders.local_output(tmp_path / 'out') as output,
  ):
    (output.staging / 'a').write_bytes(b'x')
    output.finish()
  assert os.listdir(tmp_path) == []
