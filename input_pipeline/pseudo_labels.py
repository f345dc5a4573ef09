"""Pseudo-labels on file: what a network said of the unlabelled images.

Training takes them as labels of those images. They come from predictions, so
the true labels of unlabelled images stay out of reach.
"""

import os
import zipfile
import zlib

import numpy as np

from input_pipeline.dataset import PackedDataset
from input_pipeline.errors import UserError
from input_pipeline.meta import UNLABELLED


def write(path: str, dataset: PackedDataset, label: np.ndarray) -> None:
  """Writes pseudo-labels, whole or not at all.

  Args:
    path: the `.npz` file.
    dataset: whose training split they belong to.
    label: int32 [N], a class on unlabelled rows that got one, else -1.

  Raises:
    UserError: the file cannot be written.
  """
  partial = f'{path}.{os.getpid()}.partial'
  try:
    with open(partial, 'wb') as file:
      np.savez(file, label=label.astype(np.int32), meta=_identity(dataset))
    os.replace(partial, path)
  except OSError as error:
    raise UserError(
      f'cannot write the pseudo-labels {path}: {error.strerror}'
    ) from error


def read(path: str, dataset: PackedDataset, num_outputs: int) -> np.ndarray:
  """Reads what `write` wrote for this dataset: int32 [N], -1 for none.

  Raises:
    UserError: there is no such file, it is damaged, of other images, or has a
      class that the network's `num_outputs` do not reach.
  """
  advice = 'see --config.data.pseudo_labels'
  try:
    with open(path, 'rb') as raw, np.load(raw, allow_pickle=False) as file:
      label, identity = file['label'], str(file['meta'])
  except OSError as error:
    raise UserError(
      f'cannot read the pseudo-labels {path}: {error.strerror or error}; '
      f'{advice}'
    ) from error
  except (
    *(ValueError, KeyError, TypeError, EOFError),
    *(zipfile.BadZipFile, zlib.error),
  ) as error:
    raise UserError(
      f'damaged pseudo-labels: {path} ({error}); {advice}'
    ) from error
  split = dataset.train
  if identity != _identity(dataset) or label.shape != split.label.shape:
    raise UserError(
      f'pseudo-labels of other images: {path} does not belong to '
      f'{dataset.path}; {advice}'
    )
  if label.dtype != np.int32 or not (-1 <= label).all():
    raise UserError(f'damaged pseudo-labels: {path} (no labels); {advice}')
  if label.max() >= num_outputs:
    raise UserError(
      f'pseudo-labels of other classes: {path} has class {label.max()}, the '
      f'network {num_outputs} outputs; {advice}'
    )
  return np.where(split.tag == UNLABELLED, label, -1).astype(np.int32)


def _identity(dataset: PackedDataset) -> str:
  return dataset.description['made']['meta_sha256']
