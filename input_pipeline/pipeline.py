"""Batches of decoded uint8 images from a packed dataset, by random access.

Training is a function of (seed, step) alone: threads, workers, processes and
restarts change when a batch is made, never what is in it.
"""

import threading
import weakref
from collections.abc import Callable

import grain
import numpy as np
from absl import flags

from input_pipeline import features, sampling
from input_pipeline.dataset import PackedDataset, Split
from input_pipeline.errors import UserError
from input_pipeline.meta import LABELLED, UNLABELLED

SUPERVISION = ('open_world', 'labelled', 'all')
CACHE_BYTES = 2**30
_LAST_STEP = 2**40  # stands for "endless"; positions still fit an int64

Batch = dict[str, np.ndarray]


def train_batches(
  dataset: PackedDataset,
  *,
  batch_size: int,
  seed: int,
  supervision: str = 'open_world',
  start_step: int = 0,
  process_index: int = 0,
  process_count: int = 1,
  num_threads: int = 2,
  num_workers: int = 0,
  validation_share: float = 0.0,
  pseudo_label: np.ndarray | None = None,
  cache_bytes: int = CACHE_BYTES,
) -> grain.DatasetIterator[Batch]:
  """Returns the endless training batches from `start_step` on.

  Each is this process's part, b rows, of a global batch: `image` uint8
  [b, S, S, 3] RGB; `label` int32 [b], the class id on labelled rows and -1 on
  all others; `true_label` int32 [b], for metrics only, -1 where unknown;
  `index` int32 [b], the row of the training split.

  Args:
    dataset: an open packed dataset.
    batch_size: B, rows of a global batch, half of them labelled.
    seed: of the stream, below 2**32.
    supervision: 'open_world': even rows labelled and class-balanced, odd rows
      unlabelled. 'labelled': the even rows of those very batches, so B / 2.
      'all': B rows, all labelled, balanced over all classes; an upper bound.
    start_step: the first batch's number.
    process_index: of this process.
    process_count: processes that share a global batch in contiguous parts.
    num_threads: batches decoded at a time (in each worker).
    num_workers: worker processes; 0 decodes in this one.
    validation_share: of each known class's labelled rows, never trained on.
    pseudo_label: int32 [N], classes that a network gave to unlabelled rows, -1
      for none. Such rows count as labelled, of these classes, and stay among
      the unlabelled ones as well.
    cache_bytes: decoded images are kept when the split fits in; not in workers.

  Raises:
    UserError: the arguments do not fit each other or the dataset, or, while
      reading, a record is damaged. `close()` ends threads and workers early.
  """
  split = dataset.train
  held_out = validation_rows(dataset, seed, validation_share)
  check_training(dataset, batch_size, supervision, held_out)
  halves = 2 if supervision == 'labelled' else 1
  rows = batch_size // halves
  _check_divisible(rows, process_count, batch_size)
  given = given_label(split, supervision, pseudo_label)
  stream = sampling.make_stream(
    given,
    split.tag == UNLABELLED,
    seed=seed,
    supervision=supervision,
    held_out=held_out,
  )
  images = _Images(dataset, 'train', 0 if num_workers else cache_bytes)
  # A row in both halves of the stream has its label in the labelled one only.
  alternates = supervision == 'open_world'

  def make(step: int) -> Batch:
    positions = sampling.batch_positions(
      int(step), rows, process_index, process_count
    )
    index = stream.take(positions)
    hidden = alternates & (positions % 2 == 1)
    return {
      'image': images.load(index),
      'label': np.where(hidden, -1, given[index]).astype(np.int32),
      'true_label': split.label[index],
      'index': index,
    }

  return iterate(make, start_step, _LAST_STEP, num_threads, num_workers)


def evaluation_batches(
  dataset: PackedDataset,
  split_name: str,
  *,
  batch_size: int,
  rows: np.ndarray | None = None,
  process_index: int = 0,
  process_count: int = 1,
  num_threads: int = 2,
  cache_bytes: int = CACHE_BYTES,
) -> grain.DatasetIterator[Batch]:
  """Returns batches that hold every row of a split once, in order.

  Each is this process's part, b rows, of a global batch: `image` uint8
  [b, S, S, 3]; `label` int32 [b], the true class, -1 where unknown; `index`
  int32 [b], the row of the split; `mask` bool [b], False on padding, which
  repeats an image with label and index -1. All processes get equally many.

  Args:
    dataset: an open packed dataset.
    split_name: 'train' or 'test'.
    batch_size: rows of a global batch.
    rows: int [N], the rows to visit; None for all.
    process_index: of this process.
    process_count: processes that share a global batch in contiguous parts.
    num_threads: batches decoded at a time.
    cache_bytes: decoded images are kept when the split fits in.

  Raises:
    UserError: nothing to visit, `batch_size` does not divide, a damaged record.
  """
  split = _split(dataset, split_name)
  rows = np.arange(len(split)) if rows is None else rows
  if not len(rows):
    raise UserError(
      f'nothing to evaluate: {dataset.path}: no rows of the {split_name} split'
    )
  _check_divisible(batch_size, process_count, batch_size)
  images = _Images(dataset, split_name, cache_bytes)
  index = np.asarray(rows, np.int32)

  def make(step: int) -> Batch:
    positions = sampling.batch_positions(
      int(step), batch_size, process_index, process_count
    )
    mask = positions < len(index)
    here = index[np.minimum(positions, len(index) - 1)]
    return {
      'image': images.load(here),
      'label': np.where(mask, split.label[here], -1).astype(np.int32),
      'index': np.where(mask, here, -1).astype(np.int32),
      'mask': mask,
    }

  steps = -(-len(index) // batch_size)
  return iterate(make, 0, steps, num_threads, num_workers=0)


def given_label(
  split: Split, supervision: str, pseudo_label: np.ndarray | None
) -> np.ndarray:
  """Returns the class that each row is trained as, int32 [N], -1 for none.

  The one place where labels are given out: nothing else tells a loss the class
  of an unlabelled row.
  """
  revealed = (split.tag == LABELLED) | (supervision == 'all')
  rest = -1 if pseudo_label is None else pseudo_label
  return np.where(revealed, split.label, rest).astype(np.int32)


def steps_per_epoch(dataset: PackedDataset, batch_size: int) -> int:
  """Returns floor(training rows / batch_size).

  Raises:
    UserError: that is zero.
  """
  steps = len(dataset.train) // batch_size
  if not steps:
    raise UserError(
      f'dataset smaller than one batch: {dataset.path} has '
      f'{len(dataset.train)} training rows, batch_size={batch_size}; lower '
      'batch_size'
    )
  return steps


def validation_rows(
  dataset: PackedDataset, seed: int, share: float
) -> np.ndarray:
  """Returns the training rows held out for validation, sorted, int32 [V].

  They are labelled rows, `share` of each known class; see
  `sampling.validation_rows`.
  """
  if not 0 <= share < 1:
    raise UserError(
      f'validation_share={share}: must be at least 0 and less than 1'
    )
  if not 0 <= seed < 2**32:
    raise UserError(f'seed={seed}: must be from 0 to {2**32 - 1}')
  return sampling.validation_rows(
    dataset.train.label, dataset.train.tag, share, seed
  )


class _Images:
  """Decodes rows of one split, each only once where they fit in memory."""

  def __init__(
    self, dataset: PackedDataset, split_name: str, cache_bytes: int
  ) -> None:
    self._split = _split(dataset, split_name)
    self._where = f'{dataset.path}, {split_name} split'
    self._shape = (dataset.image_size, dataset.image_size, 3)
    fits = len(self._split) * np.prod(self._shape) <= cache_bytes
    self._cache = _cache_of(self._split, self._shape) if fits else None

  def load(self, rows: np.ndarray) -> np.ndarray:
    """Returns the images of `rows`, uint8 [b, S, S, 3]."""
    if self._cache is None:
      return np.stack([self._decode(int(row)) for row in rows])
    images, ready = self._cache
    for row in rows[~ready[rows]]:
      # Two threads may both decode a row: they write the same bytes.
      images[row] = self._decode(int(row))
      ready[row] = True
    return images[rows]

  def _decode(self, row: int) -> np.ndarray:
    try:
      image = features.decode_image(self._split.source[row])
    except UserError as error:
      raise UserError(f'{self._where}, row {row}: {error}') from error
    if image.shape != self._shape:
      raise UserError(
        f'{self._where}, row {row}: an image of shape {image.shape}, the '
        f'description says {self._shape}; pack the data again'
      )
    return image


# Split -> (images uint8 [N, S, S, 3], ready bool [N]). Pages are committed as
# they are written, and every pass over a split shares them.
_caches: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
_caches_lock = threading.Lock()


def _cache_of(
  split: Split, shape: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
  with _caches_lock:
    if split not in _caches:
      images = np.empty((len(split), *shape), np.uint8)
      _caches[split] = images, np.zeros(len(split), bool)
    return _caches[split]


def iterate(
  make: Callable[[int], Batch],
  start: int,
  stop: int,
  num_threads: int,
  num_workers: int,
) -> grain.DatasetIterator[Batch]:
  """Iterates `make(start), make(start + 1), ...`, made ahead and in order."""
  # Whole batches are the elements: workers take every n-th element, which
  # would otherwise change what is in a batch.
  batches = grain.MapDataset.range(start, stop).map(make)
  ahead = 2 * num_threads
  options = grain.ReadOptions(
    num_threads=num_threads, prefetch_buffer_size=ahead
  )
  iterable = batches.to_iter_dataset(options)
  if num_workers:
    if not flags.FLAGS.is_parsed():
      flags.FLAGS.mark_as_parsed()  # grain's workers read absl flags
    iterable = iterable.mp_prefetch(
      grain.multiprocessing.MultiprocessingOptions(
        num_workers=num_workers, per_worker_buffer_size=2
      )
    )
  return iter(iterable)


def _split(dataset: PackedDataset, name: str) -> Split:
  splits = {'train': dataset.train, 'test': dataset.test}
  if name not in splits:
    raise UserError(f'no split {name!r}: there are train and test')
  return splits[name]


def _check_divisible(rows: int, process_count: int, batch_size: int) -> None:
  if rows % process_count:
    raise UserError(
      f'batch_size={batch_size}: its {rows} rows do not divide among '
      f'{process_count} processes; choose a multiple'
    )


def check_training(
  dataset: PackedDataset,
  batch_size: int,
  supervision: str,
  held_out: np.ndarray,
) -> None:
  """Checks that `train_batches` has what it would read.

  Args:
    dataset: to train on.
    batch_size: of all processes.
    supervision: one of `SUPERVISION`.
    held_out: int [N], labelled rows not to be trained on.

  Raises:
    UserError: the arguments do not fit each other or the dataset.
  """
  split = dataset.train
  if supervision not in SUPERVISION:
    raise UserError(
      f'supervision={supervision!r}: choose from {", ".join(SUPERVISION)}'
    )
  if batch_size < 1 or (batch_size % 2 and supervision != 'all'):
    raise UserError(
      f'batch_size={batch_size}: must be even and positive; half of a batch is '
      'labelled'
    )
  steps_per_epoch(dataset, batch_size)
  if supervision == 'open_world' and not (split.tag == UNLABELLED).any():
    raise UserError(
      f'no unlabelled images: {dataset.path} has none to train on; label '
      "fewer, or use supervision='labelled'"
    )
  if supervision == 'all' and (split.label == -1).any():
    raise UserError(
      f"supervision='all' needs every label: {dataset.path} has "
      f'{(split.label == -1).sum()} training images of unknown class'
    )
  usable = split.tag == LABELLED
  usable[held_out] = False
  for entry in dataset.classes[: dataset.num_known]:
    if not (usable & (split.label == entry.label)).any():
      raise UserError(
        f'empty class: {dataset.path}: class {entry.name!r} has no labelled '
        'training image; label some, or make it a novel class'
      )
