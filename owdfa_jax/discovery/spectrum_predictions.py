"""Predictions for packed images by their spectra, without a network."""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from input_pipeline.dataset import PackedDataset, Split
from owdfa_jax.evaluation.predictions import Predictions, real_classes
from owdfa_jax.evaluation.unseen import (
  SourceDensities,
  fit_densities,
  unseen_score,
)
from owdfa_jax.spectrum.group_means import group_means
from owdfa_jax.spectrum.model import SpectrumModel
from owdfa_jax.spectrum.whitening import Projection


class FittedSpectrum(NamedTuple):
  """What a run without a network fits to its training images.

  Attributes:
    projection: the map from features to whitened components.
    model: the classifier of components.
    densities: a Gaussian among the components for each output.
  """

  projection: Projection
  model: SpectrumModel
  densities: SourceDensities


def fit_spectrum_densities(
  model: SpectrumModel, components: np.ndarray, label: np.ndarray
) -> SourceDensities:
  """Fits a Gaussian to the components of each source.

  Args:
    model: the classifier, which assigns the unlabelled rows.
    components: float32 [N, C], of training rows or groups.
    label: int [N], -1 on an unlabelled row.
  """
  predicted = model.log_probability(components).argmax(1)
  assigned = np.where(label >= 0, label, predicted).astype(np.int32)
  return fit_densities(
    jnp.asarray(components), jnp.asarray(assigned), model.num_outputs
  )


def classify_spectra(
  fitted: FittedSpectrum,
  components: np.ndarray,
  rows: np.ndarray,
  split: Split,
  dataset: PackedDataset,
) -> Predictions:
  """Classifies images, and groups of them by the mean of their spectra.

  Args:
    fitted: the classifier.
    components: float32 [N, C].
    rows: int [N], the rows of the split.
    split: the split.
    dataset: of the run, whose classes the outputs are.
  """
  predictions = _classify(fitted, components, rows, dataset)
  if not split.has_groups:
    return predictions
  means, first = group_means(components, split.group[rows])
  verdicts = _classify(fitted, means, rows[first], dataset)
  return dataclasses.replace(predictions, verdicts=verdicts)


def _classify(
  fitted: FittedSpectrum,
  components: np.ndarray,
  rows: np.ndarray,
  dataset: PackedDataset,
) -> Predictions:
  probability = np.exp(fitted.model.log_probability(components))
  real = real_classes(dataset)
  score = unseen_score(fitted.densities, jnp.asarray(components))
  return Predictions(
    row=rows.astype(np.int32),
    predicted=probability.argmax(1).astype(np.int32),
    confidence=probability.max(1),
    fake_probability=1 - probability[:, real].sum(1),
    novel_probability=probability[:, dataset.num_known :].sum(1),
    unseen_score=np.asarray(score),
  )
