"""A method whose loss is not finite on chosen batches."""

import dataclasses

import jax.numpy as jnp
import numpy as np
from typing_extensions import override

from owdfa_jax.methods.supervised import Supervised
from owdfa_jax.training.loop import open_batches


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Diverging(Supervised):
  """Cross entropy, times `value` on the batches whose rows are `batches`.

  Attributes:
    batches: int [N, B], the rows of each of these batches, in order.
    value: what the loss is multiplied by there.
  """

  batches: np.ndarray
  value: float = float('nan')

  @override
  def loss(self, context):
    loss, extras = super().loss(context)
    same = jnp.all(context.labels.index == self.batches, axis=1)
    factor = jnp.where(jnp.any(same), self.value, 1.0)
    return loss * factor, extras


def diverge_at(experiment, *steps):
  """Returns the experiment with a method that diverges at the steps given.

  Args:
    experiment: of `configs/lower_bound.py`.
    *steps: numbers of steps, from 1.
  """
  stream = open_batches(experiment, 0)
  rows = [next(stream)['index'] for _ in range(max(steps))]
  stream.close()
  batches = np.stack([rows[step - 1] for step in steps])
  return dataclasses.replace(experiment, method=Diverging(batches=batches))
