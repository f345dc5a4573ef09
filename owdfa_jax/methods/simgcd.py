"""SimGCD: parametric classification for generalized category discovery."""

import dataclasses

import jax
import jax.numpy as jnp
from typing_extensions import override

from owdfa_jax.losses import common, contrastive
from owdfa_jax.methods.base import Context, EpochInfo, LossExtras, Method
from owdfa_jax.methods.parameters import SimGCDParameters
from owdfa_jax.models.classifier import COSINE_SCALE
from owdfa_jax.models.outputs import Branches


@dataclasses.dataclass(frozen=True, kw_only=True)
class SimGCD(SimGCDParameters, Method):
  """Cosine prototypes, self-distillation between views, contrastive terms.

  L = (1 - lambda) (L_distillation - epsilon H + L_unsupervised)
  + lambda (L_CE + L_supervised), where the last term of each bracket is
  contrastive. The student's temperature is 0.1, as the head multiplies cosines
  by 10.

  References:
    Wen et al., Parametric Classification for Generalized Category Discovery: A
    Baseline Study, ICCV 2023.
  """

  @property
  @override
  def views(self) -> tuple[str, ...]:
    return ('standard', 'standard')

  @property
  @override
  def branches(self) -> Branches:
    return Branches(cosine=True, projection=self.projection)

  @override
  def loss(self, context: Context) -> tuple[jax.Array, LossExtras]:
    labels = context.labels
    # Both views' rows below each other, [2 B, K].
    logits = jnp.concatenate([view.logits for view in context.outputs])
    label, labelled = jnp.tile(labels.label, 2), jnp.tile(labels.labelled, 2)
    first, second = (view.projection for view in context.outputs)
    # Rolled by B, each row learns from the other view of its image.
    teacher = self.teacher(
      jnp.roll(logits, len(labels.label), axis=0), context.epoch_info
    )
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
        labels.label,
        labels.labelled,
        temperature=self.supervised_temperature,
      ),
    }
    unsupervised = (
      terms['distillation']
      - self.entropy_weight * terms['entropy']
      + terms['unsupervised_contrastive']
    )
    supervised = terms['cross_entropy'] + terms['supervised_contrastive']
    share = self.supervised_weight
    total = (1 - share) * unsupervised + share * supervised
    return total, LossExtras(terms=terms, state=context.state)

  def teacher(self, logits: jax.Array, epoch_info: EpochInfo) -> jax.Array:
    """Returns the target distribution that logits give the other view.

    A softmax at the teacher's temperature, which falls during the warm-up; no
    gradient.

    Args:
      logits: float32 [N, K], the cosine head's.
      epoch_info: gives the progress, by which the temperature falls.

    Returns:
      float32 [N, K].
    """
    # A soft target at first, while the views' predictions are still poor.
    warmed = jnp.minimum(epoch_info.progress / self.warm_up, 1)
    temperature = self.teacher_temperature + warmed * (
      self.final_teacher_temperature - self.teacher_temperature
    )
    cosine = jax.lax.stop_gradient(logits) / COSINE_SCALE
    return jax.nn.softmax(cosine / temperature)
