"""A pseudo-label rule added to a method."""

import jax
import numpy as np
import pytest

from helpers.batches import make_batch, make_context
from helpers.runs import tiny_config
from owdfa_jax import experiment
from owdfa_jax.losses.pseudo_label_loss import pseudo_label_loss
from owdfa_jax.losses.pseudo_label_rules.by_name import RULES
from owdfa_jax.losses.pseudo_label_rules.flexmatch import FlexMatch
from owdfa_jax.methods.cpl import CPL
from owdfa_jax.methods.with_pseudo_labels import WithPseudoLabels


@pytest.mark.parametrize('name', RULES)
def test_the_rules_term_joins_the_methods_loss(name):
  outputs, labels = make_batch()
  rule = RULES[name]()
  combined = WithPseudoLabels(method=CPL(), rule=rule, weight=0.25)
  state = combined.init(6, 100)
  total, extras = combined.loss(make_context((outputs,), labels, state=state))
  alone, alone_extras = CPL().loss(make_context((outputs,), labels))
  mask, target, after = rule(
    state.rule, outputs.logits, labels.index, ~labels.labelled
  )
  term = pseudo_label_loss(
    outputs.logits, target, mask=mask, unlabelled=~labels.labelled
  )
  np.testing.assert_allclose(total, alone + 0.25 * term, rtol=1e-6)
  added = extras.terms.keys() - alone_extras.terms.keys()
  assert added == {'rule', 'rule_accepted'}
  jax.tree.map(np.testing.assert_array_equal, extras.state.rule, after)
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
