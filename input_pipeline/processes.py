"""Writes shards in several processes of this machine."""

import concurrent.futures
import contextlib
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import cv2

from input_pipeline.detections import Detections
from input_pipeline.errors import UserError
from input_pipeline.progress_bars import progress_bar
from input_pipeline.shard_writer import write_shard
from input_pipeline.shards import Shard, Written
from input_pipeline.worker_processes import (
  end_with_parent,
  interrupts_held_back,
)


class Stopped(Exception):
  """Raised in a worker to give up its shard, because another shard failed."""


def write_shards(
  shards: list[Shard],
  workers: int,
  known: Detections,
  finished: Callable[[Written], object],
) -> list[Written]:
  """Writes all shards, with a progress bar.

  Args:
    shards: the shards to write.
    workers: the number of processes.
    known: faces found before.
    finished: called in this process with each result as soon as it is there,
      also with those that come before an error.

  Returns:
    The results, in the order of `shards`.

  Raises:
    UserError: an image is unreadable (unless such images are skipped), a shard
      cannot be written, or a process died. All processes have ended by then.
  """
  total = sum(len(shard.rows) for shard in shards)
  with silent_libraries(), progress_bar('pack', total, 'image') as bar:
    if workers == 1 or len(shards) == 1:
      written = []
      for shard in shards:
        written.append(write_shard(shard, bar.update, known))
        finished(written[-1])
      return written
    with _pool(min(workers, len(shards)), known) as (pool, done):
      with interrupts_held_back():
        futures = [pool.submit(_write_in_worker, shard) for shard in shards]
      pending = set(futures)
      try:
        # Waits briefly, so that the bar moves while a shard is written.
        while pending:
          ended, pending = concurrent.futures.wait(
            pending, 0.2, concurrent.futures.FIRST_COMPLETED
          )
          if done.value > bar.n:
            bar.update(done.value - bar.n)
          # Failed shards come last, so that the detections of all others are
          # kept.
          for future in sorted(ended, key=lambda f: f.exception() is not None):
            finished(future.result())
      except BrokenProcessPool as error:
        raise UserError(
          'a packing process died, perhaps because memory ran out; use fewer '
          '--workers'
        ) from error
      return [future.result() for future in futures]


# Set in worker processes only: the number of images done by all workers,
# whether to give up, and the faces found before.
_done: Any = None
_stop: Any = None
_known: Detections = {}


@contextlib.contextmanager
def _pool(workers: int, known: Detections) -> Iterator[tuple]:
  """Yields a process pool and its shared count of images done.

  On an error the workers give up their shards.
  """
  # Spawned, not forked: the progress bar and OpenCV have started threads, and
  # a fork would copy their locks in any state.
  context = multiprocessing.get_context('spawn')
  done, stop = context.Value('q', 0), context.Event()
  pool = concurrent.futures.ProcessPoolExecutor(
    workers, context, _start_worker, (done, stop, known)
  )
  try:
    yield pool, done
  except BaseException:
    stop.set()
    raise
  finally:
    pool.shutdown(wait=True, cancel_futures=True)


def _start_worker(done: Any, stop: Any, known: Detections) -> None:
  global _done, _stop, _known
  _done, _stop, _known = done, stop, known
  cv2.setNumThreads(1)  # the processes already use all cores
  silence_decoders()
  end_with_parent()


def silence_decoders() -> None:
  """Turns off OpenCV's own warnings, which repeat the one-line errors."""
  cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


@contextlib.contextmanager
def silent_libraries() -> Iterator[None]:
  """Drops what C libraries print on stderr; that of Python stays.

  libpng prints a line on a damaged file, beside the error that names the file.
  Processes started meanwhile inherit it: they print nothing at all there.
  """
  _fill_stderr()
  python = sys.stderr
  try:
    is_real = python.fileno() == 2
  except (AttributeError, OSError, ValueError):
    is_real = False  # closed, or what a program put in its place
  if not is_real:
    yield
    return
  python.flush()
  real, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
  try:
    with os.fdopen(os.dup(real), 'w', buffering=1) as sys.stderr:
      os.dup2(nowhere, 2)
      yield
  finally:
    sys.stderr = python
    os.dup2(real, 2)
    os.close(real)
    os.close(nowhere)


def _write_in_worker(shard: Shard) -> Written:
  def progress(count: int) -> None:
    with _done.get_lock():
      _done.value += count
    if _stop.is_set():
      raise Stopped

  return write_shard(shard, progress, _known)


def _fill_stderr() -> None:
  """Gives a closed stderr to nobody.

  The next file that is opened would get its number, and libraries would print
  into it.
  """
  try:
    os.fstat(2)
  except OSError:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    if nowhere != 2:
      os.dup2(nowhere, 2)
      os.close(nowhere)
    os.set_inheritable(2, True)  # processes started later need it too
