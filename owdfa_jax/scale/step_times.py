"""Prints what the steps of several methods take on this machine."""

import argparse
import contextlib
import dataclasses
import statistics
from collections.abc import Sequence

import jax

from input_pipeline.dataset import PackedDataset, open_dataset
from input_pipeline.errors import UsageError, reworded
from input_pipeline.text_tables import markdown
from owdfa_jax.parallel import Placement, make_placement
from owdfa_jax.scale.costs import check_steps, note
from owdfa_jax.scale.peaks import PEAKS
from owdfa_jax.scale.program import Sizes, method_config
from owdfa_jax.scale.size_flags import FLAG_WORDS, REFERENCE
from owdfa_jax.scale.timed_methods import (
  TimedMethod,
  measure_wait,
  overhead,
  prepare_method,
  supervised_batches,
  take_turns,
)
from owdfa_jax.training.timed_step import random_batch

HEADER = (
  'method',
  'images/s',
  'ms a step',
  f'times {REFERENCE}',
  'Tflop a step',
  '% of peak',
  'first step, s',
  '% waiting for input',
)
UNKNOWN = '-'


def print_times(
  options: argparse.Namespace,
  methods: Sequence[str],
  backbones: Sequence[str],
) -> None:
  """Prints a table for each backbone and batch.

  Args:
    options: the flags of the command.
    methods: some of `size_flags.METHODS`.
    backbones: keys of `models.backbones.BACKBONES`.

  Raises:
    UserError: the batch does not fit the devices, or the data is damaged or
      has images of another size.
  """
  placement = make_placement()
  dataset = open_dataset(options.data) if options.data else None
  if dataset is not None and dataset.image_size != options.image_size:
    raise UsageError(
      f'other images: --data={options.data} has images of '
      f'{dataset.image_size} pixels; give --image_size={dataset.image_size}'
    )
  tables = [
    _sizes(options, backbone, batch, dataset)
    for backbone in backbones
    for batch in options.batch
  ]
  if dataset is not None and REFERENCE not in methods:
    raise UsageError(
      f'--data={options.data} is read by {REFERENCE} steps; name {REFERENCE} '
      'in --methods too, or leave out --data'
    )
  # Before the first compilation, which may take minutes.
  check_steps(methods, tables, [placement])
  if dataset is not None:
    for sizes in tables:
      with (
        reworded(FLAG_WORDS),
        contextlib.closing(supervised_batches(dataset, sizes)) as batches,
      ):
        next(batches)
  peak = options.peak or PEAKS.get(kind_of(placement), 0.0)
  for sizes in tables:
    timed, too_large = _time(options, methods, sizes, placement, dataset)
    rows = time_rows(timed, sizes.batch, peak * placement.mesh.size)
    rows += [[name, 'does not fit', *[''] * 6] for name in too_large]
    dtype = method_config(methods[0], sizes).model.dtype
    print(
      f'\n{sizes.backbone}, {sizes.image} pixels, {dtype}, {sizes.batch} rows '
      f'on {placement.mesh.size} x {kind_of(placement)}, jax '
      f'{jax.__version__}\n\n{markdown(HEADER, rows, "l" + "r" * 7)}',
      flush=True,
    )


def kind_of(placement: Placement) -> str:
  """Returns JAX's name of the kind of devices, such as 'NVIDIA H200'."""
  return placement.mesh.devices.flat[0].device_kind


def time_rows(
  methods: Sequence[TimedMethod], batch: int, peak: float
) -> list[list[str]]:
  """Returns the cells of the columns `HEADER`, a row for each method.

  Args:
    methods: what was timed.
    batch: rows of the global batch.
    peak: Tflop/s of all devices; 0 if unknown.
  """
  reference = next((x for x in methods if x.name == REFERENCE), None)
  rows = []
  for method in methods:
    seconds = statistics.median(method.seconds)
    rows.append(
      [
        method.name,
        f'{batch / seconds:.0f}',
        f'{1000 * seconds:.1f}',
        f'{overhead(method, reference):.3f}' if reference else UNKNOWN,
        f'{method.flops / 1e12:.3g}',
        f'{method.flops / seconds / 1e10 / peak:.1f}' if peak else UNKNOWN,
        f'{method.compile_seconds:.1f}',
        UNKNOWN if method.wait is None else f'{100 * method.wait:.1f}',
      ]
    )
  return rows


def _sizes(
  options: argparse.Namespace,
  backbone: str,
  batch: int,
  dataset: PackedDataset | None,
) -> Sizes:
  sizes = Sizes(
    batch=batch,
    backbone=backbone,
    image=options.image_size,
    width=options.width,
    pair_within=options.pair_within,
  )
  if dataset is None:
    return sizes
  return dataclasses.replace(
    sizes,
    known=dataset.num_known,
    outputs=dataset.num_classes,
    examples=len(dataset.train),
  )


def _time(
  options: argparse.Namespace,
  methods: Sequence[str],
  sizes: Sizes,
  placement: Placement,
  dataset: PackedDataset | None,
) -> tuple[list[TimedMethod], list[str]]:
  """Returns the timed methods, and the names of those that do not fit."""
  timed, too_large = [], []
  for name in methods:
    note(f'compiling: {name}, {sizes.backbone}, {sizes.batch} rows')
    method = prepare_method(name, sizes, placement)
    if method is None:
      too_large.append(name)
    else:
      timed.append(method)
  if not timed:
    return timed, too_large
  batch = placement.put_batch(
    random_batch(sizes.batch, sizes.image, sizes.known, sizes.outputs)
  )
  # Damaged data ends the command before the turns.
  for method in timed:
    if dataset is not None and method.name == REFERENCE:
      with contextlib.closing(supervised_batches(dataset, sizes)) as batches:
        measure_wait(method, batches, placement, options.rounds * options.steps)
  take_turns(timed, batch, options.rounds, options.steps)
  return timed, too_large
