"""Reads the whitened components of packed images, a batch at a time.

Components are a linear map of features, and far fewer. Features are kept for
at most `_MOST_ROWS` training images, which decide on the components.
"""

from collections.abc import Callable

import numpy as np

from input_pipeline import pipeline
from input_pipeline.dataset import PackedDataset
from input_pipeline.progress_bars import progress_bar
from owdfa_jax.spectrum.features import spectrum_features
from owdfa_jax.spectrum.group_means import group_means
from owdfa_jax.spectrum.whitening import Projection, whitened_components

_BATCH = 256
# The features of that many images take about 250 MB.
_MOST_ROWS = 20_000


def fit_components(
  dataset: PackedDataset, num_components: int, num_threads: int = 1
) -> tuple[Projection, np.ndarray]:
  """Fits whitened components to training images, and returns those of all.

  Args:
    dataset: an open packed dataset.
    num_components: the largest number of components, C.
    num_threads: threads that decode images.

  Returns:
    The map from features to components, fitted to the mean spectra of groups if
    there are groups; and float32 [N, C], the components of each training row.

  Raises:
    UserError: a record is damaged.
  """
  split = dataset.train
  # Whole groups, evenly spaced.
  groups = np.unique(split.group)[:: 1 + (len(split) - 1) // _MOST_ROWS]
  rows = np.flatnonzero(np.isin(split.group, groups))
  features = _read(
    dataset, 'train', rows, num_threads, spectrum_features, 'spectra'
  )
  means = features
  if split.has_groups:
    means, _ = group_means(features, split.group[rows])
  projection = whitened_components(means, num_components)
  if len(rows) == len(split):
    return projection, projection(features)
  return projection, read_components(
    dataset, 'train', projection, num_threads=num_threads
  )


def read_components(
  dataset: PackedDataset,
  split: str,
  projection: Projection,
  rows: np.ndarray | None = None,
  num_threads: int = 1,
) -> np.ndarray:
  """Returns the components of images, float32 [N, C] in order of the rows.

  Args:
    dataset: an open packed dataset.
    split: 'train' or 'test'.
    projection: maps features to components.
    rows: int [N], ascending; None for all.
    num_threads: threads that decode images.

  Raises:
    UserError: there is no row, or a record is damaged.
  """
  if rows is None:
    rows = np.arange(len(getattr(dataset, split)))
  return _read(
    dataset,
    split,
    rows,
    num_threads,
    lambda images: projection(spectrum_features(images)),
    f'spectra, {split}',
  )


def read_features(
  dataset: PackedDataset, rows: np.ndarray, num_threads: int = 1
) -> np.ndarray:
  """Returns the features of training images, float32 [N, D].

  Args:
    dataset: an open packed dataset.
    rows: int [N], rows of the training split, ascending.
    num_threads: threads that decode images.

  Raises:
    UserError: a record is damaged.
  """
  return _read(
    dataset, 'train', rows, num_threads, spectrum_features, 'spectra'
  )


def _read(
  dataset: PackedDataset,
  split: str,
  rows: np.ndarray,
  num_threads: int,
  function: Callable[[np.ndarray], np.ndarray],
  title: str,
) -> np.ndarray:
  """Returns the function's results for images, in the order of `rows`.

  Args:
    dataset: an open packed dataset.
    split: 'train' or 'test'.
    rows: int [N], ascending.
    num_threads: threads that decode images.
    function: maps uint8 [b, S, S, 3] to float32 [b, D].
    title: of the progress bar.
  """
  batches = pipeline.evaluation_batches(
    dataset,
    split,
    batch_size=_BATCH,
    rows=rows,
    num_threads=num_threads,
    # Each image is read once.
    cache_bytes=0,
  )
  results = None
  with progress_bar(title, len(rows), 'image') as bar:
    for batch in batches:
      is_image = batch['mask']
      part = function(batch['image'][is_image])
      if results is None:
        results = np.empty((len(rows), part.shape[1]), np.float32)
      # Threads deliver batches in any order.
      results[np.searchsorted(rows, batch['index'][is_image])] = part
      bar.update(len(part))
  assert results is not None
  return results
