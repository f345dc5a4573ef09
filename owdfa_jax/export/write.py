"""Exports a run into a folder that appears complete or not at all."""

import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from input_pipeline import strict_json
from input_pipeline.argument_parser import DATA_FLAG
from input_pipeline.errors import reworded
from input_pipeline.files import LIST_LIMIT, read_text
from input_pipeline.output_folders import (
  check_makeable,
  publish_folder,
  temporary_folder,
)
from input_pipeline.progress_bars import progress_line
from owdfa_jax.evaluation.report_files import REPORT_FILE
from owdfa_jax.evaluation.restore import restore_network
from owdfa_jax.evaluation.seen_sources import attach_sources
from owdfa_jax.evaluation.source_names import no_real_source, split_clusters
from owdfa_jax.experiment import Experiment
from owdfa_jax.export.comparison import compare_with_run
from owdfa_jax.export.describe import (
  baked_parts,
  baked_temperature,
  describe_program,
  describe_run,
)
from owdfa_jax.export.exported_files import (
  CARD_FILE,
  DESCRIPTION_FILE,
  PROGRAM_FILE,
  file_facts,
  read_program,
)
from owdfa_jax.export.load import load_program
from owdfa_jax.export.model_card import render_card
from owdfa_jax.export.program import (
  PLATFORMS,
  export_function,
  network_function,
)
from owdfa_jax.inference.open_run import open_run
from owdfa_jax.inference.prepare import prepare_run
from owdfa_jax.report_fields import current_report

# Errors name settings of other commands; `owdfa export` has options for them.
_OF_EXPORT = {
  '--config.eval.checkpoint=': '--checkpoint=',
  ', or give --config.eval.classify_by=head': '',
}


def export_run(
  run: str | os.PathLike[str],
  out: pathlib.Path,
  checkpoint: str | None = None,
  platforms: Sequence[str] = PLATFORMS,
  licence: str = '',
  data: str | None = None,
) -> dict[str, Any]:
  """Writes the network of a run as a program; of a staged run, the last stage.

  Args:
    run: the folder of the run, or of one of its stages.
    out: the folder to write; nothing is there yet.
    checkpoint: 'best', 'latest' or a step; None: as the run was configured.
    platforms: see `export_function`.
    licence: of the weights, '' if it is not stated.
    data: the packed directory; None for where the run had it.

  Returns:
    The content of `export.json`.

  Raises:
    UserError: there is no such run, it has no network, its centres or sources
      are missing and cannot be made, `out` cannot, or the export differs from
      the run.
  """
  with reworded(_OF_EXPORT):
    opened = open_run(
      run, checkpoint=checkpoint, data=data, data_option=DATA_FLAG
    )
    check_makeable(out)
    experiment = prepare_run(opened, DATA_FLAG)
    restored, seen = attach_sources(experiment, restore_network(experiment))
  split = split_clusters(
    experiment, restored.step, None if seen is None else seen.sample
  )
  parts = baked_parts(experiment, split)
  temperature = baked_temperature(experiment, seen)
  progress_line(f'writing the program for {", ".join(platforms)}')
  function = network_function(experiment, restored, seen, temperature, parts)
  exported = export_function(function, experiment.dataset.image_size, platforms)
  program = bytes(exported.serialize())
  description = describe_run(experiment, restored, seen, split) | {
    'program': {'file': PROGRAM_FILE, **describe_program(exported)},
    'files': {PROGRAM_FILE: file_facts(program)},
  }
  progress_line('loading it back, to compare it with the run')
  with temporary_folder(out) as folder:
    (folder / PROGRAM_FILE).write_bytes(program)
    loaded = load_program(read_program(folder, description), description)
    description['comparison'] = compare_with_run(
      experiment, restored, loaded, temperature, parts
    )
    card = render_card(
      description,
      experiment.dataset.description,
      _report(experiment, restored.step),
      licence,
      no_real_source(experiment.dataset),
    ).encode()
    (folder / CARD_FILE).write_bytes(card)
    description['files'][CARD_FILE] = file_facts(card)
    text = json.dumps(description, indent=2, ensure_ascii=False)
    (folder / DESCRIPTION_FILE).write_text(f'{text}\n', encoding='utf-8')
    publish_folder(folder, out)
  return description


def _report(experiment: Experiment, step: int) -> dict[str, Any] | None:
  """Returns the report of a checkpoint; None if the run has none of it."""
  try:
    text = read_text(experiment.workdir / REPORT_FILE, LIST_LIMIT)
    report = current_report(strict_json.loads(text))
  except (OSError, ValueError, AttributeError):
    return None
  return report if report.get('checkpoint_step') == step else None
