"""Writes and verifies the images of a simulated dataset."""

import concurrent.futures
import functools
import hashlib
import multiprocessing
import os
import pathlib
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool

import cv2

from input_pipeline.errors import UserError
from input_pipeline.files import read_regular
from input_pipeline.images import encode_image, load_image
from input_pipeline.progress_bars import with_progress
from input_pipeline.simulate.simulated_classes import CLASSES
from input_pipeline.simulate.simulated_images import (
  Simulation,
  image_path,
  make_image,
)
from input_pipeline.worker_processes import (
  end_with_parent,
  interrupts_held_back,
)

# The place of an image: the row of its class in `CLASSES`, and its number.
_Job = tuple[int, int]


def write_images(
  root: pathlib.Path, simulation: Simulation, processes: int | None
) -> str:
  """Writes all images, and reads each of them again to verify it.

  Args:
    root: the folder of the dataset, which exists.
    simulation: what determines the images.
    processes: number of processes; one per core if None.

  Returns:
    The hash of all images, see `hash_images`.

  Raises:
    UserError: an image cannot be written, or a process died.
  """
  for entry in CLASSES:
    (root / image_path(entry, 0)).parent.mkdir(parents=True)
  jobs = list(_jobs(simulation))
  write = functools.partial(_write_image, str(root), simulation)
  processes = processes or len(os.sched_getaffinity(0))
  bar = functools.partial(
    with_progress, title='simulate', total=len(jobs), unit='image'
  )
  if processes == 1:
    hashes = list(bar(map(write, jobs)))
  else:
    hashes = _write_in_processes(processes, write, jobs, bar)
  for job, expected in zip(jobs, hashes, strict=True):
    path = _path(root, job)
    if _hash(path) != expected:
      raise UserError(
        f'the image was not written whole: {path}; make room or name another '
        '--out'
      )
  return _joined(hashes)


def hash_images(root: pathlib.Path, simulation: Simulation) -> str:
  """Returns one SHA-256 for the bytes of all images of a dataset.

  Raises:
    UserError: an image is missing, empty, or no picture of the right size.
  """
  hashes = []
  for job in _jobs(simulation):
    path = _path(root, job)
    hashes.append(_hash(path))
    try:
      height, width = load_image(path).shape[:2]
    except UserError as error:
      raise damaged_dataset(root, str(error)) from error
    if (height, width) != (simulation.size, simulation.size):
      raise damaged_dataset(root, f'{path} has {width} x {height} pixels')
  return _joined(hashes)


def damaged_dataset(root: pathlib.Path, why: str) -> UserError:
  """Returns the error for a simulated dataset that has changed."""
  return UserError(
    f'damaged dataset: --out={root}: {why}; remove the folder and simulate '
    'again'
  )


def _write_in_processes(
  processes: int,
  write: functools.partial,
  jobs: list[_Job],
  bar: functools.partial,
) -> list[str]:
  # Spawned, because the caller may have threads, and a fork would copy their
  # locks without them.
  pool = concurrent.futures.ProcessPoolExecutor(
    processes, multiprocessing.get_context('spawn'), _start_worker
  )
  try:
    with interrupts_held_back():
      results = pool.map(write, jobs, chunksize=32)
    return list(bar(results))
  except BrokenProcessPool as error:
    raise UserError(
      'a simulating process died, perhaps because memory ran out; free some '
      'memory and simulate again'
    ) from error
  finally:
    pool.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
  cv2.setNumThreads(1)  # the processes already use all cores
  end_with_parent()


def _write_image(root: str, simulation: Simulation, job: _Job) -> str:
  """Writes one image; returns the hash of its bytes."""
  image = make_image(simulation, *job)
  content = encode_image(image, 'png', quality=100)
  path = _path(root, job)
  try:
    with open(path, 'wb') as file:
      file.write(content)
  except OSError as error:
    raise UserError(
      f'cannot write the image: {path} ({error.strerror}); make room or name '
      'another --out'
    ) from error
  return hashlib.sha256(content).hexdigest()


def _jobs(simulation: Simulation) -> Iterator[_Job]:
  for index in range(simulation.images_per_class):
    for row in range(len(CLASSES)):
      yield row, index


def _path(root: str | os.PathLike, job: _Job) -> str:
  row, index = job
  return os.path.join(root, image_path(CLASSES[row], index))


def _hash(path: str) -> str:
  try:
    return hashlib.sha256(read_regular(path)).hexdigest()
  except OSError:
    return ''


def _joined(hashes: list[str]) -> str:
  return hashlib.sha256('\n'.join(hashes).encode()).hexdigest()
