"""CAL's losses against recorded steps, and its threshold by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers.recorded import GRADIENT, LOSS, indices
from owdfa_jax.losses import cal
from owdfa_jax.models.outputs import PRUNED_LOGIT


@pytest.mark.golden
def test_consistency_as_recorded(golden):
  g = golden('cal')
  student, teacher = g['temps_student_teacher']

  @jax.jit
  def step(strong, weak, progress):
    return cal.confidence_consistency(
      weak=weak,
      strong=strong,
      progress=progress,
      teacher_temperature=teacher,
      student_temperature=student,
    ).mean()

  step = jax.jit(jax.value_and_grad(step, argnums=(0, 1)))
  for i in indices(g, 'ccr', '_loss'):
    for t, epoch in enumerate(g['ccr_epochs']):
      progress = (epoch + 1) / g['ccr_max_epochs']
      value, (gradient, to_weak) = step(
        g[f'ccr{i}_strong'], g[f'ccr{i}_weak'], progress
      )
      np.testing.assert_allclose(value, g[f'ccr{i}_loss'][t], **LOSS)
      np.testing.assert_allclose(
        gradient, g[f'ccr{i}_grad_strong'][t], **GRADIENT
      )
      assert not to_weak.any()


@pytest.mark.golden
def test_pseudo_labels_and_sums_as_recorded(golden):
  g = golden('cal')
  num_known = int(g['num_known'])
  accept = jax.jit(cal.accept_pseudo_labels, static_argnums=2)
  add = jax.jit(cal.add_confidence, static_argnames='num_known')
  for s in indices(g, 'step', '_epoch'):
    sums = cal.no_confidence()
    before, known = g[f'step{s}_novel_conf_before'], g[f'step{s}_known_conf']
    # The released code starts with pseudo-labels at epoch 5.
    has_started = g[f'step{s}_epoch'] >= 5
    for b in indices(g, f'step{s}_b', '_weak'):
      key = f'step{s}_b{b}_'
      weak, strong = g[f'{key}weak'], g[f'{key}strong']
      unlabelled = g[f'{key}tag'][:, 0] != 1
      mask, target = accept(
        weak,
        unlabelled & has_started,
        num_known,
        known_threshold=known,
        novel_threshold=before,
      )
      recorded = g[f'{key}pseudo_targets']
      np.testing.assert_array_equal(mask, recorded >= 0)
      np.testing.assert_array_equal(target[mask], recorded[recorded >= 0])
      sums = add(sums, weak=weak, strong=strong, num_known=num_known)
      np.testing.assert_allclose(sums, g[f'{key}running_sums_f64'], rtol=1e-5)
    after = cal.novel_threshold(sums, previous=before, known_threshold=known)
    np.testing.assert_allclose(
      after, g[f'step{s}_novel_conf_after_f64'], rtol=1e-5
    )


@pytest.mark.golden
def test_thresholds_as_recorded(golden):
  g = golden('cal')
  for sums, after in zip(g['thr_sums_f64'], g['thr_after_f64'], strict=True):
    found = cal.novel_threshold(
      cal.ConfidenceSums(*map(jnp.float32, sums)),
      previous=jnp.float32(g['thr_start_f64']),
      known_threshold=0.9,
    )
    np.testing.assert_allclose(found, after, rtol=1e-5)


def test_known_and_novel_classes_have_their_own_thresholds():
  prob = jnp.array([[0.85, 0.1, 0.05], [0.1, 0.85, 0.05], [0.05, 0.1, 0.85]])
  mask, target = cal.accept_pseudo_labels(
    jnp.log(prob),
    jnp.array([True, True, False]),
    1,
    known_threshold=0.9,
    novel_threshold=0.8,
  )
  assert target.tolist() == [0, 1, 2]
  assert mask.tolist() == [False, True, False]


def test_loss_of_no_accepted_rows_is_zero():
  def loss(z):
    return cal.accepted_cross_entropy(z, jnp.zeros(2, bool), jnp.zeros(2, int))

  value, gradient = jax.value_and_grad(loss)(jnp.ones((2, 3)))
  assert value == 0 and not gradient.any()


@pytest.mark.golden
def test_non_uniformity_as_recorded(golden):
  g = golden('cal')
  step = jax.jit(jax.value_and_grad(cal.non_uniformity, argnums=(0, 1)))
  for i in indices(g, 'reg', '_loss'):
    value, gradients = step(g[f'reg{i}_weak'], g[f'reg{i}_strong'])
    np.testing.assert_allclose(value, g[f'reg{i}_loss'], rtol=1e-5, atol=5e-7)
    for gradient, view in zip(gradients, ('weak', 'strong'), strict=True):
      np.testing.assert_allclose(gradient, g[f'reg{i}_grad_{view}'], **GRADIENT)


def test_non_uniformity_is_zero_if_even_and_half_log_k_for_one_class():
  even = jnp.eye(4) * 30
  assert cal.non_uniformity(even, even) == pytest.approx(0, abs=1e-6)
  one = jnp.tile(even[:1], (4, 1))
  value = cal.non_uniformity(one, one)
  assert value == pytest.approx(np.log(4) / 2, rel=1e-5)


def test_pruned_classes_do_not_count_in_the_non_uniformity():
  in_use = jnp.array([True, True, False])
  logits = jnp.array([[0.0, 0.0, PRUNED_LOGIT]])

  def value(z):
    return cal.non_uniformity(z, z, in_use)

  found, gradient = jax.value_and_grad(value)(logits)
  assert found == pytest.approx(0, abs=1e-6)
  assert np.isfinite(gradient).all()
