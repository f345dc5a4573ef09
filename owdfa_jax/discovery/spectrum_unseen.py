"""Images of no source, told by spectra, without a network."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np

from input_pipeline.dataset import PackedDataset, open_dataset
from input_pipeline.errors import UserError
from owdfa_jax.evaluation.new_images import UNSEEN_SETTING, is_packed
from owdfa_jax.evaluation.predictions import Predictions
from owdfa_jax.evaluation.sources_file import SeenSources
from owdfa_jax.evaluation.unseen import (
  SourceDensities,
  fit_densities,
  unseen_score,
)
from owdfa_jax.evaluation.unseen_report import unseen_fields
from owdfa_jax.settings import RunInputs
from owdfa_jax.spectrum.model import SpectrumModel
from owdfa_jax.spectrum.reading import mean_by_group, read_components
from owdfa_jax.spectrum.whitening import Projection


def fit_spectrum_densities(
  model: SpectrumModel, scores: np.ndarray, label: np.ndarray
) -> SourceDensities:
  """Fits a Gaussian to the components of each source.

  Args:
    model: the classifier, which assigns the unlabelled rows.
    scores: float32 [N, C], components of training rows or groups.
    label: int [N], -1 on an unlabelled row.
  """
  predicted = model.log_probability(scores).argmax(1)
  assigned = np.where(label >= 0, label, predicted).astype(np.int32)
  return fit_densities(
    jnp.asarray(scores), jnp.asarray(assigned), model.num_outputs
  )


def spectrum_unseen_fields(
  inputs: RunInputs,
  components: Projection,
  model: SpectrumModel,
  densities: SourceDensities,
  predictions: Predictions,
) -> dict[str, Any]:
  """Returns what the report of a spectrum says about images of no source.

  Args:
    inputs: of the run.
    components: the map from features to components.
    model: the classifier.
    densities: what `fit_spectrum_densities` returned.
    predictions: for `eval.split`, with their `unseen_score`.

  Raises:
    UserError: `eval.unseen_path` is a folder of images, or a record is damaged.
  """
  config, dataset = inputs.config, inputs.dataset

  def predict(images: PackedDataset) -> Predictions:
    scores = read_components(
      images, 'test', components, num_threads=config.data.num_threads
    )
    blank = np.zeros(len(scores), np.float32)
    confidence = np.exp(model.log_probability(scores).max(1))
    rows = np.arange(len(scores), dtype=np.int32)
    found = Predictions(rows, rows, confidence, blank)
    verdicts = None
    if images.test.has_groups:
      means, _ = mean_by_group(scores, images.test.group)
      best = np.exp(model.log_probability(means).max(1))
      ids = np.arange(len(means), dtype=np.int32)
      verdicts = score_spectra(
        Predictions(ids, ids, best, best), densities, means
      )
    found = score_spectra(found, densities, scores)
    return dataclasses.replace(found, verdicts=verdicts)

  others = []
  if dataset.unseen is not None and len(dataset.unseen):
    others.append(predict(dataclasses.replace(dataset, test=dataset.unseen)))
  path = config.eval.unseen_path
  if path and not is_packed(path):
    raise UserError(
      f'not a packed directory: {UNSEEN_SETTING}={path}: a spectrum reads '
      'packed images alone; pack the folder'
    )
  if path:
    others.append(predict(open_dataset(path)))
  held_out = predictions if config.eval.split == 'test' else None
  if held_out is None:
    if not len(dataset.test):
      return {}
    held_out = predict(dataset)
  score, verdicts = held_out.unseen_score, held_out.verdicts
  assert score is not None
  by_group = score if verdicts is None else verdicts.unseen_score
  assert by_group is not None
  seen = SeenSources(densities, np.sort(score), np.sort(by_group))
  return unseen_fields(seen, predictions, others, config.eval.false_alarm_rate)


def score_spectra(
  predictions: Predictions, densities: SourceDensities, scores: np.ndarray
) -> Predictions:
  """Returns predictions with their `unseen_score`.

  Args:
    predictions: for N images or groups.
    densities: of the sources.
    scores: float32 [N, C], their components.
  """
  found = np.asarray(unseen_score(densities, jnp.asarray(scores)))
  return dataclasses.replace(predictions, unseen_score=found)
