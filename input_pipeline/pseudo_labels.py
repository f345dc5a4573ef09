"""Pseudo-label files: classes that a network predicts for unlabelled images.

Training takes them as labels of those images. They come from predictions, so
the true labels of unlabelled images stay hidden from training.
"""

import numpy as np

from input_pipeline import files, npz
from input_pipeline.dataset import PackedDataset
from input_pipeline.errors import UserError
from input_pipeline.meta import UNLABELLED


def write_pseudo_labels(
  path: str, dataset: PackedDataset, label: np.ndarray
) -> None:
  """Writes pseudo-labels, complete or not at all.

  Args:
    path: the `.npz` file.
    dataset: the dataset whose training split the labels belong to.
    label: int32 [N], the class of each unlabelled row that got one, else -1.

  Raises:
    UserError: the file cannot be written.
  """
  with files.write_whole(path, what='the pseudo-labels') as file:
    np.savez(file, label=label.astype(np.int32), meta=_identity(dataset))


def read_pseudo_labels(
  path: str, dataset: PackedDataset, num_outputs: int
) -> np.ndarray:
  """Reads the file that `write_pseudo_labels` wrote for this dataset.

  Args:
    path: the `.npz` file.
    dataset: the dataset to train on.
    num_outputs: the number of outputs of the network that is trained.

  Returns:
    int32 [N], the class of each row of the training split, -1 for none and on
    labelled rows.

  Raises:
    UserError: the file is missing, damaged or of other images, or has a class
      beyond the outputs of the network.
  """
  advice = 'see --config.data.pseudo_labels'
  try:
    arrays = npz.read_npz(path, ('label', 'meta'))
  except OSError as error:
    raise UserError(
      f'cannot read the pseudo-labels {path}: {error.strerror or error}; '
      f'{advice}'
    ) from error
  except npz.Damaged as error:
    raise UserError(
      f'damaged pseudo-labels: {path} ({error}); {advice}'
    ) from error
  label, identity = arrays['label'], arrays['meta']
  split = dataset.train
  if str(identity) != _identity(dataset) or label.shape != split.label.shape:
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
  # Labelled rows keep their true labels, whatever the network predicted.
  return np.where(split.tag == UNLABELLED, label, -1).astype(np.int32)


def _identity(dataset: PackedDataset) -> str:
  """The hash of the meta CSV decides the order of the rows."""
  return dataset.description['made']['meta_sha256']
