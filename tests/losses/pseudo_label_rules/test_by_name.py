"""Pseudo-label rules against recorded runs, and what must hold on any batch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from owdfa_jax.losses.pseudo_label_loss import pseudo_label_loss
from owdfa_jax.losses.pseudo_label_rules.by_name import RULES
from owdfa_jax.losses.pseudo_label_rules.fixmatch import FixMatch
from owdfa_jax.losses.pseudo_label_rules.flexmatch import FlexMatch
from owdfa_jax.losses.pseudo_label_rules.freematch import FreeMatch
from owdfa_jax.losses.pseudo_label_rules.max_probability import MaxProbability

STATE = {'rtol': 1e-5, 'atol': 1e-7}

# The recorded variants: our rule, its weight, and the state's recorded names.
VARIANTS = {
  'max': (MaxProbability(), 0.5, ()),
  'fixmatch': (FixMatch(), 0.5, ()),
  'fixmatch_default': (FixMatch(), 1.0, ()),
  'flexmatch_warmup': (
    FlexMatch(),
    0.5,
    ('selected_label', 'classwise_acc'),
  ),
  'flexmatch_nowarmup': (
    FlexMatch(warm_up=False),
    0.5,
    ('selected_label', 'classwise_acc'),
  ),
  'freematch': (FreeMatch(), 0.5, ('time_p', 'p_model', 'label_hist')),
  'freematch_m0.9': (
    FreeMatch(momentum=0.9),
    1.0,
    ('time_p', 'p_model', 'label_hist'),
  ),
}


def training_step(rule):
  """Returns a compiled loss: (value, (mask, target, state)), gradient."""

  def loss(logits, state, index, unlabelled):
    mask, target, state = rule(state, logits, index, unlabelled)
    value = pseudo_label_loss(logits, target, mask=mask, unlabelled=unlabelled)
    return value, (mask, target, state)

  return jax.jit(jax.value_and_grad(loss, has_aux=True))


def random_run(steps=4, rows=16, classes=4, examples=20, seed=0):
  rng = np.random.default_rng(seed)
  for _ in range(steps):
    yield {
      'logits': rng.normal(size=(rows, classes)).astype(np.float32) * 4,
      'index': rng.choice(examples, rows, replace=False).astype(np.int32),
      'unlabelled': np.arange(rows) % 2 == 1,
    }


def replay(rule, batches, put=lambda x: x):
  """Returns (loss, mask, target) of every step, and the last state."""
  step, state, results = training_step(rule), rule.init(4, 20), []
  for batch in batches:
    batch = put(batch)
    (loss, (mask, target, state)), _ = step(
      batch['logits'], state, batch['index'], batch['unlabelled']
    )
    results.append((loss, mask, target))
  # Shapes and types stay, so that the step compiles once.
  for before, after in zip(rule.init(4, 20), state, strict=True):
    assert (before.shape, before.dtype) == (after.shape, after.dtype)
    assert before.weak_type == after.weak_type
  return results, state


@pytest.mark.golden
@pytest.mark.parametrize('variant', VARIANTS)
def test_runs_as_recorded(golden, variant):
  g = golden('hooks')
  rule, weight, names = VARIANTS[variant]
  count = int(g['labelled_len'])
  steps, rows, _ = g['logits'].shape
  unlabelled = np.arange(rows) >= count
  state = rule.init(int(g['num_classes']), int(g['ulb_dest_len']))
  for value, name in zip(state, names, strict=True):
    np.testing.assert_array_equal(value, g[f'{variant}_{name}_init'])
  step = training_step(rule)
  for t in range(steps):
    index = np.concatenate([np.full(count, -1), g['idx_ulb'][t]])
    (loss, (mask, _, state)), gradient = step(
      g['logits'][t], state, index, unlabelled
    )
    np.testing.assert_array_equal(
      mask[count:], g[f'{variant}_mask'][t] == 1, err_msg=f'step {t}'
    )
    assert not mask[:count].any()
    np.testing.assert_allclose(
      weight * loss, g[f'{variant}_pce_loss'][t], rtol=1e-5, atol=1e-7
    )
    np.testing.assert_allclose(
      weight * gradient, g[f'{variant}_grad_logits'][t], rtol=0, atol=1e-5
    )
    for value, name in zip(state, names, strict=True):
      np.testing.assert_allclose(value, g[f'{variant}_{name}'][t], **STATE)


@pytest.mark.parametrize('name', RULES)
def test_eight_devices_select_the_same_rows_as_one(name):
  rule = RULES[name]()
  auto = (jax.sharding.AxisType.Auto,)
  mesh = jax.make_mesh((8,), ('data',), axis_types=auto)
  rows = NamedSharding(mesh, PartitionSpec('data'))
  alone, state = replay(rule, random_run())
  together, spread_state = replay(
    rule, random_run(), lambda batch: jax.device_put(batch, rows)
  )
  for one, eight in zip(alone, together, strict=True):
    np.testing.assert_allclose(eight[0], one[0], rtol=1e-6)
    np.testing.assert_array_equal(eight[1], one[1])
    np.testing.assert_array_equal(eight[2], one[2])
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6),
    spread_state,
    state,
  )


@pytest.mark.parametrize('name', RULES)
def test_labelled_rows_do_not_matter(name):
  rule = RULES[name]()
  poisoned = []
  for batch in random_run():
    labelled = ~batch['unlabelled']
    logits, index = batch['logits'].copy(), batch['index'].copy()
    logits[labelled] = 50 * np.eye(4)[1]
    index[labelled] = 7
    poisoned.append({**batch, 'logits': logits, 'index': index})
  clean, state = replay(rule, random_run())
  changed, state_poisoned = replay(rule, poisoned)
  for (loss, mask, _), (other, other_mask, _) in zip(
    clean, changed, strict=True
  ):
    assert loss == other
    np.testing.assert_array_equal(mask, other_mask)
    assert not mask[::2].any()
  jax.tree.map(np.testing.assert_array_equal, state, state_poisoned)


@pytest.mark.parametrize('name', RULES)
def test_order_of_the_batch_does_not_matter(name):
  rule = RULES[name]()
  order = np.random.default_rng(3).permutation(16)
  moved = [
    {key: value[order] for key, value in batch.items()}
    for batch in random_run()
  ]
  straight, state = replay(rule, random_run())
  permuted, state_moved = replay(rule, moved)
  for (_, mask, target), (_, moved_mask, moved_target) in zip(
    straight, permuted, strict=True
  ):
    np.testing.assert_array_equal(moved_mask, mask[order])
    np.testing.assert_array_equal(moved_target, target[order])
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6),
    state_moved,
    state,
  )


@pytest.mark.parametrize('name', RULES)
def test_without_unlabelled_rows_the_state_stays(name):
  rule = RULES[name]()
  before = rule.init(4, 20)
  mask, _, after = rule(
    before, jnp.ones((2, 4)), jnp.arange(2), jnp.array([False, False])
  )
  assert not mask.any()
  jax.tree.map(np.testing.assert_array_equal, after, before)


@pytest.mark.parametrize('name', RULES)
def test_initial_state_can_be_donated(name):
  state = RULES[name]().init(4, 20)
  same = jax.jit(lambda x: jax.tree.map(jnp.copy, x), donate_argnums=0)(state)
  assert len(same) == len(state)
