"""A temperature with which the confidence is the expected share of right names.

No label says how often a network is right about images of novel sources, and it
has learnt the labels that it was given by heart. So the share is estimated: how
often an image without a given label, and the image whose feature is nearest,
get the same name. Images of test splits take no part.

NumPy on the host.
"""

from typing import NamedTuple

import numpy as np

from owdfa_jax.report_fields import (
  HIGHEST_TEMPERATURE,
  LOWEST_TEMPERATURE,
  is_end_of_range,
)

_HALVINGS = 50
_ROWS_AT_A_TIME = 1024


class Calibration(NamedTuple):
  """Temperatures of a checkpoint's classifier, and what they are fitted to.

  Attributes:
    image: the temperature of a single image, above 0.
    verdict: that of the summed log-probabilities of a group.
    image_agreement: the share of images that got the name of the nearest one.
    verdict_agreement: the same of groups.
  """

  image: float
  verdict: float
  image_agreement: float
  verdict_agreement: float

  @property
  def failed(self) -> tuple[float, float] | None:
    """A temperature at an end of the range, and its agreement; None if none is.

    No temperature makes the mean confidence the agreement then.
    """
    fits = (
      (self.image, self.image_agreement),
      (self.verdict, self.verdict_agreement),
    )
    return next((fit for fit in fits if is_end_of_range(fit[0])), None)


def usable_or_failed(
  fitted: Calibration | None,
) -> tuple[Calibration | None, Calibration | None]:
  """Returns fitted temperatures as those to use, or as those of a failed fit.

  Args:
    fitted: the temperatures; None for none.
  """
  if fitted is None or fitted.failed is None:
    return fitted, None
  return None, fitted


def tempered(
  log_probability: np.ndarray, temperature: float | None
) -> np.ndarray:
  """Returns probabilities softmax(log p / T), float64 [N, K].

  Their order is that of the given ones.

  Args:
    log_probability: float [N, K], up to a constant in each row.
    temperature: T; None for 1.
  """
  scaled = log_probability.astype(np.float64) / (temperature or 1)
  # Relative to the largest, so that it does not vanish.
  scaled -= scaled.max(1, keepdims=True)
  np.exp(scaled, out=scaled)
  scaled /= scaled.sum(1, keepdims=True)
  return scaled


def fit_temperature(log_probability: np.ndarray, share: float) -> float:
  """Returns the temperature at which the mean confidence is a given share.

  The mean confidence falls as the temperature rises, so there is one at most.
  Without one, an end of the range is returned, see `is_end_of_range`.

  Args:
    log_probability: float [N, K], N at least 1.
    share: the expected share of right names, in [0, 1].
  """
  low, high = np.log(LOWEST_TEMPERATURE), np.log(HIGHEST_TEMPERATURE)
  for _ in range(_HALVINGS):
    middle = (low + high) / 2
    confidence = tempered(log_probability, np.exp(middle)).max(1)
    if confidence.mean() > share:
      low = middle
    else:
      high = middle
  return float(np.exp((low + high) / 2))


def agreement(
  place: np.ndarray, name: np.ndarray, group: np.ndarray, asked: np.ndarray
) -> float:
  """Returns the share of rows that have the name of the nearest other row.

  Args:
    place: float [N, D], unit vectors; the nearest has the largest cosine.
    name: int [N], the class or the output of each row.
    group: int [N]; rows of the same group are no neighbours.
    asked: bool [N], the rows that count, at least one. Their neighbours may be
      any rows.

  References:
    Guo et al., "On calibration of modern neural networks", ICML 2017
    (temperatures); Jiang et al., "Assessing generalization of SGD via
    disagreement", ICLR 2022 (accuracy estimated without labels).
  """
  rows = np.flatnonzero(asked)
  place = place.astype(np.float32)
  agreed = 0
  for start in range(0, len(rows), _ROWS_AT_A_TIME):
    part = rows[start : start + _ROWS_AT_A_TIME]
    cosine = place[part] @ place.T
    cosine[group[part, None] == group] = -np.inf
    agreed += int((name[cosine.argmax(1)] == name[part]).sum())
  return agreed / len(rows)


def calibrate(
  log_probability: np.ndarray,
  place: np.ndarray,
  name: np.ndarray,
  group: np.ndarray,
  asked: np.ndarray,
) -> tuple[float, float]:
  """Returns the temperature of rows, and the agreement that it is fitted to.

  Args:
    log_probability: float [N, K].
    place: see `agreement`.
    name: see `agreement`.
    group: see `agreement`.
    asked: see `agreement`.
  """
  share = agreement(place, name, group, asked)
  return fit_temperature(log_probability[asked], share), share
