"""Compiles the steps of several methods and prints their costs."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import jax

from owdfa_jax.parallel import Placement
from owdfa_jax.scale.chips import placement_of
from owdfa_jax.scale.program import (
  Cost,
  Sizes,
  lower_loss,
  lower_step,
  step_cost,
)
from owdfa_jax.scale.table import cost_table
from owdfa_jax.training.progress import say

# By the values of --part.
LOWER: dict[str, Callable[[str, Sizes, Placement], Any]] = {
  'step': lower_step,
  'loss': lower_loss,
}


def print_costs(
  options: argparse.Namespace,
  methods: Sequence[str],
  backbones: Sequence[str],
  effort: float,
) -> None:
  """Prints a table for each backbone.

  Args:
    options: the flags of the command.
    methods: keys of `methods.by_name.METHODS`.
    backbones: keys of `models.backbones.BACKBONES`.
    effort: of the compiler, from -1 to 1; 0 is its default.

  Raises:
    UserError: the chips are unknown, or the batch does not fit them.
  """
  if effort:
    jax.config.update('jax_exec_time_optimization_effort', effort)
  placement = placement_of(options.topology, options.devices)
  count = placement.mesh.size
  kind = placement.mesh.devices.flat[0].device_kind
  for backbone in backbones:
    sizes = Sizes(
      batch=options.batch,
      backbone=backbone,
      image=options.image_size,
      width=options.width,
      pair_within=options.pair_within,
    )
    lower = LOWER[options.part]
    costs = {name: _cost(name, lower, sizes, placement) for name in methods}
    say(
      f'\n{options.part}, {backbone}, {sizes.image} pixels, {sizes.batch} '
      f'rows on {count} x {kind}; of each chip:\n\n{cost_table(costs)}'
    )


def _cost(
  method: str,
  lower: Callable[[str, Sizes, Placement], Any],
  sizes: Sizes,
  placement: Placement,
) -> Cost | None:
  """Returns what a step costs, or None if its memory exceeds a chip's."""
  say(f'compiling: {method}, {sizes.backbone}')
  lowered = lower(method, sizes, placement)
  try:
    return step_cost(lowered.compile())
  except jax.errors.JaxRuntimeError as error:
    if 'RESOURCE_EXHAUSTED' not in str(error):
      raise
    say(f'{method} does not fit: {str(error).splitlines()[0]}', always=True)
    return None
