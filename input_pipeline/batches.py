"""Iterates over batches that grain makes ahead, in threads or workers."""

from collections.abc import Callable

import grain
import numpy as np
from absl import flags

Batch = dict[str, np.ndarray]

# Workers pass larger arrays through shared memory. Of smaller ones it takes
# longer to open than to copy.
_LEAST_SHARED_BYTES = 2**16


def iterate_batches(
  make_batch: Callable[[int], Batch],
  start: int,
  stop: int,
  num_threads: int,
  num_workers: int,
) -> grain.DatasetIterator[Batch]:
  """Returns an iterator of `make_batch(start)`, `make_batch(start + 1)`, ...

  Args:
    make_batch: makes the batch of a step; called in threads or workers.
    start: the first step.
    stop: one more than the last step.
    num_threads: batches made at the same time (in each worker).
    num_workers: worker processes; 0 makes batches in this process.
  """
  # The elements are whole batches: workers take every n-th element, so smaller
  # elements would make a batch depend on the number of workers.
  batches = grain.MapDataset.range(start, stop).map(make_batch)
  # Each thread has a next batch waiting when it ends one.
  ahead = 2 * num_threads
  options = grain.ReadOptions(
    num_threads=num_threads, prefetch_buffer_size=ahead
  )
  iterable = batches.to_iter_dataset(options)
  if num_workers:
    if not flags.FLAGS.is_parsed():
      flags.FLAGS.mark_as_parsed()  # grain's workers read absl flags
    shared = grain.experimental.DatasetOptions(min_shm_size=_LEAST_SHARED_BYTES)
    iterable = grain.experimental.WithOptionsIterDataset(iterable, shared)
    iterable = iterable.mp_prefetch(
      grain.multiprocessing.MultiprocessingOptions(
        num_workers=num_workers, per_worker_buffer_size=2
      )
    )
  return iter(iterable)
