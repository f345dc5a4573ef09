"""Batches of decoded uint8 images from a packed dataset, by random access.

A training batch is a function of (seed, step) alone. Threads, workers,
processes and restarts change when a batch is made, never what is in it.
"""

from collections.abc import Callable

import grain
import numpy as np

from input_pipeline import sampling
from input_pipeline.batches import Batch, iterate_batches
from input_pipeline.dataset import PackedDataset, Split
from input_pipeline.errors import UserError
from input_pipeline.image_cache import ImageCache, split_of
from input_pipeline.meta import UNLABELLED
from input_pipeline.supervision import (
  check_training_data,
  given_label,
  rows_of_their_groups,
  validation_rows,
)

# From the number of rows of a global batch to those that this process reads,
# int [b], ascending.
OwnRows = Callable[[int], np.ndarray]
CACHE_BYTES = 2**30
_LAST_STEP = 2**40  # stands for "endless"; positions still fit an int64


def train_batches(
  dataset: PackedDataset,
  *,
  batch_size: int,
  seed: int,
  supervision: str = 'open_world',
  start_step: int = 0,
  own_rows: OwnRows = np.arange,
  num_threads: int = 2,
  num_workers: int = 0,
  validation_share: float = 0.0,
  pseudo_label: np.ndarray | None = None,
  cache_bytes: int = CACHE_BYTES,
) -> grain.DatasetIterator[Batch]:
  """Returns an endless iterator of training batches from `start_step` on.

  Each batch is this process's part, b rows, of a global batch: `image` uint8
  [b, S, S, 3] RGB; `label` int32 [b], the class id on labelled rows and -1 on
  all others; `true_label` int32 [b], for metrics only, -1 where unknown;
  `index` int32 [b], the row of the training split.

  Args:
    dataset: an open packed dataset.
    batch_size: B, rows of a global batch, half of them labelled.
    seed: the seed of the stream, below 2**32.
    supervision: 'open_world': even rows are labelled and class-balanced, odd
      rows are unlabelled. 'labelled': the even rows of the same batches, so
      B / 2 rows. 'all': B rows, all labelled, balanced over all classes.
    start_step: the number of the first batch.
    own_rows: see `OwnRows`; by default all rows.
    num_threads: batches decoded at the same time (in each worker).
    num_workers: worker processes; 0 decodes in this process.
    validation_share: share of each known class's labelled rows that is held
      out of training.
    pseudo_label: int32 [N], classes that a network predicted for unlabelled
      rows, -1 for none. Such a row counts as labelled with that class, and is
      drawn as an unlabelled row as well.
    cache_bytes: decoded images are kept in memory if the whole split fits into
      this many bytes; workers keep none.

  Returns:
    A grain iterator; `close()` ends its threads and workers early.

  Raises:
    UserError: the arguments do not fit each other or the dataset, or, while
      reading, a record is damaged.
  """
  split = dataset.train
  held_out = validation_rows(dataset, seed, validation_share)
  check_training_data(dataset, batch_size, supervision, held_out)
  # The labelled half alone, so that its rows are the same as with both halves.
  halves = 2 if supervision == 'labelled' else 1
  rows = batch_size // halves
  given = given_label(split, supervision, pseudo_label)
  stream = _training_rows(split, given, held_out, supervision, seed)
  # Workers share no memory, so each of them would fill a cache of its own.
  images = ImageCache(dataset, 'train', 0 if num_workers else cache_bytes)
  own = own_rows(rows)
  # A pseudo-labelled row is drawn in both halves of the stream. Its label
  # counts in the labelled half only.
  alternates = supervision == 'open_world'

  def make_batch(step: int) -> Batch:
    positions = sampling.batch_positions(int(step), rows, own)
    index = stream.take(positions)
    hidden = alternates & (positions % 2 == 1)
    return {
      'image': images.load(index),
      'label': np.where(hidden, -1, given[index]).astype(np.int32),
      'true_label': split.label[index],
      'index': index,
    }

  return iterate_batches(
    make_batch, start_step, _LAST_STEP, num_threads, num_workers
  )


def _training_rows(
  split: Split,
  given: np.ndarray,
  held_out: np.ndarray,
  supervision: str,
  seed: int,
) -> sampling.Stream:
  """Returns the endless stream of training rows, without those held out.

  Args:
    split: the training split, N rows.
    given: int32 [N], the label of each row, -1 for none.
    held_out: int [V], labelled rows; their whole groups are left out.
    supervision: see `train_batches`.
    seed: the seed of the stream.
  """
  held_out = rows_of_their_groups(split, held_out)
  unlabelled = split.tag == UNLABELLED
  unlabelled[held_out] = False
  return sampling.make_stream(
    given,
    unlabelled,
    seed=seed,
    supervision=supervision,
    held_out=held_out,
  )


def evaluation_batches(
  dataset: PackedDataset,
  split_name: str,
  *,
  batch_size: int,
  rows: np.ndarray | None = None,
  own_rows: OwnRows = np.arange,
  num_threads: int = 2,
  cache_bytes: int = CACHE_BYTES,
) -> grain.DatasetIterator[Batch]:
  """Returns an iterator of batches that hold every row of a split once.

  Each batch is this process's part, b rows, of a global batch: `image` uint8
  [b, S, S, 3]; `label` int32 [b], the true class, -1 where unknown; `index`
  int32 [b], the row of the split; `mask` bool [b], False on padding, which
  repeats an image with label and index -1. All processes get the same number
  of batches.

  Args:
    dataset: an open packed dataset.
    split_name: 'train' or 'test'.
    batch_size: rows of a global batch.
    rows: int [N], the rows to visit, in this order; None for all.
    own_rows: see `OwnRows`; by default all rows.
    num_threads: batches decoded at the same time.
    cache_bytes: decoded images are kept in memory if the whole split fits into
      this many bytes.

  Raises:
    UserError: there is no row to visit, or, while reading, a record is damaged.
  """
  split = split_of(dataset, split_name)
  rows = np.arange(len(split)) if rows is None else rows
  if not len(rows):
    raise UserError(
      f'nothing to evaluate: {dataset.path}: no rows of the {split_name} '
      'split; choose another split'
    )
  images = ImageCache(dataset, split_name, cache_bytes)
  index, own = np.asarray(rows, np.int32), own_rows(batch_size)

  def make_batch(step: int) -> Batch:
    positions = sampling.batch_positions(int(step), batch_size, own)
    # The last batch is padded to the full size, since another shape would be
    # compiled anew and devices could not share it evenly.
    mask = positions < len(index)
    here = index[np.minimum(positions, len(index) - 1)]
    return {
      'image': images.load(here),
      'label': np.where(mask, split.label[here], -1).astype(np.int32),
      'index': np.where(mask, here, -1).astype(np.int32),
      'mask': mask,
    }

  steps = -(-len(index) // batch_size)
  return iterate_batches(make_batch, 0, steps, num_threads, num_workers=0)
