"""Images of no source, told by spectra, without a network."""

import dataclasses
from typing import Any

import numpy as np

from input_pipeline.dataset import PackedDataset, open_dataset
from owdfa_jax.discovery.spectrum_predictions import (
  FittedSpectrum,
  classify_spectra,
)
from owdfa_jax.evaluation.new_images import check_unseen_path
from owdfa_jax.evaluation.predictions import Predictions
from owdfa_jax.evaluation.unseen_report import unseen_fields
from owdfa_jax.settings import RunInputs
from owdfa_jax.spectrum.reading import read_components


def spectrum_unseen_fields(
  inputs: RunInputs, fitted: FittedSpectrum, predictions: Predictions
) -> dict[str, Any]:
  """Returns what the report of a spectrum says about images of no source.

  Args:
    inputs: of the run.
    fitted: the classifier.
    predictions: for `eval.split`.

  Returns:
    See `unseen_fields`.

  Raises:
    UserError: `eval.unseen_path` is a folder of images or has images of another
      size, or a record is damaged.
  """
  others = [
    _classify_test(inputs, fitted, images) for images in _unseen_images(inputs)
  ]
  rate = inputs.config.eval.false_alarm_rate
  return unseen_fields(fitted.seen, predictions, others, rate)


def _unseen_images(inputs: RunInputs) -> list[PackedDataset]:
  """Returns datasets whose test images are of unseen sources."""
  dataset, path = inputs.dataset, inputs.config.eval.unseen_path
  if path:
    check_unseen_path(path, dataset, packed_only=True)
  found = []
  if dataset.unseen is not None and len(dataset.unseen):
    found.append(dataclasses.replace(dataset, test=dataset.unseen))
  return [*found, open_dataset(path)] if path else found


def _classify_test(
  inputs: RunInputs, fitted: FittedSpectrum, images: PackedDataset
) -> Predictions:
  """Classifies the test images of a dataset."""
  components = read_components(
    images,
    'test',
    fitted.projection,
    num_threads=inputs.config.data.num_threads,
  )
  rows = np.arange(len(components))
  return classify_spectra(fitted, components, rows, images.test, inputs.dataset)
