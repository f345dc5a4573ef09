"""Shards in several processes of this machine."""

import concurrent.futures
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import cv2
from tqdm import tqdm

from input_pipeline.detections import Detections
from input_pipeline.errors import UserError
from input_pipeline.shards import Shard, Written, write_shard


class Stopped(Exception):
  """Another shard has failed, so this one was given up."""


def write_shards(
  shards: list[Shard],
  workers: int,
  known: Detections,
  finished: Callable[[Written], object],
) -> list[Written]:
  """Writes all shards under a progress bar; results in the order given.

  Args:
    shards: to write.
    workers: processes.
    known: faces found before.
    finished: called here with each result as it comes, before an error too.

  Raises:
    UserError: an image is unreadable (unless skipped), or a shard cannot be
      written, or a process died. All processes have ended by then.
  """
  total = sum(len(shard.rows) for shard in shards)
  with tqdm(total=total, unit='img', desc='pack') as bar:
    if workers == 1 or len(shards) == 1:
      written = []
      for shard in shards:
        written.append(write_shard(shard, bar.update, known))
        finished(written[-1])
      return written
    with _pool(min(workers, len(shards)), known) as (pool, done):
      with _interrupts_held_back():
        futures = [pool.submit(_write_in_worker, shard) for shard in shards]
      pending = set(futures)
      try:
        while pending:
          ended, pending = concurrent.futures.wait(
            pending, 0.2, concurrent.futures.FIRST_COMPLETED
          )
          if done.value > bar.n:
            bar.update(done.value - bar.n)
          # Those that failed last: what the others found is not lost.
          for future in sorted(ended, key=lambda f: f.exception() is not None):
            finished(future.result())
      except BrokenProcessPool as error:
        raise UserError(
          'a packing process died, perhaps for want of memory; try fewer '
          '--workers'
        ) from error
      return [future.result() for future in futures]


# Set in worker processes only: rows done by all, whether to give up, and the
# faces found before.
_done: Any = None
_stop: Any = None
_known: Detections = {}


@contextlib.contextmanager
def _pool(workers: int, known: Detections) -> Iterator[tuple]:
  """A process pool and its count of rows done; stops at once on an error."""
  # Not fork: by now there are threads (the progress bar's, OpenCV's).
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


@contextlib.contextmanager
def _interrupts_held_back() -> Iterator[None]:
  """Processes started herein never see Ctrl-C: they inherit the mask.

  It reaches the whole process group, but the parent alone decides what it
  means; in the workers it could strike before any handler is in place. Nor may
  it strike here while they start: the mask is this thread's alone, another one
  would still take it and have it raised in the middle of that.
  """
  came: list[int] = []
  in_main = threading.current_thread() is threading.main_thread()
  handler = signal.getsignal(signal.SIGINT)
  if in_main:
    signal.signal(signal.SIGINT, lambda *_: came.append(1))
  before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
  try:
    yield
  finally:
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if in_main:
      signal.signal(signal.SIGINT, handler)
  if came:
    raise KeyboardInterrupt


def _start_worker(done: Any, stop: Any, known: Detections) -> None:
  global _done, _stop, _known
  _done, _stop, _known = done, stop, known
  cv2.setNumThreads(1)
  silence_decoders()
  threading.Thread(target=_die_with_parent, daemon=True).start()


def silence_decoders() -> None:
  """Keeps OpenCV's own warnings from surrounding our one-line errors."""
  cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def _die_with_parent() -> None:
  parent = multiprocessing.parent_process()
  if parent is not None:
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def _write_in_worker(shard: Shard) -> Written:
  def progress(count: int) -> None:
    with _done.get_lock():
      _done.value += count
    if _stop.is_set():
      raise Stopped

  return write_shard(shard, progress, _known)
