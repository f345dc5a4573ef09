"""Bootstrap intervals: how much figures depend on the images that were drawn.

Units, single images or whole groups of them, are drawn again with replacement.
Every draw is a weight for each unit, so that figures come from weighted counts,
many draws at a time.

References:
  Efron and Tibshirani, "An introduction to the bootstrap", 1993, ch. 10
  (bias) and 13 (percentile intervals).
"""

import dataclasses
from typing import Any

import numpy as np

from owdfa_jax.evaluation.weighted_figures import (
  MeasuredRows,
  WeightedFigures,
)

LEVEL = 0.95
NUM_DRAWS = 400
_SEED = 0
# Numbers of one array of weights that is in memory at a time.
_MOST_WEIGHTS = 4_000_000


def bootstrap_intervals(
  rows: MeasuredRows, num_known: int, num_draws: int = NUM_DRAWS
) -> dict[str, Any] | None:
  """Returns intervals of the main figures, by the bootstrap.

  An interval has the quantiles of the draws, moved by what the mean of the
  draws differs from the figure.

  Outputs are matched to classes once, on all rows, and every draw keeps that
  matching: a figure says how often a cluster's name is right, and the name does
  not change with the draw. Matching each draw anew would favour chance matches.

  Args:
    rows: the evaluated rows, in the units that are drawn.
    num_known: the number of known classes.
    num_draws: how many draws the intervals come from.

  Returns:
    None with fewer than two units. Otherwise a dict for JSON: `level`, the
    share of draws in an interval; `draws`, `seed`; `num_units`, how many
    units were drawn from; and `figures`, [lowest, highest] by the figure's
    name, without figures that the data cannot give.
  """
  unit, count = np.unique(rows.unit, return_inverse=True)
  if len(unit) < 2:
    return None
  rows = dataclasses.replace(rows, unit=count.reshape(-1))
  generator = np.random.default_rng(_SEED)
  at_a_time = max(1, min(num_draws, _MOST_WEIGHTS // len(unit)))
  weighted = WeightedFigures(rows, num_known, len(unit))
  found = []
  for start in range(0, num_draws, at_a_time):
    weight = draw_weights(
      generator, len(unit), min(at_a_time, num_draws - start)
    )
    found.append(weighted.of(weight))
  whole = weighted.of(np.ones((1, len(unit))))
  figures = {}
  for name in found[0]:
    values = np.concatenate([each[name] for each in found])
    # A draw that lacks the images of a figure does not count.
    values = values[np.isfinite(values)]
    if len(values):
      least = -1 if name.endswith('ari') else 0
      figures[name] = _interval(float(whole[name][0]), values, least)
  return {
    'level': LEVEL,
    'draws': num_draws,
    'seed': _SEED,
    'num_units': len(unit),
    'figures': figures,
  }


def _interval(figure: float, drawn: np.ndarray, least: float) -> list[float]:
  """Returns the interval of a figure, [lowest, highest].

  Args:
    figure: of the rows as they are.
    drawn: float [D], of the draws.
    least: the least value that the figure can have; the most is 1.
  """
  tail = (1 - LEVEL) / 2
  # Draws repeat images, and a repeated image agrees with itself: NMI and ARI of
  # draws are too high. Only their spread counts.
  moved = np.quantile(drawn, [tail, 1 - tail]) + figure - drawn.mean()
  return np.clip(moved, least, 1).tolist()


def draw_weights(
  generator: np.random.Generator, num_units: int, num_draws: int
) -> np.ndarray:
  """Returns how often each draw has each unit, float64 [num_draws, num_units].

  Args:
    generator: the source of random numbers.
    num_units: U; each draw takes U units with replacement.
    num_draws: the number of draws.
  """
  drawn = generator.integers(0, num_units, (num_draws, num_units))
  weight = np.empty((num_draws, num_units))
  for of_draw, units in zip(weight, drawn, strict=True):
    of_draw[:] = np.bincount(units, minlength=num_units)
  return weight
