"""The methods' parameters: every method has some, and wrong ones are errors."""

import dataclasses

import pytest

from input_pipeline.errors import UserError
from owdfa_jax.losses import pairing
from owdfa_jax.losses.pseudo_label_rules.by_name import RULES
from owdfa_jax.losses.pseudo_label_rules.parameters import RULE_PARAMETERS
from owdfa_jax.methods import neighbour_voting, parameters
from owdfa_jax.methods.by_name import METHODS


def test_every_method_inherits_its_parameters():
  assert METHODS.keys() == parameters.PARAMETERS.keys()
  for name, method in METHODS.items():
    expected = parameters.PARAMETERS[name]
    assert issubclass(method, expected)
    assert dataclasses.asdict(method()) == dataclasses.asdict(expected())


def test_every_pseudo_label_rule_inherits_its_parameters():
  assert RULES.keys() == RULE_PARAMETERS.keys()
  for name, rule in RULES.items():
    assert issubclass(rule, RULE_PARAMETERS[name])


def test_rules_agree_on_the_defaults_of_shared_parameters():
  # A config lists each parameter once, whichever rule takes it.
  defaults = {}
  for rule in RULE_PARAMETERS.values():
    for name, value in dataclasses.asdict(rule()).items():
      assert defaults.setdefault(name, value) == value


def test_names_of_choices_are_those_of_their_functions():
  assert set(parameters.VOTE_RULE_NAMES) == pairing.VOTES.keys()
  assert (
    set(parameters.PSEUDO_FILTER_NAMES)
    == neighbour_voting.PSEUDO_FILTERS.keys()
  )


@pytest.mark.parametrize(
  'method, name, value',
  [
    ('cal', 'prototypes_per_known', 1),
    ('simgcd', 'projection', 0),
    ('simgcd', 'warm_up', 0.0),
    ('cpl', 'margin', float('nan')),
  ],
)
def test_values_out_of_range_are_named(method, name, value):
  with pytest.raises(UserError, match=f'params.{name}={value}; give a'):
    METHODS[method](**{name: value})


def test_parameters_of_rules_out_of_range_are_named():
  with pytest.raises(UserError, match='pseudo.params.momentum=1.0; give a'):
    RULES['freematch'](momentum=1.0)
