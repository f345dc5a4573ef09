"""SimGCD: each view teaches the other, more sharply as training goes on."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from helpers.batches import CLOCK, make_batch, units
from owdfa_jax.methods.simgcd import SimGCD

KEY = jax.random.key(0)


def two_views():
  first, rows = make_batch(0)
  second, _ = make_batch(1)
  size = len(rows.label)
  return (
    first.replace(projection=units(2, size)),
    second.replace(projection=units(3, size)),
  ), rows


def test_total_is_its_terms():
  outputs, rows = two_views()
  method = SimGCD(supervised_weight=0.25, entropy_weight=3.0)
  total, result = method.loss(outputs, rows, CLOCK, (), KEY)
  t = result.terms
  unsupervised = (
    t['distillation'] - 3 * t['entropy'] + t['unsupervised_contrastive']
  )
  supervised = t['cross_entropy'] + t['supervised_contrastive']
  np.testing.assert_allclose(
    total, 0.75 * unsupervised + 0.25 * supervised, rtol=1e-6
  )


def test_each_view_is_taught_by_the_other_and_teaches_without_gradient():
  outputs, rows = two_views()
  first, second = outputs
  method = SimGCD()

  def distillation(a, b):
    seen = first.replace(logits=a), second.replace(logits=b)
    return method.loss(seen, rows, CLOCK, (), KEY)[1].terms['distillation']

  teacher = [method.teacher(x.logits, CLOCK) for x in outputs]
  student = [jax.nn.log_softmax(x.logits) for x in outputs]
  expected = -sum(
    (t * s).sum(-1).mean() / 2
    for t, s in zip(teacher[::-1], student, strict=True)
  )
  value, gradient = jax.value_and_grad(distillation)(
    first.logits, second.logits
  )
  np.testing.assert_allclose(value, expected, rtol=1e-5)
  alone = jax.grad(
    lambda a: -(teacher[1] * jax.nn.log_softmax(a)).sum(-1).mean() / 2
  )(first.logits)
  np.testing.assert_allclose(gradient, alone, rtol=1e-4, atol=1e-7)


def test_teacher_sharpens_until_warm():
  logits = jnp.array([[2.0, 1.0, 0.0]])
  method = SimGCD(warm_up=0.5)
  sharpness = [
    float(method.teacher(logits, dataclasses.replace(CLOCK, progress=p)).max())
    for p in (0.1, 0.3, 0.5, 1.0)
  ]
  assert sharpness[0] < sharpness[1] < sharpness[2] == sharpness[3]
  np.testing.assert_allclose(
    method.teacher(logits, dataclasses.replace(CLOCK, progress=1.0)),
    jax.nn.softmax(logits / 10 / 0.04),
    rtol=1e-5,
  )
