"""What the two items of a checkpoint hold, and what selects the best one."""

import math
from typing import Any

from owdfa_jax.report_fields import SELECTION_SCORE, with_current_names
from owdfa_jax.training.saved_steps import is_finite
from owdfa_jax.training.state import TrainState


def model_item(state: TrainState) -> dict[str, Any]:
  """Returns what evaluation needs of a state."""
  return {'params': state.params, 'batch_stats': state.batch_stats}


def train_item(state: TrainState) -> dict[str, Any]:
  """Returns the rest of a state."""
  # These keys are the format on disk; 'method' is older than `method_state`.
  return {
    'step': state.step,
    'opt_state': state.opt_state,
    'method': state.method_state,
  }


def score_to_select_by(metrics: dict[str, Any]) -> float:
  """Returns the selection score of an evaluation; -inf if it is not finite."""
  score = with_current_names(metrics).get(SELECTION_SCORE)
  # Earlier versions saved scores that are not finite; none of them is the best.
  return score if is_finite(score) else -math.inf
