"""Compiles the steps of several methods and prints their costs."""

import argparse
import dataclasses
import sys
from collections.abc import Callable, Sequence
from typing import Any

import jax

from input_pipeline.errors import UserError, reworded
from input_pipeline.escape import terminal_lines
from input_pipeline.progress_bars import is_quiet
from owdfa_jax.parallel import Placement
from owdfa_jax.scale.chips import chip_options, kept_name, placement_of
from owdfa_jax.scale.kept_rows import KeptRows
from owdfa_jax.scale.program import (
  Cost,
  Sizes,
  check_devices,
  lower_loss,
  lower_step,
  method_config,
  step_cost,
  step_training,
)
from owdfa_jax.scale.size_flags import FLAG_WORDS, REFERENCE
from owdfa_jax.scale.table import CostTable

# By the values of --part.
LOWER: dict[str, Callable[[str, Sizes, Placement], Any]] = {
  'step': lower_step,
  'loss': lower_loss,
}


def print_costs(
  options: argparse.Namespace,
  methods: Sequence[str],
  backbones: Sequence[str],
  counts: Sequence[int],
  effort: float,
) -> None:
  """Prints a table for each number of devices and each backbone.

  Args:
    options: the flags of the command.
    methods: some of `size_flags.METHODS`.
    backbones: keys of `models.backbones.BACKBONES`.
    counts: numbers of devices; 0 stands for all.
    effort: of the compiler, from -1 to 1; 0 is its default.

  Raises:
    UserError: the chips are unknown, the batch does not fit them, the images
      are too small for a method, or the compiler failed for some methods. The
      others' rows are printed then.
  """
  if effort:
    jax.config.update('jax_exec_time_optimization_effort', effort)
  placements = [placement_of(options.topology, count) for count in counts]
  sizes = [
    Sizes(
      batch=options.batch,
      backbone=backbone,
      image=options.image_size,
      width=options.width,
      pair_within=options.pair_within,
    )
    for backbone in backbones
  ]
  kept = KeptRows(options.out)
  # Before the first compilation, which may take an hour.
  check_steps(methods, sizes, placements)
  kept.begin()
  failed = [
    failure
    for placement in placements
    for size in sizes
    for failure in _print_table(options, methods, size, placement, kept)
  ]
  if failed:
    raise UserError(
      f'not compiled: {", ".join(failed)}; the reason stands above'
    )


def check_steps(
  methods: Sequence[str],
  tables: Sequence[Sizes],
  placements: Sequence[Placement],
) -> None:
  """Raises `UserError` where a step cannot be made, in the words of flags.

  Args:
    methods: some of `size_flags.METHODS`.
    tables: the sizes of each table.
    placements: the devices of each table; they need not be there.
  """
  with reworded(FLAG_WORDS):
    for sizes in tables:
      for method in methods:
        config = method_config(method, sizes)
        for placement in placements:
          check_devices(config, placement)
        step_training(config, sizes, placements[0])


def _print_table(
  options: argparse.Namespace,
  methods: Sequence[str],
  sizes: Sizes,
  placement: Placement,
  kept: KeptRows,
) -> list[str]:
  """Prints the table of a backbone; returns what could not be compiled."""
  kind = placement.mesh.devices.flat[0].device_kind
  table = CostTable(
    f'{options.part}, {sizes.backbone}, {sizes.image} pixels, {sizes.batch} '
    f'rows on {placement.mesh.size} x {kind}',
    ['method'],
  )
  lower = LOWER[options.part]
  program = {
    'topology': kept_name(options.topology, placement),
    'devices': placement.mesh.size,
    'part': options.part,
    'effort': options.effort,
    **dataclasses.asdict(sizes),
  }
  reference = _cost(kept.find({**program, 'method': REFERENCE}))
  failed = []
  # The others are compared with it.
  for method in sorted(methods, key=lambda name: name != REFERENCE):
    of = {**program, 'method': method}
    row = kept.find(of)
    if row is None:
      note(f'compiling: {method}, {sizes.backbone}')
      try:
        lowered = lower(method, sizes, placement)
        row = kept.keep(of, compiled_cost(lowered, options.topology))
      except jax.errors.JaxRuntimeError as error:
        note(f'{method}, {sizes.backbone}: {error}', always=True)
        failed.append(f'{method}, {sizes.backbone}')
        continue
    cost = _cost(row)
    if method == REFERENCE:
      reference = cost
    table.add([method], cost, reference)
  return failed


def _cost(row: dict[str, Any] | None) -> Cost | None:
  return Cost(**row['cost']) if row and row['cost'] else None


def compiled_cost(lowered: Any, topology: str) -> dict[str, Any] | None:
  """Compiles a program and counts what it costs.

  Args:
    lowered: the program, a `jax.stages.Lowered`.
    topology: that it was traced for.

  Returns:
    The fields of a `Cost`; None if the memory exceeds a chip's.

  Raises:
    JaxRuntimeError: the compiler failed for another reason.
  """
  try:
    compiled = lowered.compile(chip_options(topology) or None)
    return dataclasses.asdict(step_cost(compiled))
  except jax.errors.JaxRuntimeError as error:
    if 'RESOURCE_EXHAUSTED' not in str(error):
      raise
    note(f'does not fit: {str(error).splitlines()[0]}', always=True)
    return None


def note(line: str, *, always: bool = False) -> None:
  """Prints a line that is no part of a table, on stderr.

  Args:
    line: the text; line ends become spaces.
    always: whether -q shows it too.
  """
  if always or not is_quiet():
    print(terminal_lines(' '.join(line.split())), file=sys.stderr, flush=True)
