"""The base class of training methods, and what their losses work on.

A method is a pure function from the network's outputs for a batch to a loss,
and, where it needs one, a state that the training carries from step to step.
"""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any

import flax
import jax

from owdfa_jax.models.outputs import Branches, Head, Outputs


@flax.struct.dataclass(kw_only=True)
class VisibleLabels:
  """The labels of a batch, as far as a loss may know them.

  The true labels of unlabelled rows are absent, so that no loss can read them.
  The groups of rows are absent because no loss needs them: the partner of a
  tile may be another tile of its image, which is of the same source.

  Attributes:
    label: int32 [B], the class of a labelled row, -1 for an unlabelled one.
    index: int32 [B], the row of the training split.
  """

  label: jax.Array
  index: jax.Array

  @property
  def labelled(self) -> jax.Array:
    """Bool [B], the rows that have a label."""
    return self.label >= 0


@flax.struct.dataclass(kw_only=True)
class EpochInfo:
  """What a loss knows about the run: how far it is, and the known classes.

  Attributes:
    epoch: int32 [], the current epoch, from 0.
    progress: float32 [], (epoch + 1) / epochs.
    num_known: number of known classes; their outputs come first.
  """

  epoch: jax.Array
  progress: jax.Array
  # Static: the compiled step may depend on its value.
  num_known: int = flax.struct.field(pytree_node=False)


def make_epoch_info_at(
  num_known: int, epochs: int, steps_per_epoch: int
) -> Callable[[jax.Array], EpochInfo]:
  """Returns a function from the steps taken to the next step's epoch.

  The number of steps is int32 [].

  Args:
    num_known: number of known classes.
    epochs: length of the training.
    steps_per_epoch: steps of each epoch.
  """

  def epoch_info_at(step: jax.Array) -> EpochInfo:
    epoch = step // steps_per_epoch
    # Progress counts epochs from 1, as CAL's code does, so it ends at 1.
    return EpochInfo(
      epoch=epoch, progress=(epoch + 1) / epochs, num_known=num_known
    )

  return epoch_info_at


@flax.struct.dataclass(kw_only=True)
class Context:
  """All that a loss is computed from.

  Attributes:
    outputs: the network's outputs, one for each of `Method.views`.
    labels: labels and indices of the batch.
    epoch_info: the epoch of this step, and the number of known classes.
    state: the method's state, as `Method.init`, the previous step or the last
      `Method.end_epoch` returned it.
    key: random key for this step's draws.
    mesh: the devices that the rows of the batch are split over, for losses that
      compare all rows with all rows; None for one device.
  """

  outputs: tuple[Outputs, ...]
  labels: VisibleLabels
  epoch_info: EpochInfo
  state: Any
  key: jax.Array
  mesh: jax.sharding.Mesh | None = flax.struct.field(
    pytree_node=False, default=None
  )


@flax.struct.dataclass(kw_only=True)
class LossExtras:
  """What a loss returns besides its value.

  Attributes:
    terms: numbers for the log by name, float32 [] each: the summands before
      weighting, and whatever else shows how the training goes.
    state: the method's state after this step.
    partners: for each criterion by which the method pairs rows, int32 [B]: the
      partner of each row, or the row itself if it has none. The log compares
      them with the true labels; training never uses them again.
  """

  terms: dict[str, jax.Array]
  state: Any = ()
  partners: dict[str, jax.Array] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Method(abc.ABC):
  """Base class of all methods; only `loss` must be implemented.

  A method is a frozen dataclass that also inherits its parameters from
  `owdfa_jax.methods.parameters`.
  """

  @property
  def views(self) -> tuple[str, ...]:
    """The augmented views of a batch that `loss` compares.

    Names of `owdfa_jax.training.views.VIEW_NAMES`. Each view is a forward pass
    of its own, in this order.
    """
    return ('standard',)

  @property
  def branches(self) -> Branches:
    """What the network must compute besides logits and the global feature."""
    return Branches()

  def num_outputs(self, num_known: int) -> int | None:
    """Returns the width of the head, for methods that estimate the classes.

    None, the default, means one output for each known and novel class.

    Args:
      num_known: number of known classes.
    """
    del num_known

  def init(self, num_outputs: int, num_examples: int) -> Any:
    """Returns the method's state before the first step, a pytree.

    Args:
      num_outputs: K, the width of the head.
      num_examples: size of the training split, which `VisibleLabels.index`
        points into.
    """
    del num_outputs, num_examples
    return ()

  @abc.abstractmethod
  def loss(self, context: Context) -> tuple[jax.Array, LossExtras]:
    """Returns the loss of a global batch, float32 [], and its extras."""

  def end_epoch(
    self, state: Any, head: Head, epoch_info: EpochInfo
  ) -> tuple[Any, Head]:
    """Returns the state and the head for the next epoch; unchanged by default.

    Args:
      state: the method's state after the epoch's last step.
      head: the network's last layer. A changed head takes effect only in
        networks with `Branches.prunable`.
      epoch_info: the epoch that ends.
    """
    del epoch_info
    return state, head
