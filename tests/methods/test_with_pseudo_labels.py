"""A pseudo-label rule added to a method."""

import jax
import numpy as np
import pytest

from helpers.batches import make_batch, make_context
from helpers.runs import tiny_config
from owdfa_jax import experiment
from owdfa_jax.losses import pseudo_label_rules
from owdfa_jax.losses.flexmatch import FlexMatch
from owdfa_jax.losses.pseudo_label_loss import pseudo_label_loss
from owdfa_jax.methods.cpl import CPL
from owdfa_jax.methods.with_pseudo_labels import WithPseudoLabels


@pytest.mark.parametrize('name', pseudo_label_rules.RULES)
def test_the_rules_term_joins_the_methods_loss(name):
  outputs, rows = make_batch()
  rule = pseudo_label_rules.RULES[name]()
  combined = WithPseudoLabels(method=CPL(), rule=rule, weight=0.25)
  state = combined.init(6, 100)
  total, result = combined.loss(make_context((outputs,), rows, state=state))
  alone, alone_result = CPL().loss(make_context((outputs,), rows))
  mask, target, after = rule(
    state.rule, outputs.logits, rows.index, ~rows.labelled
  )
  term = pseudo_label_loss(outputs.logits, target, mask, ~rows.labelled)
  np.testing.assert_allclose(total, alone + 0.25 * term, rtol=1e-6)
  added = result.terms.keys() - alone_result.terms.keys()
  assert added == {'rule', 'rule_accepted'}
  jax.tree.map(np.testing.assert_array_equal, result.state.rule, after)
  assert combined.branches == CPL().branches
  assert combined.views == CPL().views


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
    rule=FlexMatch(threshold=0.5, warm_up=False),
    weight=0.1,
  )
