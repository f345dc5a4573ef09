"""The methods' parameters: their meanings, defaults and checks.

This module imports neither JAX nor Flax, so that configs and command-line help
load fast. Each method inherits its parameters from the dataclass here, and the
configs take their defaults from it.
"""

import dataclasses

from input_pipeline.errors import check_choice
from owdfa_jax.setting_ranges import check_parameters

# Where a user sets a parameter.
_SETTING = '--config.method.params.'
# Names of the functions in `losses.pairing.VOTES`.
VOTE_RULE_NAMES = ('value', 'agreement')
# Names of the functions in `methods.neighbour_voting.PSEUDO_FILTERS`.
PSEUDO_FILTER_NAMES = ('none', 'vote', 'union')


@dataclasses.dataclass(frozen=True, kw_only=True)
class MethodParameters:
  """Base class of all methods' parameters, which checks their ranges.

  The ranges are in `owdfa_jax.setting_ranges`.
  """

  def __post_init__(self) -> None:
    check_parameters('method.params', dataclasses.asdict(self))


@dataclasses.dataclass(frozen=True, kw_only=True)
class VotingParameters(MethodParameters):
  """What CPL and MPSL have in common.

  Attributes:
    margin: m, added to the true class's logit of a labelled row, so that known
      classes, which have labels, do not learn faster than novel ones.
    voting_weight: eta_1, weight of the loss between a row and its partner.
    pseudo_weight: eta_2, weight of the soft pseudo-labels.
    entropy_weight: eta_3, weight of the mean prediction's entropy, which is
      maximised.
    vote_rule: how a local view accepts the global nearest neighbour, one of
      `VOTE_RULE_NAMES`. 'value' compares similarities as the released code
      does; 'agreement' asks for the same nearest neighbour, as the papers'
      figures show.
    pseudo_filter: which unlabelled rows get a pseudo-label, one of
      `PSEUDO_FILTER_NAMES`: all ('none'), those with a partner ('vote'), or
      those whose neighbour any local view accepted ('union').
    pair_within: number of rows, one after the other in the batch, that are
      compared with each other to find partners of unlabelled rows; 0 for the
      whole batch, as in the papers. On many devices the cost of pairing grows
      with it. It is even and divides the batch, and it divides the rows of a
      device or is a multiple of them.
    detach_confidence: hold the pseudo-label's confidence weight constant. The
      released code differentiates it.
    counterfactual: add CDAL's branch, in training only.
    effect_weight: CDAL's weight of the attention maps' effect.
    match_weight: CDAL's weight of the distance between original and degraded
      features.
  """

  margin: float = 0.2
  voting_weight: float = 0.5
  pseudo_weight: float = 0.5
  entropy_weight: float = 1.0
  vote_rule: str = 'value'
  pseudo_filter: str = 'vote'
  pair_within: int = 0
  detach_confidence: bool = False
  counterfactual: bool = False
  effect_weight: float = 0.5
  match_weight: float = 0.2

  def __post_init__(self) -> None:
    super().__post_init__()
    check_choice(f'{_SETTING}vote_rule', self.vote_rule, VOTE_RULE_NAMES)
    check_choice(
      f'{_SETTING}pseudo_filter', self.pseudo_filter, PSEUDO_FILTER_NAMES
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class CPLParameters(VotingParameters):
  """Parameters of CPL, with the paper's values."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MPSLParameters(VotingParameters):
  """Parameters of MPSL, with the released code's values.

  Attributes:
    pseudo_filter: as in `VotingParameters`. The released code gives every
      unlabelled row a pseudo-label; the paper's figure shows 'union'.
  """

  pseudo_filter: str = 'none'


@dataclasses.dataclass(frozen=True, kw_only=True)
class CALParameters(MethodParameters):
  """Parameters of CAL.

  Attributes:
    consistency_weight: weight of CCR, the consistency of the two views.
    uniformity_weight: weight of the non-uniformity of the mean prediction; 1 in
      the released code.
    known_threshold: the least confidence of a pseudo-label of a known class;
      that of a novel class adapts to it.
    pseudo_from_epoch: the first epoch with pseudo-labels, from 0.
    estimate_classes: find the number of classes: start with
      `prototypes_per_known` outputs for each known class and prune the unused.
    prototypes_per_known: initial outputs for each known class, if
      `estimate_classes`.
    prune_from_epoch: the first epoch, from 0, at whose end outputs are pruned.
    parity_merge: give a merged prototype length 1, as the released code does,
      instead of its own length.
  """

  consistency_weight: float = 0.2
  uniformity_weight: float = 1.0
  known_threshold: float = 0.9
  pseudo_from_epoch: int = 5
  estimate_classes: bool = False
  prototypes_per_known: int = 10
  prune_from_epoch: int = 0
  parity_merge: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class ORCAParameters(MethodParameters):
  """Parameters of ORCA.

  Attributes:
    margin_scale: s, the scale of the paper's margin, which its cosines have
      too; the margin is s times the uncertainty.
    pair_weight: eta_1, weight of the pairwise loss.
    entropy_weight: eta_2, weight of the mean prediction's entropy, which is
      maximised.
  """

  margin_scale: float = 10.0
  pair_weight: float = 1.0
  entropy_weight: float = 1.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class SimGCDParameters(MethodParameters):
  """Parameters of SimGCD.

  Attributes:
    supervised_weight: lambda, the share of the two supervised terms.
    entropy_weight: epsilon, weight of the mean prediction's entropy, which is
      maximised.
    teacher_temperature: tau_t at the start of training.
    final_teacher_temperature: tau_t after the warm-up.
    warm_up: share of the training, in (0, 1], over which tau_t falls linearly.
    unsupervised_temperature: tau_u, of the unsupervised contrastive loss.
    supervised_temperature: tau_c, of the supervised contrastive loss.
    projection: width of the features that the contrastive losses compare.
  """

  supervised_weight: float = 0.35
  entropy_weight: float = 2.0
  teacher_temperature: float = 0.07
  final_teacher_temperature: float = 0.04
  warm_up: float = 0.15
  unsupervised_temperature: float = 1.0
  supervised_temperature: float = 0.07
  projection: int = 256


@dataclasses.dataclass(frozen=True, kw_only=True)
class SupervisedParameters(MethodParameters):
  """Supervised training has no parameters."""


PARAMETERS = {
  'cal': CALParameters,
  'cpl': CPLParameters,
  'mpsl': MPSLParameters,
  'orca': ORCAParameters,
  'simgcd': SimGCDParameters,
  'supervised': SupervisedParameters,
}
