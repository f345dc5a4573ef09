"""Parameters of the pseudo-label rules, known without importing JAX.

Configs take their defaults from here. The rules inherit from these dataclasses
and add what they compute.
"""

import dataclasses

from owdfa_jax.setting_ranges import check_parameters


@dataclasses.dataclass(frozen=True, kw_only=True)
class RuleParameters:
  """Base class of all rules' parameters, which checks their ranges.

  The ranges are in `owdfa_jax.setting_ranges`.
  """

  def __post_init__(self) -> None:
    check_parameters('pseudo.params', dataclasses.asdict(self))


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaxProbabilityParameters(RuleParameters):
  """The rule that takes every prediction has no parameters."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FixMatchParameters(RuleParameters):
  """Parameters of FixMatch.

  Attributes:
    threshold: the least confidence of an accepted row; tau of the paper.
  """

  threshold: float = 0.95


@dataclasses.dataclass(frozen=True, kw_only=True)
class FlexMatchParameters(FixMatchParameters):
  """Parameters of FlexMatch: the threshold is that of a fully learnt class.

  Attributes:
    warm_up: also count the examples that were never confident when measuring a
      class's progress, so that the thresholds rise slowly at first.
  """

  warm_up: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class FreeMatchParameters(RuleParameters):
  """Parameters of FreeMatch.

  Attributes:
    momentum: weight of the old value in the moving averages; lambda.
    quantile: the quantile of a batch's confidences that the global threshold
      follows. The paper takes their mean; 0.8 is the released CPL code's.
  """

  momentum: float = 0.999
  quantile: float = 0.8


RULE_PARAMETERS = {
  'max': MaxProbabilityParameters,
  'fixmatch': FixMatchParameters,
  'flexmatch': FlexMatchParameters,
  'freematch': FreeMatchParameters,
}
