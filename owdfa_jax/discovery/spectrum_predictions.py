"""Predictions for packed images by their spectra, without a network."""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from input_pipeline.dataset import PackedDataset, Split
from owdfa_jax.evaluation.predictions import Predictions
from owdfa_jax.evaluation.source_names import real_classes
from owdfa_jax.evaluation.sources_file import SeenSources
from owdfa_jax.evaluation.threshold_rows import (
  NUM_FOLDS,
  draw_folds,
  threshold_rows,
)
from owdfa_jax.evaluation.unseen import (
  cross_fitted_scores,
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
    seen: a Gaussian among the components for each output, and the scores
      that set the threshold of images of none.
  """

  projection: Projection
  model: SpectrumModel
  seen: SeenSources


def fit_spectrum_sources(
  model: SpectrumModel,
  components: np.ndarray,
  label: np.ndarray,
  rows: np.ndarray,
  place: np.ndarray,
) -> SeenSources:
  """Fits a Gaussian to the components of each source.

  Args:
    model: the classifier, which assigns what has no label.
    components: float32 [G, C], of training groups: their means.
    label: int [G], -1 on an unlabelled group.
    rows: float32 [N, C], the components of the rows.
    place: int [N], the place of each row's group among the G.
  """
  predicted = model.log_probability(components).argmax(1)
  assigned = np.where(label >= 0, label, predicted).astype(np.int32)
  is_scored, scored = threshold_rows(label >= 0, np.arange(len(label)))
  fold = draw_folds(np.arange(len(label)))
  of_row = is_scored[place]
  verdict_score, image_score = (
    np.sort(
      cross_fitted_scores(
        jnp.asarray(components),
        jnp.asarray(assigned),
        jnp.asarray(fold),
        jnp.asarray(points),
        point_fold,
        model.num_outputs,
        NUM_FOLDS,
      )
    )
    for points, point_fold in (
      (components[is_scored], fold[is_scored]),
      (rows[of_row], fold[place][of_row]),
    )
  )
  densities = fit_densities(
    jnp.asarray(components), jnp.asarray(assigned), model.num_outputs
  )
  return SeenSources(densities, image_score, verdict_score, scored)


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
  score = unseen_score(fitted.seen.densities, jnp.asarray(components))
  return Predictions(
    row=rows.astype(np.int32),
    predicted=probability.argmax(1).astype(np.int32),
    confidence=probability.max(1),
    fake_probability=1 - probability[:, real].sum(1),
    novel_probability=probability[:, dataset.num_known :].sum(1),
    unseen_score=np.asarray(score),
  )
