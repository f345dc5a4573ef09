"""Decodes images of a packed split, each only once if all fit in memory."""

import threading
import weakref

import numpy as np

from input_pipeline import features, packed_images
from input_pipeline.batch_memory import BatchMemory
from input_pipeline.dataset import SPLITS, PackedDataset, Split
from input_pipeline.errors import UserError, check_choice


class ImageCache:
  """Decodes rows of one split, and keeps them if the split fits in memory."""

  def __init__(
    self, dataset: PackedDataset, split_name: str, cache_bytes: int
  ) -> None:
    """Makes the cache; images are decoded when they are asked for.

    Args:
      dataset: an open packed dataset.
      split_name: 'train' or 'test'.
      cache_bytes: images are kept if the whole split fits into this many.
    """
    self._split = split_of(dataset, split_name)
    self._where = f'{dataset.path}, {split_name} split'
    shape = (dataset.image_size, dataset.image_size, 3)
    fits = len(self._split) * np.prod(shape) <= cache_bytes
    self._cache = _cache_of(self._split, shape) if fits else None
    self._memory = BatchMemory(shape)

  def load(self, rows: np.ndarray) -> np.ndarray:
    """Returns the images of `rows`, uint8 [b, S, S, 3] RGB.

    Raises:
      UserError: a record is damaged, or its image has another size.
    """
    loaded = self._memory.take(len(rows))
    if self._cache is None:
      self._decode(rows, loaded)
      return loaded
    images, ready = self._cache
    missing = rows[~ready[rows]]
    if len(missing):
      # No lock: two threads that decode the same row write the same bytes. A
      # decoder may write others before, so it gets an array of its own.
      self._decode(missing, decoded := np.empty_like(loaded[: len(missing)]))
      images[missing] = decoded
      ready[missing] = True
    # The rows are in range; to clip them avoids another copy.
    return images.take(rows, 0, out=loaded, mode='clip')

  def _decode(self, rows: np.ndarray, images: np.ndarray) -> None:
    """Decodes rows into images, uint8 [b, S, S, 3]."""
    records = self._split.source.read(rows)
    for row, image in zip(rows.tolist(), images, strict=True):
      try:
        data, start, stop = features.locate_image(next(records))
        packed_images.decode_into(data, start, stop, image)
      except UserError as error:
        raise UserError(f'{self._where}, row {row}: {error}') from error


# Split -> (images uint8 [N, S, S, 3], ready bool [N]). All passes over a split
# share one array, and np.empty takes memory only for the rows written so far.
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


def split_of(dataset: PackedDataset, name: str) -> Split:
  """Returns the split of that name; `UserError` if there is none."""
  check_choice('split', name, SPLITS)
  return {'train': dataset.train, 'test': dataset.test}[name]
