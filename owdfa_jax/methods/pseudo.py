"""A pseudo-label rule as one more term of any method."""

import dataclasses
from typing import Any

import flax
import jax

from owdfa_jax.losses import common, pseudo_labels
from owdfa_jax.methods.base import Clock, Method, Result, Rows
from owdfa_jax.models.outputs import Branches, Head, Outputs


@flax.struct.dataclass
class States:
  """The state of the method and that of the rule."""

  method: Any
  rule: Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class WithPseudoLabels(Method):
  """Total = the method's + weight * mean over unlabelled rows of mask * CE.

  The rule sees the method's first view: the weak one, where there are two.

  Attributes:
    method: what the term is added to.
    rule: which rows to trust, and with what label.
    weight: eta of the released code.
  """

  method: Method
  rule: pseudo_labels.Rule
  weight: float = 0.5

  @property
  def views(self) -> tuple[str, ...]:
    """The method's."""
    return self.method.views

  @property
  def branches(self) -> Branches:
    """The method's."""
    return self.method.branches

  def num_outputs(self, num_known: int) -> int | None:
    """The method's."""
    return self.method.num_outputs(num_known)

  def init(self, num_outputs: int, num_examples: int) -> States:
    """Both states."""
    return States(
      self.method.init(num_outputs, num_examples),
      self.rule.init(num_outputs, num_examples),
    )

  def loss(
    self,
    outputs: tuple[Outputs, ...],
    rows: Rows,
    clock: Clock,
    state: States,
    key: jax.Array,
  ) -> tuple[jax.Array, Result]:
    """Returns the method's loss with the rule's term added."""
    total, result = self.method.loss(outputs, rows, clock, state.method, key)
    logits, unlabelled = outputs[0].logits, ~rows.labelled
    mask, target, rule_state = self.rule(
      state.rule, logits, rows.index, unlabelled
    )
    term = pseudo_labels.pseudo_label_loss(logits, target, mask, unlabelled)
    told = {
      'rule': term,
      'rule_accepted': common.masked_mean(mask, unlabelled),
    }
    return total + self.weight * term, Result(
      terms=result.terms | told,
      state=States(result.state, rule_state),
      partners=result.partners,
    )

  def end_epoch(
    self, state: States, head: Head, clock: Clock
  ) -> tuple[States, Head]:
    """The method's; the rule goes on."""
    method_state, head = self.method.end_epoch(state.method, head, clock)
    return States(method_state, state.rule), head
