"""Predictions for images of sources that a run has not seen."""

import dataclasses

from input_pipeline.dataset import PackedDataset, open_dataset
from input_pipeline.errors import UserError
from owdfa_jax.evaluation.folder_batches import folder_batches
from owdfa_jax.evaluation.new_images import (
  UNSEEN_SETTING,
  check_unseen_path,
  is_packed,
  list_new_images,
)
from owdfa_jax.evaluation.predictions import Predictions
from owdfa_jax.evaluation.restore import RestoredNetwork
from owdfa_jax.experiment import Experiment


def unseen_predictions(
  experiment: Experiment, restored: RestoredNetwork
) -> list[Predictions]:
  """Returns predictions for the images of unseen sources.

  They are the test images of the classes that `data.leave_out` names, and those
  of `eval.unseen_path`.

  Args:
    experiment: the run.
    restored: its network, with its sources attached.

  Raises:
    UserError: images cannot be read, or have another size.
  """
  found = []
  left_out = experiment.dataset.unseen
  if left_out is not None and len(left_out):
    view = dataclasses.replace(experiment.dataset, test=left_out)
    found.append(_predict_packed(restored, view))
  path = experiment.config.eval.unseen_path
  if path:
    found.append(_predict_path(experiment, restored, path))
  return found


def _predict_packed(
  restored: RestoredNetwork, dataset: PackedDataset
) -> Predictions:
  """Predicts the test split of a packed dataset."""
  return restored.predictor.predict(
    restored.params,
    restored.batch_stats,
    restored.predictor.batches('test', dataset=dataset),
    dataset.test.group if dataset.test.has_groups else None,
  )


def _predict_path(
  experiment: Experiment, restored: RestoredNetwork, path: str
) -> Predictions:
  if is_packed(path):
    check_unseen_path(path, experiment.dataset)
    return _predict_packed(restored, open_dataset(path))
  scan = list_new_images(path, UNSEEN_SETTING)
  batches = folder_batches(experiment, scan)
  predictions = restored.predictor.predict(
    restored.params, restored.batch_stats, batches.batches, batches.group
  )
  if batches.unreadable:
    raise UserError(
      f'unreadable images: {UNSEEN_SETTING}={path}: '
      f'{next(iter(batches.unreadable.values()))}, and '
      f'{len(batches.unreadable) - 1} more; take them out'
    )
  return predictions
