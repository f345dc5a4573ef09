"""Reads the features of packed images, a batch at a time."""

import numpy as np
from tqdm import tqdm

from input_pipeline import pipeline
from input_pipeline.dataset import PackedDataset
from owdfa_jax.spectrum.features import spectrum_features

_BATCH = 256


def read_features(
  dataset: PackedDataset,
  split: str,
  rows: np.ndarray | None = None,
  num_threads: int = 1,
) -> np.ndarray:
  """Returns the features of rows of a split, with a progress bar.

  In memory are a few batches of images, and the features of all rows.

  Args:
    dataset: an open packed dataset.
    split: 'train' or 'test'.
    rows: int [N], ascending; None for all.
    num_threads: threads that decode images.

  Returns:
    float32 [N, D], in the order of the rows.

  Raises:
    UserError: there is no row, or a record is damaged.
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
  total = len(getattr(dataset, split)) if rows is None else len(rows)
  features, index = [], []
  with tqdm(desc=f'spectra, {split}', total=total, unit='image') as bar:
    for batch in batches:
      is_image = batch['mask']
      features.append(spectrum_features(batch['image'][is_image]))
      index.append(batch['index'][is_image])
      bar.update(int(is_image.sum()))
  # Threads deliver batches in any order.
  order = np.argsort(np.concatenate(index), kind='stable')
  return np.concatenate(features)[order]
