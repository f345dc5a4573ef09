"""Measures how well a method pairs unlabelled rows, for the log only."""

import jax
import jax.numpy as jnp

from owdfa_jax.losses import common, pairing
from owdfa_jax.methods.base import Rows


def partner_metrics(
  partners: dict[str, jax.Array],
  true_label: jax.Array,
  rows: Rows,
  num_known: int,
) -> dict[str, jax.Array]:
  """Returns how many unlabelled rows have a partner, and how many a right one.

  Args:
    partners: by the name of the criterion, int32 [B], the partner of each row;
      a row without a partner has itself.
    true_label: int32 [B]; -1 where it is unknown.
    rows: of the batch.
    num_known: number of known classes, which come first.

  Returns:
    float32 [] each, for every criterion:
    <name>_paired: the share of unlabelled rows that have a partner.
    <name>_right: of the unlabelled rows with a partner, the share whose
      partner has the same true label.
    <name>_right_known: the same for rows of known classes.
    <name>_right_novel: the same for rows of novel classes.
    A share of no rows is NaN.
  """
  unlabelled = ~rows.labelled
  groups = {
    'right': unlabelled,
    'right_known': unlabelled & (true_label < num_known),
    'right_novel': unlabelled & (true_label >= num_known),
  }
  result = {}
  for name, partner in partners.items():
    paired = unlabelled & (partner != jnp.arange(len(partner)))
    result[f'{name}_paired'] = common.masked_mean(paired, unlabelled)
    for suffix, group in groups.items():
      right, counted = pairing.partner_accuracy(partner, true_label, group)
      result[f'{name}_{suffix}'] = right / counted
  return result
