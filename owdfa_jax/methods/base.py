"""What a method is: a pure function from outputs of the network to a loss."""

import abc
import dataclasses
from typing import Any, ClassVar

import flax
import jax

from owdfa_jax.models.outputs import Outputs


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
class Result:
  """What a loss leaves beside its value.

  Attributes:
    terms: the summands before weighting, by name; float32 [] each.
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
  """Base of all methods; a subclass gives `loss` and, if it must, the rest.

  Attributes:
    views: the augmented views of a batch that `loss` gets the outputs of,
      names in `owdfa_jax.augment.VIEWS`; one forward pass each, in order.
    grids: sides of the local grids that the network must compute.
    wavelet: whether it must compute the wavelet bands.
  """

  views: ClassVar[tuple[str, ...]] = ('standard',)
  grids: ClassVar[tuple[int, ...]] = ()
  wavelet: ClassVar[bool] = False

  def init(self, num_classes: int, num_examples: int) -> Any:
    """Returns the method's state before the first step, a pytree."""
    del num_classes, num_examples
    return ()

  @abc.abstractmethod
  def loss(
    self,
    outputs: tuple[Outputs, ...],
    rows: Rows,
    state: Any,
    key: jax.Array,
  ) -> tuple[jax.Array, Result]:
    """Returns the loss of a global batch, float32 [], and its by-products.

    Args:
      outputs: of the network, one for each of `views`.
      rows: labels and indices of the batch's rows.
      state: as `init` or the previous step left it.
      key: for whatever the method draws in this step.
    """
