"""CAL: recorded steps, its threshold, its pruned head."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers.batches import make_context
from helpers.recorded import GRADIENT, LOSS, indices
from owdfa_jax.losses import cal as cal_losses
from owdfa_jax.methods import prototype_pruning
from owdfa_jax.methods.base import EpochInfo, VisibleLabels
from owdfa_jax.methods.cal import CAL
from owdfa_jax.models.outputs import PRUNED_LOGIT, Head, Outputs

# The released code's names of the terms.
TERMS = {
  'cross_entropy': 'cls',
  'non_uniformity': 'regularization',
  'pseudo': 'acr',
  'consistency': 'ccr',
}


@functools.partial(jax.jit, static_argnums=0, static_argnames='num_known')
def end_epoch(method, state, head, epoch, *, progress=0.1, num_known=2):
  """Returns the state and the head after an epoch, as the training does."""
  info = EpochInfo(epoch=epoch, progress=progress, num_known=num_known)
  return method.end_epoch(state, head, info)


@pytest.mark.golden
def test_steps_as_recorded(golden):
  g = golden('cal')
  num_known, epochs = int(g['num_known']), int(g['ccr_max_epochs'])
  method = CAL()

  @jax.jit
  def step(views, labels, epoch, state):
    epoch_info = EpochInfo(
      epoch=epoch, progress=(epoch + 1) / epochs, num_known=num_known
    )
    outputs = tuple(Outputs(logits=logits, feature=logits) for logits in views)
    return method.loss(make_context(outputs, labels, epoch_info, state))

  gradient = jax.jit(jax.grad(step, has_aux=True))
  for s in indices(g, 'step', '_epoch'):
    epoch = int(g[f'step{s}_epoch'])
    before = method.init(g['step0_b0_weak'].shape[1], 1)
    state = before.replace(
      novel_threshold=jnp.float32(g[f'step{s}_novel_conf_before'])
    )
    for b in indices(g, f'step{s}_b', '_weak'):
      key = f'step{s}_b{b}_'
      views = g[f'{key}weak'], g[f'{key}strong']
      label = np.where(g[f'{key}tag'][:, 0] == 1, g[f'{key}target'], -1)
      labels = VisibleLabels(label=label, index=np.arange(len(label)))
      value, extras = step(views, labels, epoch, state)
      np.testing.assert_allclose(value, g[f'{key}total_loss'], **LOSS)
      for ours, theirs in TERMS.items():
        recorded = g[f'{key}{theirs}_loss']
        np.testing.assert_allclose(
          extras.terms[ours], recorded, rtol=1e-5, atol=1e-6
        )
      gradients, _ = gradient(views, labels, epoch, state)
      for ours, view in zip(gradients, ('weak', 'strong'), strict=True):
        np.testing.assert_allclose(ours, g[f'{key}grad_{view}'], **GRADIENT)
      accepted = (g[f'{key}pseudo_targets'] >= 0).sum() / (label < 0).sum()
      np.testing.assert_allclose(
        extras.terms['pseudo_accepted'], accepted, rtol=1e-6
      )
      state = extras.state
    head = Head(
      prototypes=jnp.zeros((len(state.usage), 4)), in_use=jnp.ones(41, bool)
    )
    after, _ = end_epoch(
      method, state, head, epoch, progress=1.0, num_known=num_known
    )
    np.testing.assert_allclose(
      after.novel_threshold, g[f'step{s}_novel_conf_after_f64'], rtol=1e-5
    )


@pytest.mark.golden
def test_end_of_epoch_as_recorded(golden):
  """Compares heads after pruning; the released code sorts the rows."""
  g = golden('cal')
  for i in indices(g, 'merge', '_end_valid'):
    if g[f'merge{i}_has_ties_at_border']:
      continue
    num_known = int(g[f'merge{i}_num_known'])
    if not np.isclose(g[f'merge{i}_coverage_f64'], prototype_pruning.COVERAGE):
      continue
    usage = jnp.asarray(g[f'merge{i}_usage'], jnp.int32)
    weight = jnp.asarray(g[f'merge{i}_fc_weight'])
    method = CAL(estimate_classes=True, parity_merge=True)
    state = method.init(len(weight), 1).replace(usage=usage)
    head = Head(prototypes=weight, in_use=jnp.ones(len(weight), bool))
    _, head = end_epoch(method, state, head, 0, num_known=num_known)
    assert head.in_use.sum() == g[f'merge{i}_end_valid']
    rows = head.prototypes[head.in_use]
    recorded = g[f'merge{i}_end_fc2'][: len(rows)]
    np.testing.assert_allclose(
      rows[np.lexsort(rows.T)],
      recorded[np.lexsort(recorded.T)],
      rtol=1e-5,
      atol=1e-6,
    )


def test_an_epoch_sets_the_threshold_and_starts_without_sums():
  method = CAL(estimate_classes=True)
  state = method.init(20, 1).replace(
    usage=jnp.arange(20),
    sums=cal_losses.ConfidenceSums(*map(jnp.float32, (8.0, 10, 3.0, 5))),
  )
  head = Head(prototypes=jnp.eye(20), in_use=jnp.ones(20, bool))
  state, _ = end_epoch(method, state, head, 0)
  np.testing.assert_allclose(state.novel_threshold, 0.9 * 0.6 / 0.8, rtol=1e-6)
  assert not state.usage.any() and not np.any(state.sums)


def test_pruning_starts_at_prune_from_epoch():
  method = CAL(estimate_classes=True, prune_from_epoch=2)
  usage = jnp.array([9, 9, 500, 400, 1, 0, 0, 0, 0, 0])
  head = Head(prototypes=jnp.eye(10), in_use=jnp.ones(10, bool))
  state = method.init(10, 1).replace(usage=usage)
  head_after = lambda epoch: end_epoch(method, state, head, epoch)[1]
  assert head_after(1).in_use.sum() == 10
  assert 4 <= head_after(2).in_use.sum() < 10


def test_labels_of_pruned_outputs_do_not_count():
  in_use = jnp.array([True, True, True, False])
  logits = jnp.where(in_use, jnp.eye(4), PRUNED_LOGIT)
  method = CAL(estimate_classes=True)

  def loss(label):
    labels = VisibleLabels(label=jnp.array(label), index=jnp.arange(4))
    view = Outputs(logits=logits, feature=jnp.eye(4))
    context = make_context(
      (view, view),
      labels,
      EpochInfo(epoch=0, progress=0.5, num_known=2),
      method.init(4, 4),
    )
    return method.loss(context)[0]

  np.testing.assert_allclose(loss([0, 1, 3, -1]), loss([0, 1, -1, -1]))
  assert loss([0, 1, 2, -1]) != loss([0, 1, -1, -1])


def test_head_is_wider_only_if_the_classes_are_estimated():
  assert CAL(estimate_classes=True).num_outputs(8) == 80
  assert CAL().num_outputs(8) is None
