"""The interface of pseudo-label rules.

A rule is a frozen dataclass that selects unlabelled rows and gives them labels,
for any method. Its state is a pytree of fixed shapes, and it carries no
gradient. `losses.pseudo_label_loss` has the loss that goes with it.
"""

from typing import Any, Protocol

import jax


class Rule(Protocol):
  """What a pseudo-label rule offers."""

  def init(self, num_classes: int, num_examples: int) -> Any:
    """Returns the state before the first step; empty by default.

    Args:
      num_classes: K, the width of the logits.
      num_examples: size of the training split, which `index` points into.
    """
    del num_classes, num_examples
    return ()

  def __call__(
    self, state: Any, logits: jax.Array, index: jax.Array, unlabelled: jax.Array
  ) -> tuple[jax.Array, jax.Array, Any]:
    """Selects rows and their labels, and updates the state.

    Args:
      state: as `init` or the previous call returned it.
      logits: float [B, K].
      index: int [B], each row's place in the training split.
      unlabelled: bool [B], the rows to select from.

    Returns:
      The selected rows, bool [B], False on labelled rows; the predicted
      classes, int32 [B]; the new state.
    """
    ...
