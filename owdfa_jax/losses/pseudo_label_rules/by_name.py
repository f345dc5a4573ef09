"""The pseudo-label rules by their names in configs.

A new rule has a file of its own, its parameters in `parameters.py`, and a line
in each module's table.
"""

from owdfa_jax.losses.pseudo_label_rules.base import Rule
from owdfa_jax.losses.pseudo_label_rules.fixmatch import FixMatch
from owdfa_jax.losses.pseudo_label_rules.flexmatch import FlexMatch
from owdfa_jax.losses.pseudo_label_rules.freematch import FreeMatch
from owdfa_jax.losses.pseudo_label_rules.max_probability import MaxProbability

# By the names in `parameters.RULE_PARAMETERS`.
RULES: dict[str, type[Rule]] = {
  'max': MaxProbability,
  'fixmatch': FixMatch,
  'flexmatch': FlexMatch,
  'freematch': FreeMatch,
}
