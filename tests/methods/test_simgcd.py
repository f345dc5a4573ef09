"""SimGCD: each view teaches the other, more sharply as training goes on."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from helpers.batches import (
  EPOCH_INFO,
  make_context,
  make_two_views,
  random_unit_vectors,
)
from owdfa_jax.methods.simgcd import SimGCD


def make_projected_views():
  """Returns two views that have projections, and their rows."""
  (first, second), labels = make_two_views()
  size = len(labels.label)
  return (
    first.replace(projection=random_unit_vectors(2, size)),
    second.replace(projection=random_unit_vectors(3, size)),
  ), labels


def test_total_is_the_weighted_sum_of_its_terms():
  outputs, labels = make_projected_views()
  method = SimGCD(supervised_weight=0.25, entropy_weight=3.0)
  total, extras = method.loss(make_context(outputs, labels))
  terms = extras.terms
  unsupervised = (
    terms['distillation']
    - 3 * terms['entropy']
    + terms['unsupervised_contrastive']
  )
  supervised = terms['cross_entropy'] + terms['supervised_contrastive']
  np.testing.assert_allclose(
    total, 0.75 * unsupervised + 0.25 * supervised, rtol=1e-6
  )


def test_each_view_learns_from_the_other_which_gets_no_gradient():
  outputs, labels = make_projected_views()
  first, second = outputs
  method = SimGCD()

  def distillation(first_logits, second_logits):
    views = (
      first.replace(logits=first_logits),
      second.replace(logits=second_logits),
    )
    context = make_context(views, labels)
    return method.loss(context)[1].terms['distillation']

  teacher = [method.teacher(view.logits, EPOCH_INFO) for view in outputs]
  student = [jax.nn.log_softmax(view.logits) for view in outputs]
  expected = -sum(
    (t * s).sum(-1).mean() / 2
    for t, s in zip(teacher[::-1], student, strict=True)
  )
  value, gradient = jax.value_and_grad(distillation)(
    first.logits, second.logits
  )
  np.testing.assert_allclose(value, expected, rtol=1e-5)
  as_student = jax.grad(
    lambda a: -(teacher[1] * jax.nn.log_softmax(a)).sum(-1).mean() / 2
  )(first.logits)
  np.testing.assert_allclose(gradient, as_student, rtol=1e-4, atol=1e-7)


def test_teacher_sharpens_until_the_warm_up_ends():
  logits = jnp.array([[2.0, 1.0, 0.0]])
  method = SimGCD(warm_up=0.5)
  at = lambda progress: dataclasses.replace(EPOCH_INFO, progress=progress)
  sharpness = [
    float(method.teacher(logits, at(progress)).max())
    for progress in (0.1, 0.3, 0.5, 1.0)
  ]
  assert sharpness[0] < sharpness[1] < sharpness[2] == sharpness[3]
  np.testing.assert_allclose(
    method.teacher(logits, at(1.0)),
    jax.nn.softmax(logits / 10 / 0.04),
    rtol=1e-5,
  )
