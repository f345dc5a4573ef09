"""Pruning of prototypes against recorded runs, and what must hold."""

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from owdfa_jax.methods import prototype_pruning
from owdfa_jax.models.outputs import Head, mask_pruned

KEEP_COUNT = jax.jit(prototype_pruning.keep_count)
MERGE = jax.jit(prototype_pruning.merge, static_argnames='parity_merge')
PRUNE = jax.jit(
  prototype_pruning.prune, static_argnames=('num_known', 'parity_merge')
)


def prune(weight, usage, in_use, num_known, **options):
  """Returns the prototypes and the mask of a pruned head."""
  head = Head(prototypes=weight, in_use=in_use)
  head = PRUNE(head, usage, num_known=num_known, **options)
  return head.prototypes, head.in_use


def recorded_merges(g):
  return sorted({k.split('_')[0] for k in g if k.startswith('merge')})


def keep(usage, coverage=prototype_pruning.COVERAGE):
  usage = np.sort(np.asarray(usage))[::-1]
  return int(KEEP_COUNT(usage.copy(), len(usage), coverage))


def reference_keep(usage, coverage):
  """Applies the rule of `keep_count` to one prototype after the other."""
  usage = np.sort(np.asarray(usage, np.float64))[::-1]
  if not usage.sum():
    return len(usage)
  wanted = np.float32(coverage) * np.float32(usage.sum())
  first = int(np.searchsorted(np.cumsum(usage), wanted))
  tail = usage[first:]
  mean = tail.mean() if len(tail) else 0
  mean_drop = np.abs(np.diff(tail)).mean() if len(tail) > 1 else np.inf
  number = first
  for i in range(first, len(usage)):
    drop = abs(usage[i] - usage[i - 1]) if i > first else 0
    if usage[i] < mean and drop < mean_drop:
      break
    number = i + 1
  return number


@pytest.mark.golden
def test_number_kept_as_recorded(golden):
  g = golden('cal')
  for usage, coverage, number in zip(
    g['keep_usage'], g['keep_coverage_f64'], g['keep_num'], strict=True
  ):
    assert keep(usage, coverage) == number
  assert (
    KEEP_COUNT(np.zeros(3), 0, prototype_pruning.COVERAGE) == g['keep_empty']
  )


@pytest.mark.golden
def test_usage_as_recorded(golden):
  g = golden('cal')
  logits = g['merge0_epoch_logits']
  np.testing.assert_array_equal(
    prototype_pruning.count_usage(logits), g['merge0_epoch_logits_usage']
  )


@pytest.mark.golden
def test_pruning_as_recorded(golden):
  g = golden('cal')
  for case in recorded_merges(g):
    usage, weight = g[f'{case}_usage'], g[f'{case}_fc_weight']
    num_known, number = int(g[f'{case}_num_known']), int(g[f'{case}_num_keep'])
    ordered = num_known + g[f'{case}_sorted_indices']
    all_in_use = np.ones(len(usage), bool)
    pruned, in_use = prune(
      weight,
      usage,
      all_in_use,
      num_known,
      coverage=float(g[f'{case}_coverage_f64']),
      parity_merge=True,
    )
    assert in_use[num_known:].sum() == number
    kept = ordered[:number]
    if g[f'{case}_has_ties_at_border']:
      # The released code kept any of the equally used ones: keep the same.
      dropped = all_in_use.copy()
      dropped[:num_known], dropped[kept] = False, False
      receiving = ~dropped
      receiving[:num_known] = False
      pruned = MERGE(weight, kept=receiving, dropped=dropped, parity_merge=True)
    else:
      assert set(np.flatnonzero(in_use[num_known:]) + num_known) == set(kept)
      assert int(in_use.sum()) == g[f'{case}_end_valid']
    # The released code sorts the rows: known ones, then those kept by usage.
    rows = np.concatenate([np.arange(num_known), kept])
    np.testing.assert_allclose(
      pruned[rows], g[f'{case}_new_fc'][: len(rows)], rtol=1e-5, atol=1e-6
    )
    if number < len(ordered):
      end = g[f'{case}_end_fc2']
      np.testing.assert_allclose(
        pruned[rows], end[: len(rows)], rtol=1e-5, atol=1e-6
      )
      assert not end[len(rows) :].any()
    rest = np.setdiff1d(np.arange(len(usage)), rows)
    assert not np.asarray(pruned)[rest].any()


@pytest.mark.parametrize(
  'usage, expected',
  [
    ([1200] * 22, 22),
    ([1200] * 20 + [300] * 5 + [10] * 20 + [0] * 126, 46),
    (
      [2000, 1500, 1200, 1100, 900, 700, 400, 200, 90, 40, 10, 5, 1, 0, 0, 0],
      10,
    ),
    ([1] * 5, 5),
    ([0] * 7, 7),
    ([9], 1),
  ],
)
def test_number_kept_by_hand(usage, expected):
  assert keep(usage) == expected


@hypothesis.settings(max_examples=100, deadline=None)
@hypothesis.given(
  hnp.arrays(
    np.int32,
    12,
    elements=st.one_of(st.integers(0, 3), st.integers(0, 5000)),
  ),
  st.integers(1, 12),
  st.sampled_from([0.5, 0.9, 0.9544, 0.99, 1.0]),
)
def test_number_kept_equals_the_rule_as_a_loop(usage, count, coverage):
  real = np.sort(usage[:count])[::-1]
  padded = np.concatenate([real, np.full(12 - count, 999, np.int32)])
  assert KEEP_COUNT(padded, count, coverage) == reference_keep(real, coverage)


def small_set():
  """Returns two known and five novel prototypes, their usage, all in use.

  Prototype 4 is close to 2, and 5 to 3. The tail starts at 3, and its first
  drop, from 480 to 9, keeps 6.
  """
  weight = np.array(
    [[9, 9], [8, -8], [3, 0], [0, 2], [1, 0.1], [0.1, 0.5], [-5, -5]],
    np.float32,
  )
  usage = np.array([0, 0, 500, 480, 2, 1, 9])
  return weight, usage, np.ones(7, bool)


def test_dropped_prototypes_are_merged_and_lengths_kept():
  weight, usage, all_in_use = small_set()
  pruned, in_use = prune(weight, usage, all_in_use, 2, coverage=0.9)
  assert in_use.tolist() == [1, 1, 1, 1, 0, 0, 1]
  untouched = [0, 1, 6]
  np.testing.assert_array_equal(pruned[jnp.array(untouched)], weight[untouched])
  for kept, dropped in ((2, 4), (3, 5)):
    mean = weight[kept] + weight[dropped]
    direction = mean / np.linalg.norm(mean)
    length = np.linalg.norm(weight[kept])
    np.testing.assert_allclose(pruned[kept], length * direction, rtol=1e-6)
  np.testing.assert_array_equal(pruned[4:6], 0)


def test_parity_merge_gives_merged_prototypes_length_one():
  weight, usage, in_use = small_set()
  pruned, _ = prune(weight, usage, in_use, 2, coverage=0.9, parity_merge=True)
  norms = np.linalg.norm(pruned[2:4], axis=1)
  np.testing.assert_allclose(norms, 1, rtol=1e-6)


@hypothesis.settings(max_examples=40, deadline=None)
@hypothesis.given(
  hnp.arrays(
    np.int32, 8, elements=st.one_of(st.integers(0, 3), st.integers(0, 400))
  ),
  hnp.arrays(bool, 8),
)
def test_outputs_in_use_only_become_fewer(usage, in_use):
  in_use[:3] = True
  weight = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
  weight[~in_use] = np.nan
  pruned, after = prune(weight, usage * in_use, in_use, 3, coverage=0.9)
  assert not (np.asarray(after) & ~in_use).any()
  assert after[:3].all()
  assert after[3:].any() == in_use[3:].any()
  assert np.isfinite(pruned).all()
  np.testing.assert_array_equal(pruned[:3], weight[:3])


def test_lower_index_is_kept_of_equally_used_prototypes():
  # The drop from 40 to 5 keeps one of the three.
  usage = jnp.array([5, 90, 5, 5, 40])
  kept = prototype_pruning.most_used(usage, jnp.ones(5, bool), 0.85)
  assert kept.tolist() == [1, 1, 0, 0, 1]


def test_pruned_prototypes_get_no_probability_and_no_gradient():
  in_use = jnp.array([True, False, True])

  def loss(logits):
    log_prob = jax.nn.log_softmax(mask_pruned(logits, in_use))
    return -jnp.sum(jnp.exp(log_prob) * log_prob)

  logits = jnp.array([[1.0, 50.0, 2.0]])
  value, gradient = jax.value_and_grad(loss)(logits)
  alone, _ = jax.value_and_grad(
    lambda z: -jnp.sum(jax.nn.softmax(z) * jax.nn.log_softmax(z))
  )(logits[:, ::2])
  np.testing.assert_allclose(value, alone, rtol=1e-6)
  assert np.isfinite(gradient).all() and gradient[0, 1] == 0
