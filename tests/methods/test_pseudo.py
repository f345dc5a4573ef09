"""A pseudo-label rule added to a method."""

import jax
import numpy as np
import pytest

from helpers.batches import CLOCK, make_batch
from helpers.runs import tiny_config
from input_pipeline.errors import UserError
from owdfa_jax import experiment
from owdfa_jax.losses import pseudo_labels
from owdfa_jax.methods.cpl import CPL
from owdfa_jax.methods.pseudo import WithPseudoLabels

KEY = jax.random.key(0)


@pytest.mark.parametrize('name', pseudo_labels.RULES)
def test_the_rules_term_joins_the_methods_loss(name):
  outputs, rows = make_batch()
  rule = pseudo_labels.RULES[name]()
  both = WithPseudoLabels(method=CPL(), rule=rule, weight=0.25)
  state = both.init(6, 100)
  total, result = both.loss((outputs,), rows, CLOCK, state, KEY)
  alone, plain = CPL().loss((outputs,), rows, CLOCK, (), KEY)
  mask, target, after = rule(
    state.rule, outputs.logits, rows.index, ~rows.labelled
  )
  term = pseudo_labels.pseudo_label_loss(
    outputs.logits, target, mask, ~rows.labelled
  )
  np.testing.assert_allclose(total, alone + 0.25 * term, rtol=1e-6)
  assert result.terms.keys() - plain.terms.keys() == {'rule', 'rule_accepted'}
  jax.tree.map(np.testing.assert_array_equal, result.state.rule, after)
  assert both.branches == CPL().branches and both.views == CPL().views


def test_the_config_names_the_rule(packed):
  config = tiny_config(
    packed,
    pseudo__rule='flexmatch',
    pseudo__weight=0.1,
    pseudo__params__warm_up=False,
    pseudo__params__threshold=0.5,
  )
  method = experiment.make_method(config)
  assert method == WithPseudoLabels(
    method=experiment.make_method(tiny_config(packed)),
    rule=pseudo_labels.FlexMatch(threshold=0.5, warm_up=False),
    weight=0.1,
  )


def test_an_unknown_rule_is_named(packed):
  config = tiny_config(packed, pseudo__rule='nonsense')
  with pytest.raises(UserError, match="pseudo.rule='nonsense'; use one of max"):
    experiment.make_method(config)
