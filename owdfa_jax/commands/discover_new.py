"""`owdfa discover --workdir`: groups new images by the features of a run."""

import collections
import json
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ml_collections.config_flags import config_path

from input_pipeline.errors import UserError
from input_pipeline.escape import terminal
from input_pipeline.files import absolute, write_whole
from input_pipeline.image_folders import FolderScan, skipped_lines
from input_pipeline.number_ranges import NumberRange
from input_pipeline.original_sizes import unlike_lines
from input_pipeline.output_folders import (
  check_makeable,
  publish_folder,
  temporary_folder,
)
from input_pipeline.text_tables import aligned
from owdfa_jax import configs
from owdfa_jax.commands.recorded_run import check_recorded
from owdfa_jax.discovery.num_sources import cannot_estimate
from owdfa_jax.setting_ranges import MOST_OUTPUTS
from owdfa_jax.training.manifest import checkpoint_digest
from owdfa_jax.training.recorded_config import (
  check_overrides,
  recorded_config,
  run_folders,
)
from owdfa_jax.training.run_data import inputs_with_images

if TYPE_CHECKING:
  from owdfa_jax.inference.new_sources import NewSources

CLUSTERS_FILE, SUMMARY_FILE = 'clusters.csv', 'summary.json'
_COLUMNS = ('image', 'cluster', 'confidence', 'verdict', 'source', 'error')
_CLUSTERS = NumberRange(1, MOST_OUTPUTS, whole=True, optional=True)


def discover_with_run(
  workdir: str,
  heap: FolderScan,
  out: str,
  *,
  settings: Sequence[str] = (),
  clusters: int | None = None,
  every: bool = False,
) -> None:
  """Groups images of none of the sources of a run; writes a table of them.

  Args:
    workdir: the run.
    heap: the images, and files that are none.
    out: a new folder; it is there only once it is complete.
    settings: of the evaluation, each as 'field=value'.
    clusters: the number of groups; None for the estimated number of sources.
    every: groups all images, also those of known and found sources.

  Raises:
    UserError: the run or a value does not fit, the folder exists, or the
      number of groups is not given and the data for an estimate is not there.
  """
  _CLUSTERS.check('--clusters', clusters)
  folder = pathlib.Path(absolute(out, '--out'))
  if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
    raise UserError(f'the folder exists: --out={out}; give a new one')
  inputs = check_recorded(
    workdir, 'attribute', _values(workdir, settings), writes=False
  )[-1]
  if clusters is None and not inputs.dataset.has_images:
    # For the estimate. Reading the heap takes long, so it comes after this.
    try:
      inputs_with_images(inputs.config, inputs.workdir)
    except UserError as error:
      raise cannot_estimate(str(error)) from error
  check_makeable(folder)

  # Imports JAX, which takes seconds, only once the command is known to be
  # right.
  from owdfa_jax.commands import startup
  from owdfa_jax.evaluation.source_names import no_real_source
  from owdfa_jax.experiment import build_experiment
  from owdfa_jax.inference.new_sources import find_new_sources
  from owdfa_jax.inference.prepare import prepare_run
  from owdfa_jax.library_logs import silence_libraries

  silence_libraries()
  startup.use_compilation_cache(inputs.config.compilation_cache)
  with startup.one_line_out_of_memory():
    experiment = prepare_run(build_experiment(inputs, trains=False))
    found = find_new_sources(
      experiment, heap.images, clusters=clusters, every=every
    )
  summary = _summary(found, heap, str(inputs.workdir))
  with temporary_folder(folder) as staging:
    _write(staging, found, heap, summary)
    publish_folder(staging, folder)
  sides = [answer.side for answer in found.answers if answer.side]
  for line in [
    *skipped_lines([heap]),
    *_lines(summary),
    *unlike_lines(sides, experiment.dataset.description),
  ]:
    print(terminal(line))
  line = no_real_source(experiment.dataset)
  if line and sides:
    print(f'warning: {line}')
  if summary['clusters']:
    print(_table(summary))
  print(terminal(f'written: {folder / CLUSTERS_FILE}, {SUMMARY_FILE}'))


def _values(workdir: str, settings: Sequence[str]) -> dict[str, Any]:
  """Returns the values of settings by their fields."""
  fields = [each.partition('=')[0] for each in settings]
  check_overrides(fields, workdir)
  config = recorded_config(run_folders(workdir)[-1])
  for each in settings:
    configs.override(config, each, f'--config.{each}')
  return {field: config_path.get_value(field, config) for field in fields}


def _summary(
  found: 'NewSources', heap: FolderScan, workdir: str
) -> dict[str, Any]:
  """Returns the content of `summary.json`."""
  unreadable = sum(x.error is not None for x in found.answers)
  # The run was not asked for these.
  more = len(heap.unreadable.keys() - heap.others.keys())
  verdicts = collections.Counter(
    answer.verdict for answer in found.answers if answer.verdict is not None
  )
  clusters = {}
  for number in np.unique(found.cluster[found.cluster >= 0]).tolist():
    confidence = found.confidence[found.cluster == number]
    clusters[_name(number)] = {
      'images': len(confidence),
      'mean_confidence': _finite(float(confidence.mean())),
    }
  estimate = None
  if found.estimate is not None:
    one = found.estimate
    estimate = {
      'number': one.number,
      'known': found.num_known,
      'low': one.low,
      'high': one.high,
      'doubt': one.doubt,
    }
  return {
    'run': workdir,
    'checkpoint_step': int(found.checkpoint.name),
    'checkpoint': checkpoint_digest(found.checkpoint),
    'num_images': len(found.answers) + more,
    'num_unreadable': unreadable + more,
    'num_not_images': len(heap.others),
    'verdicts': dict(sorted(verdicts.items())),
    'num_grouped': int((found.cluster >= 0).sum()),
    'estimated_sources': estimate,
    'no_estimate': found.no_estimate or None,
    'clusters': clusters,
  }


def _finite(value: float) -> float | None:
  """Returns a number for JSON; None for NaN, as where there is one cluster."""
  return None if np.isnan(value) else round(value, 4)


def _name(number: int) -> str | None:
  return None if number < 0 else f'new-{number + 1}'


def _write(
  folder: pathlib.Path,
  found: 'NewSources',
  heap: FolderScan,
  summary: Mapping[str, Any],
) -> None:
  """Writes the table and the summary."""
  from owdfa_jax.inference.tables import write_csv

  write_csv(folder / CLUSTERS_FILE, _COLUMNS, _rows(found, heap))
  with write_whole(
    folder / SUMMARY_FILE, text=True, what='the summary'
  ) as file:
    file.write(json.dumps(summary, indent=2, allow_nan=False) + '\n')


def _rows(found: 'NewSources', heap: FolderScan) -> Iterator[dict[str, Any]]:
  """Yields a row of the table for each file."""
  for answer, number, confidence in zip(
    found.answers,
    found.cluster.tolist(),
    found.confidence.tolist(),
    strict=True,
  ):
    yield {
      'image': os.fspath(answer.image),
      'cluster': _name(number),
      'confidence': _finite(confidence),
      'verdict': answer.verdict,
      'source': answer.source,
      'error': answer.error,
    }
  for path, why in sorted({**heap.others, **heap.unreadable}.items()):
    yield {'image': path, 'error': why}


def _lines(summary: Mapping[str, Any]) -> list[str]:
  """Returns the summary as lines for a terminal."""
  counts = [f'{n} {verdict}' for verdict, n in summary['verdicts'].items()]
  unreadable, others = summary['num_unreadable'], summary['num_not_images']
  if unreadable:
    counts.append(f'{unreadable} cannot be read')
  grouped, aside = summary['num_grouped'], summary['num_images'] - unreadable
  lines = [
    f'images: {summary["num_images"]} ({", ".join(counts)})'
    + (f'; {others} no image' if others else ''),
    f'set aside, of known or found sources: {aside - grouped}; grouped: '
    f'{grouped}',
  ]
  if not grouped:
    return [*lines, 'no image is of a new source (--all groups all of them)']
  found = summary['estimated_sources']
  if found is None:
    return [*lines, f'no estimate of the number: {summary["no_estimate"]}']
  what = 'new sources'
  if found['known']:
    what = f'sources, {found["known"]} known ones included'
  lines.append(
    f'number of {what}: {found["number"]} ({found["low"]} to {found["high"]})'
  )
  if found['doubt']:
    lines.append(
      f'warning: {found["doubt"]}, so the estimate is not reliable; --clusters '
      'gives another number of groups'
    )
  return lines


def _table(summary: Mapping[str, Any]) -> str:
  rows = [
    [name, str(each['images']), str(each['mean_confidence'] or '')]
    for name, each in summary['clusters'].items()
  ]
  return aligned(['cluster', 'images', 'mean confidence'], rows, 'lrr')
