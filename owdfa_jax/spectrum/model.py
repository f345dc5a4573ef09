"""Classifies images by their spectra: fits on training rows, scores others."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from owdfa_jax.spectrum.clustering import (
  constrained_kmeans,
  squared_distances,
  unit_rows,
)
from owdfa_jax.spectrum.shrinkage import choose_shrinkage
from owdfa_jax.spectrum.whitening import (
  Projection,
  row_chunks,
  whitened_components,
  within_class_whitening,
)

_RESTARTS = 10
# Labelled rows that the temperature is fitted to.
_MOST_ROWS = 10_000
# Bounds of the temperature. Squared distances of unit vectors are at most 4.
_LOG_TEMPERATURES = -6.0, 3.0
# The inverse weight of the L2 penalty, for components of variance 1.
_REGRESSION_C = 0.1


class SpectrumModel(Protocol):
  """Gives each image a probability for each output."""

  @property
  def facts(self) -> Mapping[str, Any]:
    """How it was made, for a report: a dict for JSON."""

  def log_probability(self, features: np.ndarray) -> np.ndarray:
    """Returns float32 [N, K] for float32 [N, D] features."""


@dataclasses.dataclass(frozen=True)
class NearestCentre:
  """Classifies by the nearest whitened centre; see `fit_clusters`.

  Attributes:
    projection: the map to whitened components.
    centres: float32 [K, C]; those of known classes come first.
    temperature: the squared distance that counts as one nat.
    facts: see `SpectrumModel`.
  """

  projection: Projection
  centres: np.ndarray
  temperature: float
  facts: Mapping[str, Any]

  def log_probability(self, features: np.ndarray) -> np.ndarray:
    """Returns float32 [N, K]: log softmax of minus squared distances."""
    rows = unit_rows(self.projection(features))
    parts = [
      _log_softmax(-squared_distances(part, self.centres) / self.temperature)
      for part in row_chunks(rows)
    ]
    return np.concatenate(parts)


@dataclasses.dataclass(frozen=True)
class Regression:
  """Classifies by logistic regression; see `fit_regression`.

  Attributes:
    projection: the map to whitened components.
    weight: float32 [C, K].
    bias: float32 [K].
    facts: see `SpectrumModel`.
  """

  projection: Projection
  weight: np.ndarray
  bias: np.ndarray
  facts: Mapping[str, Any]

  def log_probability(self, features: np.ndarray) -> np.ndarray:
    """Returns float32 [N, K]."""
    return _log_softmax(self.projection(features) @ self.weight + self.bias)


def fit_clusters(
  features: np.ndarray,
  label: np.ndarray,
  num_classes: int,
  num_components: int,
  seed: int,
) -> NearestCentre:
  """Fits whitened components, clusters the rows, and returns their centres.

  Args:
    features: float32 [N, D] of the training rows.
    label: int [N], a known class, or -1 on an unlabelled row. Every known class
      has a labelled row.
    num_classes: K, the number of known and novel classes.
    num_components: the largest number of components.
    seed: draws the first centres, and the classes to hold out.
  """
  components = whitened_components(features, num_components)
  scores = components(features)
  choice = choose_shrinkage(scores, label, num_classes, seed)
  whitening = within_class_whitening(scores, label, choice.shrinkage)
  rows = unit_rows(scores @ whitening)
  found = constrained_kmeans(
    rows, label, num_classes, (seed,), num_restarts=_RESTARTS
  )
  facts = {
    'classifier': 'nearest centre of semi-supervised k-means',
    'components': scores.shape[1],
    'shrinkage': choice.shrinkage,
    'shrinkage_chosen_by': choice.reason,
    'held_out_accuracy': choice.accuracy,
  }
  return NearestCentre(
    projection=components.then(whitening),
    centres=found.centres,
    temperature=_fit_temperature(rows, label, found.centres),
    facts=facts,
  )


def fit_regression(
  features: np.ndarray,
  label: np.ndarray,
  num_classes: int,
  num_components: int,
) -> Regression:
  """Fits whitened components and a logistic regression, with all labels given.

  Args:
    features: float32 [N, D] of the training rows.
    label: int [N], the class of each row; every class has one.
    num_classes: K.
    num_components: the largest number of components.
  """
  # scikit-learn takes a second to load.
  from sklearn.linear_model import LogisticRegression

  components = whitened_components(features, num_components)
  scores = components(features)
  facts = {
    'classifier': 'logistic regression, all labels given',
    'components': scores.shape[1],
  }
  weight = np.zeros((scores.shape[1], num_classes), np.float32)
  bias = np.zeros(num_classes, np.float32)
  if num_classes > 1:
    found = LogisticRegression(C=_REGRESSION_C, max_iter=1000)
    found.fit(scores, label)
    if num_classes == 2:
      # Of two classes scikit-learn has the weights of the second alone.
      weight[:, 1], bias[1] = found.coef_[0], found.intercept_[0]
    else:
      weight[:], bias[:] = found.coef_.T, found.intercept_
  return Regression(components, weight, bias, facts)


def _fit_temperature(
  rows: np.ndarray, label: np.ndarray, centres: np.ndarray
) -> float:
  """Returns the temperature at which the labelled rows are most probable."""
  from scipy import optimize

  labelled = np.flatnonzero(label >= 0)
  labelled = labelled[:: 1 + len(labelled) // _MOST_ROWS]
  distance = squared_distances(rows[labelled], centres)

  def loss(log_temperature: float) -> float:
    log_probability = _log_softmax(-distance / np.exp(log_temperature))
    own = np.take_along_axis(log_probability, label[labelled][:, None], 1)
    return -float(own.mean())

  found = optimize.minimize_scalar(
    loss, bounds=_LOG_TEMPERATURES, method='bounded'
  )
  return float(np.exp(found.x))


def _log_softmax(logits: np.ndarray) -> np.ndarray:
  """Returns float32 [N, K]."""
  logits = logits - logits.max(1, keepdims=True)
  total = np.exp(logits).sum(1, keepdims=True)
  return (logits - np.log(total)).astype(np.float32)
