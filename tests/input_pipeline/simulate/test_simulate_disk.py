"""Simulating when the disk fills up or the process is killed.

The tests start processes, because only those can be killed or limited.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from helpers.paths import ROOT
from input_pipeline.errors import UserError
from input_pipeline.simulate import image_files, simulated_dataset
from input_pipeline.simulate.simulated_dataset import (
  CSV_NAMES,
  SUMMARY,
  simulate,
)

PARAMETERS = (4, 32, 0)
COMMAND = (
  *(sys.executable, '-m', 'input_pipeline.simulate'),
  *('--images_per_class=4', '--size=32', '--out'),
)


def start(out, shell=''):
  return subprocess.Popen(
    ['bash', '-c', f'{shell} exec "$@"', 'bash', *COMMAND, out],
    cwd=ROOT,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    start_new_session=True,
  )


def one_line(process):
  """Returns the error of a process, the last of its lines."""
  output, errors = process.communicate(timeout=120)
  assert process.returncode == 1, output
  assert 'Traceback' not in errors
  (line,) = (line for line in errors.splitlines() if line.startswith('error: '))
  return line


def files_of(folder):
  return {
    str(path.relative_to(folder)): path.read_bytes()
    for path in folder.rglob('*')
    if path.is_file()
  }


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  folder = tmp_path_factory.mktemp('simulate') / 'whole'
  simulate(str(folder), *PARAMETERS, processes=1)
  return folder


@pytest.fixture
def copy(whole, tmp_path):
  return shutil.copytree(whole, tmp_path / 'copy')


@pytest.fixture
def small_disk(tmp_path):
  """A file system of 2 MB."""
  folder = tmp_path / 'disk'
  folder.mkdir()
  mount = ['mount', '-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder]
  if subprocess.run(mount, capture_output=True).returncode:
    pytest.skip('only root can mount')
  yield folder
  subprocess.run(['umount', '-l', folder], check=True)


def test_a_limit_on_the_size_of_files_is_one_line(tmp_path):
  error = one_line(start(tmp_path / 'out', 'ulimit -f 2;'))
  assert error.startswith('error: cannot write the image: ')
  assert 'File too large' in error
  assert os.listdir(tmp_path) == []


def test_a_disk_that_is_full_for_a_moment_is_one_line(small_disk):
  process = start(small_disk / 'out')
  deadline = time.monotonic() + 60
  while not list(small_disk.glob('.out*/*/*')) and time.monotonic() < deadline:
    time.sleep(0.01)
  fill = small_disk / 'fill'
  with open(fill, 'wb', buffering=0) as file:
    while process.poll() is None:
      try:
        file.write(bytes(4096))
      except OSError:
        time.sleep(0.001)
  assert 'No space left' in one_line(process)
  assert os.listdir(small_disk) == ['fill']
  with pytest.raises(UserError, match='too little disk space: .*disk'):
    simulate(str(small_disk / 'out'), *PARAMETERS, processes=1)
  fill.unlink()
  assert simulate(str(small_disk / 'out'), *PARAMETERS, processes=1)


def test_killed_at_any_moment(whole, tmp_path):
  for _ in range(3):
    process = start(tmp_path / 'out')
    time.sleep(random.uniform(0.3, 1.5))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)  # returns once the workers have ended too
  simulate(str(tmp_path / 'out'), *PARAMETERS, processes=1)
  assert os.listdir(tmp_path) == ['out']
  assert files_of(tmp_path / 'out') == files_of(whole)


def test_an_image_that_was_not_written_is_noticed(tmp_path, monkeypatch):
  def write(path):
    open(path, 'wb').close()
    return 'the hash of an image'

  monkeypatch.setattr(
    image_files,
    '_write_image',
    lambda root, simulation, job: write(image_files._path(root, job)),
  )
  with pytest.raises(UserError, match='the image was not written whole: '):
    simulate(str(tmp_path / 'out'), *PARAMETERS, processes=1)
  assert os.listdir(tmp_path) == []


def first_image(folder):
  return min(folder.rglob('*.png'))


DAMAGE = {
  'empty': lambda folder: first_image(folder).write_bytes(b''),
  'missing': lambda folder: first_image(folder).unlink(),
  'cut': lambda folder: os.truncate(first_image(folder), 500),
  'another': lambda folder: shutil.copy(
    max(folder.rglob('*.png')), first_image(folder)
  ),
  'csv': lambda folder: os.truncate(folder / CSV_NAMES[2], 500),
  'no csv': lambda folder: (folder / CSV_NAMES[1]).unlink(),
}


@pytest.mark.parametrize('damage', DAMAGE.values(), ids=DAMAGE.keys())
@pytest.mark.parametrize('has_hash', [True, False])
def test_a_damaged_dataset_is_not_called_complete(copy, damage, has_hash):
  """Datasets of earlier versions have no hash, but empty images are found."""
  if not has_hash:
    summary = json.loads((copy / SUMMARY).read_text())
    del summary['images_sha256']
    (copy / SUMMARY).write_text(json.dumps(summary))
    assert not simulate(str(copy), *PARAMETERS)
    if damage is DAMAGE['another']:
      return
  damage(copy)
  with pytest.raises(UserError, match=f'damaged dataset: --out={copy}: '):
    simulate(str(copy), *PARAMETERS)


@pytest.mark.parametrize(
  'text', ['', '[]', '{', '[' * 10**5, '{"version": NaN}']
)
def test_a_damaged_summary_is_refused(copy, text):
  (copy / simulated_dataset.SUMMARY).write_text(text)
  with pytest.raises(UserError, match='not a simulated dataset'):
    simulate(str(copy), *PARAMETERS)
