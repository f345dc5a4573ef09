"""Classifies images by the whitened components of their spectra."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from owdfa_jax.spectrum.kmeans import (
  OVERCLUSTERING,
  semi_supervised_kmeans,
  squared_distances,
  unit_rows,
)
from owdfa_jax.spectrum.shrinkage import choose_shrinkage
from owdfa_jax.spectrum.whitening import (
  row_chunks,
  within_class_whitening,
)

_RESTARTS = 3
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

  @property
  def num_outputs(self) -> int:
    """The number of outputs, K."""

  def log_probability(self, components: np.ndarray) -> np.ndarray:
    """Returns float32 [N, K] for whitened components, float32 [N, C]."""


@dataclasses.dataclass(frozen=True)
class NearestCentre:
  """Classifies by the nearest whitened centre; see `fit_clusters`.

  Attributes:
    whitening: float32 [C, C], see `within_class_whitening`.
    centres: float32 [K, C]; those of known classes come first.
    temperature: the squared distance that counts as one nat.
    facts: see `SpectrumModel`.
  """

  whitening: np.ndarray
  centres: np.ndarray
  temperature: float
  facts: Mapping[str, Any]

  @property
  def num_outputs(self) -> int:
    """The number of outputs, K."""
    return len(self.centres)

  def log_probability(self, components: np.ndarray) -> np.ndarray:
    """Returns float32 [N, K]: log softmax of minus squared distances."""
    rows = unit_rows(components @ self.whitening)
    parts = [
      _log_softmax(-squared_distances(part, self.centres) / self.temperature)
      for part in row_chunks(rows)
    ]
    return np.concatenate(parts)


@dataclasses.dataclass(frozen=True)
class Regression:
  """Classifies by logistic regression; see `fit_regression`.

  Attributes:
    weight: float32 [C, K].
    bias: float32 [K].
    facts: see `SpectrumModel`.
  """

  weight: np.ndarray
  bias: np.ndarray
  facts: Mapping[str, Any]

  @property
  def num_outputs(self) -> int:
    """The number of outputs, K."""
    return len(self.bias)

  def log_probability(self, components: np.ndarray) -> np.ndarray:
    """Returns float32 [N, K]."""
    return _log_softmax(components @ self.weight + self.bias)


def fit_clusters(
  components: np.ndarray, label: np.ndarray, num_classes: int, seed: int
) -> NearestCentre:
  """Whitens the components, clusters the rows, and returns their centres.

  Args:
    components: float32 [N, C], whitened, of the training rows.
    label: int [N], a known class, or -1 on an unlabelled row. Every known class
      has a labelled row.
    num_classes: K, the number of known and novel classes.
    seed: draws the first centres, and the classes to hold out.
  """
  choice = choose_shrinkage(components, label, seed)
  whitening = within_class_whitening(components, label, choice.shrinkage)
  rows = unit_rows(components @ whitening)
  found = semi_supervised_kmeans(
    rows,
    label,
    num_known=int(label.max(initial=-1)) + 1,
    num_clusters=num_classes,
    seed=(seed,),
    num_restarts=_RESTARTS,
    overclustering=OVERCLUSTERING,
  )
  facts = {
    'classifier': 'nearest centre of semi-supervised k-means',
    'components': components.shape[1],
    'shrinkage': choice.shrinkage,
    'shrinkage_chosen_by': choice.reason,
    'held_out_accuracy': choice.accuracy,
  }
  return NearestCentre(
    whitening=whitening,
    centres=found.centres,
    temperature=_fit_temperature(rows, label, found.centres),
    facts=facts,
  )


def fit_regression(
  components: np.ndarray, label: np.ndarray, num_classes: int
) -> Regression:
  """Fits a logistic regression, with all labels given.

  Args:
    components: float32 [N, C], whitened, of the training rows.
    label: int [N], the class of each row; every class has one.
    num_classes: K.
  """
  # scikit-learn takes a second to load.
  from sklearn.linear_model import LogisticRegression

  facts = {
    'classifier': 'logistic regression, all labels given',
    'components': components.shape[1],
  }
  weight = np.zeros((components.shape[1], num_classes), np.float32)
  bias = np.zeros(num_classes, np.float32)
  if num_classes > 1:
    found = LogisticRegression(C=_REGRESSION_C, max_iter=1000)
    found.fit(components, label)
    if num_classes == 2:
      # Of two classes scikit-learn has the weights of the second alone.
      weight[:, 1], bias[1] = found.coef_[0], found.intercept_[0]
    else:
      weight[:], bias[:] = found.coef_.T, found.intercept_
  return Regression(weight, bias, facts)


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
