"""What a method is: a pure function from outputs of the network to a loss."""

import abc
import dataclasses
from typing import Any

import flax
import jax

from input_pipeline.errors import UserError
from owdfa_jax.models.outputs import Branches, Head, Outputs


@flax.struct.dataclass
class Rows:
  """What a loss may know of a batch besides the network's outputs.

  The true labels of unlabelled rows are not among it, so no loss can read
  them.

  Attributes:
    label: int32 [B], the class of a labelled row, -1 on an unlabelled one.
    index: int32 [B], the row of the training split.
  """

  label: jax.Array
  index: jax.Array

  @property
  def labelled(self) -> jax.Array:
    """Bool [B], the rows whose label is given."""
    return self.label >= 0


@flax.struct.dataclass
class Clock:
  """How far the training is, and of how many known classes.

  Attributes:
    epoch: int32 [], from 0.
    progress: float32 [], (epoch + 1) / epochs.
    num_known: known classes; their outputs come first.
  """

  epoch: jax.Array
  progress: jax.Array
  num_known: int = flax.struct.field(pytree_node=False)


@dataclasses.dataclass(frozen=True)
class Calendar:
  """How far a run is after so many steps."""

  num_known: int
  epochs: int
  steps_per_epoch: int

  def __call__(self, step: jax.Array) -> Clock:
    """Maps the steps taken, int32 [], to the clock of the next one."""
    epoch = step // self.steps_per_epoch
    return Clock(epoch, (epoch + 1) / self.epochs, self.num_known)


@flax.struct.dataclass
class Result:
  """What a loss leaves beside its value.

  Attributes:
    terms: for the log, by name, float32 [] each: the summands before
      weighting, and whatever else tells how it goes.
    state: the method's state after this step.
    partners: for each criterion by which the method pairs rows, the partner
      of each row; int32 [B] each, a row itself where it has none. Scored
      against the true labels for the log, never used again.
  """

  terms: dict[str, jax.Array]
  state: Any = ()
  partners: dict[str, jax.Array] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Method(abc.ABC):
  """Base of all methods; a subclass gives `loss` and, if it must, the rest."""

  @property
  def views(self) -> tuple[str, ...]:
    """The augmented views of a batch that `loss` gets the outputs of, names in
    `owdfa_jax.training.augment.VIEWS`; one forward pass each, in order.
    """
    return ('standard',)

  @property
  def branches(self) -> Branches:
    """What the network must compute besides logits and the global feature."""
    return Branches()

  def num_outputs(self, num_known: int) -> int | None:
    """The width of the head where the method does not take it from the number
    of classes, known and novel, but finds that number out; else None.
    """
    del num_known

  def init(self, num_outputs: int, num_examples: int) -> Any:
    """Returns the method's state before the first step, a pytree.

    Args:
      num_outputs: K, the width of the head.
      num_examples: size of the training split, which `Rows.index` points into.
    """
    del num_outputs, num_examples
    return ()

  @abc.abstractmethod
  def loss(
    self,
    outputs: tuple[Outputs, ...],
    rows: Rows,
    clock: Clock,
    state: Any,
    key: jax.Array,
  ) -> tuple[jax.Array, Result]:
    """Returns the loss of a global batch, float32 [], and its by-products.

    Args:
      outputs: of the network, one for each of `views`.
      rows: labels and indices of the batch's rows.
      clock: how far the training is.
      state: as `init`, the previous step or the last epoch's end left it.
      key: for whatever the method draws in this step.
    """

  def end_epoch(self, state: Any, head: Head, clock: Clock) -> tuple[Any, Head]:
    """Returns state and head for the next epoch; as they were by default.

    `clock` is that of the epoch's steps. A change of the head shows in
    networks with `Branches.prunable` alone.
    """
    del clock
    return state, head


def check_at_least(least: float, **settings: float) -> None:
  """`UserError` naming a method's setting that is less than `least`."""
  for name, value in settings.items():
    if value < least:
      raise UserError(
        f'setting too small: --config.method.params.{name}={value}; give at '
        f'least {least}'
      )
