"""The report of a training step: its numbers, for the host."""

import math

import flax
import jax

from owdfa_jax.parallel import to_host


@flax.struct.dataclass(kw_only=True)
class StepReport:
  """The numbers of one step, on the devices.

  A number that is not finite has one of two meanings: the step diverged
  (`numbers`), or a mean has no rows (`shares`).

  Attributes:
    numbers: float32 [] by name: the loss, its terms, the gradient's norm, the
      learning rate. All are finite unless the step diverged.
    shares: float32 [] by name: how well the method pairs rows; NaN for a share
      of no rows.
    finite: bool [] by name: whether each of `numbers` and each part of the new
      state is finite.
    taken: bool [], whether all of `finite` hold. If not, the step has left the
      parameters, statistics, optimiser and method as they were.
  """

  numbers: dict[str, jax.Array]
  shares: dict[str, jax.Array]
  finite: dict[str, jax.Array]
  taken: jax.Array


def was_taken(report: StepReport) -> bool:
  """Returns whether the step changed the state; waits until it is computed."""
  return bool(to_host(report.taken))


def names_not_finite(report: StepReport) -> list[str]:
  """Returns which of `report.finite` are False: the loss first.

  A part of the state is named only where all numbers are finite, since it
  follows from them.
  """
  finite = to_host(report.finite)
  names = [name for name, holds in finite.items() if not holds]
  # Under `jit` a dict comes back sorted by name.
  names.sort(key=lambda name: (name != 'loss', name == 'gradient_norm'))
  return [name for name in names if name in report.numbers] or names


def as_scalars(report: StepReport) -> dict[str, float | None]:
  """Returns the scalars for the log, as Python numbers.

  A share of no rows is None. A number of a step that diverged may be infinite
  or NaN; its shares are left out, since such a network pairs rows at random.
  """
  numbers, shares = to_host((report.numbers, report.shares))
  if not was_taken(report):
    shares = {}
  scalars: dict[str, float | None] = {
    f'train/{name}': float(x) for name, x in numbers.items()
  }
  for name, x in shares.items():
    scalars[f'train/{name}'] = None if math.isnan(x) else float(x)
  return scalars
