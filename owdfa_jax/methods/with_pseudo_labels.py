"""Any method with one more term: the pseudo-labels that a rule selects."""

import dataclasses
from typing import Any

import flax
import jax
from typing_extensions import override

from owdfa_jax.losses import common
from owdfa_jax.losses.pseudo_label_loss import pseudo_label_loss
from owdfa_jax.losses.pseudo_label_rules.base import Rule
from owdfa_jax.methods.base import Context, EpochInfo, LossExtras, Method
from owdfa_jax.models.outputs import Branches, Head


@flax.struct.dataclass
class PseudoLabelState:
  """The states of the method and of the rule."""

  method: Any
  rule: Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class WithPseudoLabels(Method):
  """A method's loss + weight * mean over unlabelled rows of mask * CE.

  The rule sees the method's first view, which is the weak one of CAL's two.

  Attributes:
    method: the method whose loss the term is added to.
    rule: selects the rows to trust, and their labels.
    weight: eta of the released CPL code.
  """

  method: Method
  rule: Rule
  weight: float = 0.5

  @property
  @override
  def views(self) -> tuple[str, ...]:
    return self.method.views

  @property
  @override
  def branches(self) -> Branches:
    return self.method.branches

  @override
  def num_outputs(self, num_known: int) -> int | None:
    return self.method.num_outputs(num_known)

  @override
  def init(self, num_outputs: int, num_examples: int) -> PseudoLabelState:
    return PseudoLabelState(
      self.method.init(num_outputs, num_examples),
      self.rule.init(num_outputs, num_examples),
    )

  @override
  def loss(self, context: Context) -> tuple[jax.Array, LossExtras]:
    states = context.state
    total, extras = self.method.loss(
      dataclasses.replace(context, state=states.method)
    )
    # Of CAL's views the first is the weak one, whose predictions are more
    # reliable.
    logits, unlabelled = context.outputs[0].logits, ~context.labels.labelled
    mask, target, rule_state = self.rule(
      states.rule, logits, context.labels.index, unlabelled
    )
    term = pseudo_label_loss(logits, target, mask=mask, unlabelled=unlabelled)
    rule_terms = {
      'rule': term,
      'rule_accepted': common.masked_mean(mask, unlabelled),
    }
    return total + self.weight * term, LossExtras(
      terms=extras.terms | rule_terms,
      state=PseudoLabelState(extras.state, rule_state),
      partners=extras.partners,
    )

  @override
  def end_epoch(
    self, state: PseudoLabelState, head: Head, epoch_info: EpochInfo
  ) -> tuple[PseudoLabelState, Head]:
    # Rules have no epochs: they update their state in each step.
    method_state, head = self.method.end_epoch(state.method, head, epoch_info)
    return PseudoLabelState(method_state, state.rule), head
