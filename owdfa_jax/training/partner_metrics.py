"""Measures how well a method pairs unlabelled rows, for the log only."""

import jax
import jax.numpy as jnp

from owdfa_jax.losses import common
from owdfa_jax.methods.base import VisibleLabels


def partner_metrics(
  partners: dict[str, jax.Array],
  true_label: jax.Array,
  labels: VisibleLabels,
  num_known: int,
) -> dict[str, jax.Array]:
  """Returns how many unlabelled rows have a partner, and how many a right one.

  Args:
    partners: for each criterion by name, int32 [B], the partner of each row;
      a row without a partner has itself.
    true_label: int32 [B]; -1 where it is unknown.
    labels: the labels that the loss may know, which tell the labelled rows.
    num_known: number of known classes, which come first.

  Returns:
    float32 [] each, for every criterion:
    <name>_paired: the share of unlabelled rows that have a partner.
    <name>_right: of the unlabelled rows with a partner, the share whose
      partner has the same true label.
    <name>_right_known: the same for rows of known classes.
    <name>_right_novel: the same for rows of novel classes.
    A share of no rows is NaN. So are the last three if the true label of an
    unlabelled row with a partner, or that of the partner, is unknown: shares of
    the other rows would look like shares of all.
  """
  unlabelled = ~labels.labelled
  groups = {
    'right': unlabelled,
    'right_known': unlabelled & (true_label < num_known),
    'right_novel': unlabelled & (true_label >= num_known),
  }
  result = {}
  for name, partner in partners.items():
    paired = unlabelled & (partner != jnp.arange(len(partner)))
    result[f'{name}_paired'] = common.masked_mean(paired, unlabelled)
    has_truth = (true_label >= 0) & (true_label[partner] >= 0)
    every_truth = jnp.all(has_truth | ~paired)
    for suffix, group in groups.items():
      right, counted = partner_accuracy(
        partner=partner, true_label=true_label, counted=group
      )
      result[f'{name}_{suffix}'] = jnp.where(
        every_truth, right / counted, jnp.nan
      )
  return result


def partner_accuracy(
  *, partner: jax.Array, true_label: jax.Array, counted: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Counts the partners that have the row's true class.

  A row without a partner is left out. The released code's meters count it as
  right, which favours a criterion that seldom accepts.

  Args:
    partner: int [B]; a row without a partner has itself.
    true_label: int [B], -1 if unknown; a row is left out if its own or its
      partner's label is unknown.
    counted: bool [B], the rows to count, for instance unlabelled and novel.

  Returns:
    The number of right partners and of all counted ones, int32 [] each.
  """
  counted &= (true_label >= 0) & (true_label[partner] >= 0)
  counted &= partner != jnp.arange(len(partner))
  right = counted & (true_label[partner] == true_label)
  return jnp.sum(right), jnp.sum(counted)
