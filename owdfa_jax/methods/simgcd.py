"""SimGCD: parametric generalized category discovery (Wen et al., ICCV 2023)."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from owdfa_jax.losses import common, contrastive
from owdfa_jax.methods.base import (
  Clock,
  Method,
  Result,
  Rows,
  check_at_least,
)
from owdfa_jax.models.classifier import COSINE_SCALE
from owdfa_jax.models.outputs import Branches, Outputs


@dataclasses.dataclass(frozen=True, kw_only=True)
class SimGCD(Method):
  """Cosine prototypes, each view taught by the other, and contrastive terms.

  Total = (1 - w) (distillation - entropy_weight H + InfoNCE)
  + w (CE + supervised contrastive), w = supervised_weight. The student's
  temperature is that of the head's cosines, 0.1.

  Attributes:
    supervised_weight: lambda of the paper.
    entropy_weight: of the entropy H of the mean prediction; epsilon.
    teacher_temperature: at the start.
    final_teacher_temperature: after the warm-up.
    warm_up: share of the training in which the teacher sharpens.
    unsupervised_temperature: of InfoNCE.
    supervised_temperature: of the supervised contrastive term.
    projection: width of the projection that these two compare.
  """

  supervised_weight: float = 0.35
  entropy_weight: float = 2.0
  teacher_temperature: float = 0.07
  final_teacher_temperature: float = 0.04
  warm_up: float = 0.15
  unsupervised_temperature: float = 1.0
  supervised_temperature: float = 0.07
  projection: int = 256

  def __post_init__(self) -> None:
    check_at_least(1, projection=self.projection)

  @property
  def views(self) -> tuple[str, ...]:
    """Two alike."""
    return ('standard', 'standard')

  @property
  def branches(self) -> Branches:
    """A head of cosines, and a projection."""
    return Branches(cosine=True, projection=self.projection)

  def loss(
    self,
    outputs: tuple[Outputs, ...],
    rows: Rows,
    clock: Clock,
    state: Any,
    key: jax.Array,
  ) -> tuple[jax.Array, Result]:
    """Returns the weighted sum of the five terms."""
    del key
    logits = jnp.concatenate([seen.logits for seen in outputs])
    label, labelled = jnp.tile(rows.label, 2), jnp.tile(rows.labelled, 2)
    first, second = (seen.projection for seen in outputs)
    teacher = self.teacher(jnp.roll(logits, len(rows.label), axis=0), clock)
    student = jax.nn.log_softmax(logits)
    cross_entropy = common.margin_cross_entropy(logits, label, margin=0.0)
    terms = {
      'distillation': -jnp.sum(teacher * student, axis=-1).mean(),
      'entropy': common.mean_prediction_entropy(logits),
      'unsupervised_contrastive': contrastive.info_nce(
        first, second, temperature=self.unsupervised_temperature
      ),
      'cross_entropy': common.masked_mean(cross_entropy, labelled),
      'supervised_contrastive': contrastive.supervised_contrastive(
        first,
        second,
        rows.label,
        rows.labelled,
        temperature=self.supervised_temperature,
      ),
    }
    unsupervised = (
      terms['distillation']
      - self.entropy_weight * terms['entropy']
      + terms['unsupervised_contrastive']
    )
    supervised = terms['cross_entropy'] + terms['supervised_contrastive']
    total = (
      1 - self.supervised_weight
    ) * unsupervised + self.supervised_weight * supervised
    return total, Result(terms=terms, state=state)

  def teacher(self, logits: jax.Array, clock: Clock) -> jax.Array:
    """What a view is taught by the other's logits [B, K]: a sharper softmax,
    without gradient.
    """
    warmed = jnp.minimum(clock.progress / self.warm_up, 1)
    temperature = self.teacher_temperature + warmed * (
      self.final_teacher_temperature - self.teacher_temperature
    )
    cosine = jax.lax.stop_gradient(logits) / COSINE_SCALE
    return jax.nn.softmax(cosine / temperature)
