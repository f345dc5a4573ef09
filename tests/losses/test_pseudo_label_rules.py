"""Pseudo-label rules against recorded runs, and what must hold on any batch."""

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from owdfa_jax.losses import pseudo_label_rules
from owdfa_jax.losses.pseudo_label_rules import FixMatch, FlexMatch, FreeMatch

QUANTILE = jax.jit(pseudo_label_rules.masked_quantile, static_argnums=2)
STATE = {'rtol': 1e-5, 'atol': 1e-7}

# The recorded variants: our rule, its weight, and the state's recorded names.
VARIANTS = {
  'max': (pseudo_label_rules.MaxProbability(), 0.5, ()),
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
    value = pseudo_label_rules.pseudo_label_loss(
      logits, target, mask, unlabelled
    )
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


@pytest.mark.parametrize('name', pseudo_label_rules.RULES)
def test_eight_devices_select_the_same_rows_as_one(name):
  rule = pseudo_label_rules.RULES[name]()
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


@pytest.mark.parametrize('name', pseudo_label_rules.RULES)
def test_labelled_rows_do_not_matter(name):
  rule = pseudo_label_rules.RULES[name]()
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


@pytest.mark.parametrize('name', pseudo_label_rules.RULES)
def test_order_of_the_batch_does_not_matter(name):
  rule = pseudo_label_rules.RULES[name]()
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


@pytest.mark.parametrize('name', pseudo_label_rules.RULES)
def test_without_unlabelled_rows_the_state_stays(name):
  rule = pseudo_label_rules.RULES[name]()
  before = rule.init(4, 20)
  mask, _, after = rule(
    before, jnp.ones((2, 4)), jnp.arange(2), jnp.array([False, False])
  )
  assert not mask.any()
  jax.tree.map(np.testing.assert_array_equal, after, before)


@pytest.mark.parametrize('name', pseudo_label_rules.RULES)
def test_initial_state_can_be_donated(name):
  state = pseudo_label_rules.RULES[name]().init(4, 20)
  same = jax.jit(lambda x: jax.tree.map(jnp.copy, x), donate_argnums=0)(state)
  assert len(same) == len(state)


def confident(*classes):
  """Returns logits of rows that are certain of the given classes of four."""
  return 20.0 * jnp.eye(4)[jnp.array(classes)]


def test_flexmatch_remembers_the_last_row_of_a_repeated_example():
  rule = FlexMatch()
  unlabelled = jnp.array([True, True, True, False])
  _, _, state = rule(
    rule.init(4, 5),
    confident(2, 1, 3, 0),
    jnp.array([4, 4, 0, 4]),
    unlabelled,
  )
  assert state.selected.tolist() == [3, -1, -1, -1, 1]


@pytest.mark.parametrize(
  'warm_up, expected', [(True, [0.5, 0.25, 0, 0]), (False, [1, 0.5, 0, 0])]
)
def test_flexmatch_progress_by_hand(warm_up, expected):
  rule = FlexMatch(warm_up=warm_up)
  # Seven examples: class 0 twice, class 1 once, four never.
  _, _, state = rule(
    rule.init(4, 7),
    confident(0, 0, 1),
    jnp.array([0, 1, 2]),
    jnp.full(3, True),
  )
  np.testing.assert_allclose(state.class_accuracy, expected)
  # Class 1's threshold is then .95 * .25 / 1.75 or .95 * .5 / 1.5.
  limit = 0.95 * expected[1] / (2 - expected[1])
  for prob, accepted in ((limit + 0.01, True), (limit - 0.01, False)):
    # Of all classes class 1 is the most probable one, if only just.
    logits = (
      jnp.full((1, 20), jnp.log((1 - prob) / 19)).at[0, 1].set(jnp.log(prob))
    )
    wide = state._replace(class_accuracy=jnp.pad(state.class_accuracy, (0, 16)))
    mask, target, _ = rule(wide, logits, jnp.array([3]), jnp.array([True]))
    assert target[0] == 1
    assert mask[0] == accepted


def test_flexmatch_progress_stays_while_all_examples_are_equal():
  rule = FlexMatch(warm_up=False)
  step = jnp.array([0, 1]), jnp.array([True, True])
  _, _, state = rule(rule.init(4, 2), confident(1, 1), *step)
  assert state.selected.tolist() == [1, 1]
  assert not state.class_accuracy.any()


@hypothesis.settings(max_examples=40, deadline=None)
@hypothesis.given(
  hnp.arrays(np.float32, 9, elements=st.floats(0, 1, width=32)),
  hnp.arrays(bool, 9).filter(lambda mask: mask.any()),
)
def test_masked_quantile_is_that_of_the_selected_rows(values, mask):
  found = QUANTILE(values, mask, 0.8)
  expected = np.quantile(values[mask].astype(np.float64), 0.8)
  np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


def test_rejected_rows_count_as_zero_in_the_mean():
  logits = jnp.log(jnp.array([[0.5, 0.5], [0.25, 0.75], [0.5, 0.5]]))
  value = pseudo_label_rules.pseudo_label_loss(
    logits,
    jnp.array([0, 1, 0]),
    jnp.array([False, True, False]),
    jnp.array([True, True, False]),
  )
  np.testing.assert_allclose(value, -np.log(0.75) / 2, rtol=1e-6)
