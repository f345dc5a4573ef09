"""The interface between the training loop and the evaluation after an epoch.

Training does not import evaluation. Callers pass the loop a function that makes
an evaluator; `owdfa_jax.evaluation.epoch_evaluator` has the one in use.
"""

import dataclasses
from collections.abc import Callable
from typing import Protocol

from flax import nnx

from owdfa_jax.experiment import Experiment
from owdfa_jax.training.state import TrainState


@dataclasses.dataclass(frozen=True)
class EpochResult:
  """What an evaluation found after an epoch.

  Attributes:
    metrics: number by name; None where a metric does not apply. The metric
      `selection_score` decides which checkpoint is the best: higher is better.
    summary: one line for the user, without a newline.
  """

  metrics: dict[str, float | None]
  summary: str


class Evaluator(Protocol):
  """Evaluates the network between epochs.

  The training loop forbids implicit transfers from the host to the devices in
  the meantime; `Placement.put_batch` may be used.
  """

  def evaluate_epoch(self, step: int, train_state: TrainState) -> EpochResult:
    """Returns the metrics of the network in `train_state`.

    Args:
      step: the number of steps taken.
      train_state: the state after them; it must not be donated.
    """
    ...


MakeEvaluator = Callable[[Experiment, nnx.GraphDef], Evaluator]
