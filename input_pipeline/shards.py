"""Images to TFRecord shards, several processes at once.

A shard depends on its own rows alone, so the number of processes changes
nothing in the files.
"""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import multiprocessing
import multiprocessing.connection
import os
import pathlib
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import cv2
from tqdm import tqdm

from input_pipeline import features, images
from input_pipeline.errors import UserError
from input_pipeline.tfrecord import write_record


@dataclasses.dataclass(frozen=True)
class Row:
  """One image to pack."""

  number: int  # position in its split
  file: str
  id: str
  label: int
  tag: int
  method: str
  forgery_type: str
  image_source: str


@dataclasses.dataclass(frozen=True)
class Encoding:
  """How images are stored."""

  size: int  # pixels
  format: str  # 'png' or 'jpeg', of images that are encoded anew
  quality: int  # of JPEG, 1 to 100
  keep: bool  # plain files of the right size keep their bytes


@dataclasses.dataclass(frozen=True)
class Shard:
  """One shard to write."""

  split: str
  number: int
  path: pathlib.Path
  rows: tuple[Row, ...]
  encoding: Encoding
  skip_unreadable: bool


@dataclasses.dataclass
class Written:
  """What became of a shard; the first four lists run over its records."""

  shard: Shard
  number: list[int] = dataclasses.field(default_factory=list)
  offset: list[int] = dataclasses.field(default_factory=list)
  length: list[int] = dataclasses.field(default_factory=list)
  format: list[str] = dataclasses.field(default_factory=list)
  skipped: list[tuple[Row, str]] = dataclasses.field(default_factory=list)


class Stopped(Exception):
  """Another shard has failed, so this one was given up."""


def write_shards(shards: list[Shard], workers: int) -> list[Written]:
  """Writes all shards under a progress bar; results in the order given.

  Raises:
    UserError: an image is unreadable (unless skipped), or a shard cannot be
      written, or a process died. All processes have ended by then.
  """
  total = sum(len(shard.rows) for shard in shards)
  with tqdm(total=total, unit='img', desc='pack') as bar:
    if workers == 1 or len(shards) == 1:
      return [write_shard(shard, bar.update) for shard in shards]
    with _pool(min(workers, len(shards))) as (pool, done):
      with _interrupts_held_back():
        futures = [pool.submit(_write_in_worker, shard) for shard in shards]
      pending = set(futures)
      try:
        while pending:
          finished, pending = concurrent.futures.wait(
            pending, 0.2, concurrent.futures.FIRST_COMPLETED
          )
          if done.value > bar.n:
            bar.update(done.value - bar.n)
          for future in finished:
            future.result()
      except BrokenProcessPool as error:
        raise UserError(
          'a packing process died, perhaps for want of memory; try fewer '
          '--workers'
        ) from error
      return [future.result() for future in futures]


def write_shard(shard: Shard, progress: Callable[[int], object]) -> Written:
  """Writes one shard; `progress` is called with 1 after every row.

  Raises:
    UserError: an image is unreadable (unless skipped), or the file cannot be
      written.
  """
  written = Written(shard)
  try:
    with open(shard.path, 'wb') as file:
      for row in shard.rows:
        try:
          record, image_format = _record(row, shard.encoding)
        except UserError as error:
          if not shard.skip_unreadable:
            raise
          written.skipped.append((row, str(error)))
          progress(1)
          continue
        data = features.encode(record)
        written.number.append(row.number)
        written.offset.append(write_record(file, data))
        written.length.append(len(data))
        written.format.append(image_format)
        progress(1)
  except OSError as error:
    raise UserError(
      f'cannot write {shard.path}: {error.strerror}; nothing is left behind'
    ) from error
  return written


def _record(row: Row, encoding: Encoding) -> tuple[features.Record, str]:
  data = images.read_file(row.file)
  # Decoded even if its bytes are kept: every packed image must be readable.
  image = images.decode(data, row.file)
  image_format, height, width, plain = images.probe(data)
  fits = (height, width) == (encoding.size, encoding.size)
  if encoding.keep and plain and fits:
    stored = data
  else:
    image_format = encoding.format
    resized = images.resize(image, encoding.size)
    stored = images.encode(resized, image_format, encoding.quality)
  record = features.Record(
    image=stored,
    label=row.label,
    tag=row.tag,
    id=row.id,
    method=row.method,
    forgery_type=row.forgery_type,
    image_source=row.image_source,
    sha256=hashlib.sha256(data).hexdigest(),
  )
  return record, image_format


# Set in worker processes only: rows done by all, and whether to give up.
_done: Any = None
_stop: Any = None


@contextlib.contextmanager
def _pool(workers: int) -> Iterator[tuple]:
  """A process pool and its count of rows done; stops at once on an error."""
  # Not fork: by now there are threads (the progress bar's, OpenCV's).
  context = multiprocessing.get_context('spawn')
  done, stop = context.Value('q', 0), context.Event()
  pool = concurrent.futures.ProcessPoolExecutor(
    workers, context, _start_worker, (done, stop)
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
  means; in the workers it could strike before any handler is in place.
  """
  before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
  try:
    yield
  finally:
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(done: Any, stop: Any) -> None:
  global _done, _stop
  _done, _stop = done, stop
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

  return write_shard(shard, progress)
