"""Reads what a page shows from the files of an evaluated run, without jax."""

import csv
import dataclasses
import hashlib
import io
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath

from input_pipeline import escape, strict_json
from input_pipeline.errors import UserError
from input_pipeline.files import LIST_LIMIT, read_text
from owdfa_jax.evaluation.heap_record import (
  made_by,
  read_heap_record,
  what_changed,
)
from owdfa_jax.evaluation.names_checks import names_of_parts
from owdfa_jax.evaluation.names_file import (
  NAMES_FILE,
  names_of_clusters,
  read_names,
)
from owdfa_jax.evaluation.report_files import (
  ATTRIBUTIONS_FILE,
  GROUP_ATTRIBUTIONS_FILE,
  REPORT_FILE,
)
from owdfa_jax.evaluation.shared_names import (
  first_of_names,
  output_names_of_table,
)
from owdfa_jax.page.heap_answers import HeapAnswers, read_heap
from owdfa_jax.page.verdicts import Verdicts, name_verdicts
from owdfa_jax.report_fields import GIVEN_NAMES, current_report, main_figures
from owdfa_jax.training.metric_lines import METRICS_FILE, read_lines
from owdfa_jax.training.run_data import recorded_num_outputs
from owdfa_jax.training.run_record import CONFIG_FILE

# A leaderboard writes it beside the report.
MACHINE_FILE = 'machine.json'
_REMEDY = 'evaluate the run again (`owdfa eval`)'


@dataclasses.dataclass(frozen=True)
class RunFiles:
  """The files of a run that has been evaluated on its test images.

  Attributes:
    workdir: the folder of the run, or of the last stage.
    name: the run's name, of its folder.
    config: the recorded settings.
    report: the content of `report.json`.
    verdicts: one for each test image, or for each group, by output.
    named: the same by the name of the output: of several outputs of one name,
      the first stands for all.
    given: the names that the user gave to outputs.
    parts: the names of the parts of each output that the user split.
    adds_up: whether the confidences of `named` are those of names; without, of
      single outputs, because the evaluation did not know the names.
    num_known: the number of known classes.
    history: the lines of `metrics.jsonl` with an evaluation, in order.
    digest: of the table of test images, which the galleries are made from.
    machine: what trained it, as a leaderboard records it; '' if unknown.
    heap: the answers for the heap, of a run that `owdfa discover` made.
  """

  workdir: pathlib.Path
  name: str
  config: dict[str, Any]
  report: dict[str, Any]
  verdicts: Verdicts
  named: Verdicts
  given: dict[int, str]
  adds_up: bool
  num_known: int
  history: list[dict[str, Any]]
  digest: str
  machine: str = ''
  heap: HeapAnswers | None = None
  parts: Mapping[int, Sequence[str]] = dataclasses.field(default_factory=dict)

  @property
  def figures(self) -> Mapping[str, Any]:
    """The figures of the verdicts, or of the images without groups."""
    return main_figures(self.report)

  @property
  def num_outputs(self) -> int:
    """The number of outputs that images got."""
    return len(np.unique(self.verdicts.output))

  def first_output(self, output: int) -> int:
    """Returns the first output of the same name."""
    return first_of_names(self.named.name).get(output, output)


def read_run(
  workdir: pathlib.Path,
  name: str = '',
  folder: pathlib.Path | None = None,
) -> RunFiles:
  """Reads the files of an evaluated run.

  Args:
    workdir: the folder of a run, or of one stage.
    name: how the page calls it; '' takes the name of the folder.
    folder: of the run, or of all stages, whose heap is read; None reads none.

  Raises:
    UserError: the run was not evaluated on the test split, a file is damaged,
      or its names are of other clusters.
  """
  config = _read_object(workdir / CONFIG_FILE)
  report = current_report(_read_object(workdir / REPORT_FILE))
  text = _read(workdir / ATTRIBUTIONS_FILE)
  try:
    images, groups = _lines_of_tables(text, workdir)
    entries = main_figures(report)['per_class']
    if not isinstance(entries, list):
      raise ValueError('per_class is not a list')
    used = dict(report.get(GIVEN_NAMES, {}))
    verdicts = _verdicts(images, groups, used, entries)
    num_known = _num_known(config, entries, verdicts.name)
    given = _given(workdir, report, verdicts.name, num_known)
    parts = _parts(workdir, report)
    adds_up = used == {f'novel-{k}': name for k, name in given.items()}
    lines = images if groups is None else groups
    named = name_verdicts(verdicts, _said(lines) if adds_up else None, given)
  except (KeyError, TypeError, ValueError) as error:
    raise UserError(
      f'files that do not match: {REPORT_FILE}, {ATTRIBUTIONS_FILE} of '
      f'{workdir} ({error}); {_REMEDY}'
    ) from error
  return RunFiles(
    workdir=workdir,
    name=name or workdir.name,
    config=config,
    report=report,
    verdicts=verdicts,
    named=named,
    given=given,
    adds_up=adds_up,
    num_known=num_known,
    history=[
      line
      for line in read_lines(workdir / METRICS_FILE)
      if 'eval/known_acc' in line
    ],
    digest=hashlib.sha256(text.encode()).hexdigest(),
    machine=_read_machine(workdir / MACHINE_FILE),
    heap=None
    if folder is None
    else _read_heap(folder, workdir, report, num_known, given, parts),
    parts={k: names_of_parts(k, names) for k, names in parts.items()},
  )


def _read_heap(
  folder: pathlib.Path,
  workdir: pathlib.Path,
  report: Mapping[str, Any],
  num_known: int,
  given: Mapping[int, str],
  parts: Mapping[int, Sequence[str]],
) -> HeapAnswers | None:
  """Returns the answers for the heap, and what has changed since; or None."""
  heap = read_heap(folder, num_known, given, parts)
  if heap is None:
    return None
  record = read_heap_record(folder).table
  if record is None:
    # By an earlier version: the table itself tells other names.
    changed = '' if heap.is_current else 'the names'
    return dataclasses.replace(heap, changed=changed)
  by = report.get('classified_by', 'head')
  now = made_by(workdir, report['checkpoint_step'], by)
  return dataclasses.replace(
    heap, step=record.get('step'), changed=what_changed(record, now)
  )


def _lines_of_tables(
  text: str, workdir: pathlib.Path
) -> tuple[list[dict[str, str]], list[dict[str, str]] | None]:
  """Returns the lines of the images and those of the groups, if there are any.

  Args:
    text: the table of the images.
    workdir: has that of the groups.
  """
  images = [*csv.DictReader(io.StringIO(text, newline=''))]
  if not images:
    raise ValueError('there are no images')
  # A run of tiles or frames has a verdict for each group.
  if 'group' not in images[0]:
    return images, None
  table = _read(workdir / GROUP_ATTRIBUTIONS_FILE)
  return images, [*csv.DictReader(io.StringIO(table, newline=''))]


def _num_known(
  config: Mapping[str, Any],
  entries: Sequence[Mapping[str, Any]],
  names: Mapping[int, str],
) -> int:
  """Returns the number of known classes.

  Args:
    config: the recorded settings.
    entries: `per_class` of the report.
    names: of the outputs that occur.
  """
  known = config.get('data', {}).get('num_known')
  if known is not None:
    return int(known)
  known = [x['label'] for x in entries if x['known']]
  novel = [k for k, v in names.items() if v == f'novel-{k}']
  return max(known, default=min(novel, default=0) - 1) + 1


def _given(
  workdir: pathlib.Path,
  report: Mapping[str, Any],
  names: Mapping[int, str],
  num_known: int,
) -> dict[int, str]:
  """Returns the names that the user gave to the clusters of a report."""
  step = report.get('checkpoint_step')
  if step is None:  # a spectrum without a network
    return {}
  if not (workdir / NAMES_FILE).exists():
    return {}
  known = [names.get(k, f'output {k}') for k in range(num_known)]
  by = report.get('classified_by', 'head')
  return names_of_clusters(
    workdir, step, by, known, recorded_num_outputs(epath.Path(workdir))
  )


def _parts(
  workdir: pathlib.Path, report: Mapping[str, Any]
) -> Mapping[int, Sequence[str]]:
  """Returns the names of the parts of split clusters, '' for none."""
  if report.get('checkpoint_step') is None:
    return {}
  found = read_names(workdir)
  return {} if found is None else found.parts


def _said(lines: list[dict[str, str]]) -> list[str]:
  return [escape.from_spreadsheet(line['source']) for line in lines]


def _verdicts(
  images: list[dict[str, str]],
  groups: list[dict[str, str]] | None,
  used: Mapping[str, str],
  entries: Sequence[Mapping[str, Any]],
) -> Verdicts:
  """Returns the verdicts of the lines of the tables, by output."""
  lines = images if groups is None else groups
  if groups is None:
    group = np.arange(len(images))
  else:
    # A group has the path of its first image. Two groups may have the same
    # path only if the data has it twice; they then share a place.
    place = {line['image']: number for number, line in enumerate(groups)}
    group = np.array([place[line['group']] for line in images])
  row = np.full(len(lines), -1)
  # Backwards, so that the first row of each group stays.
  row[group[::-1]] = np.arange(len(images))[::-1]
  output = np.array([int(line['output']) for line in lines])
  return Verdicts(
    image=[escape.from_spreadsheet(line['image']) for line in lines],
    row=row,
    output=output,
    confidence=np.array([float(line['confidence']) for line in lines]),
    source=[escape.from_spreadsheet(line['true_source']) for line in lines],
    name=output_names_of_table(output, _said(lines), used, entries),
    group=group,
  )


def _read_machine(path: pathlib.Path) -> str:
  """Returns what trained a run; '' without a record."""
  try:
    return str(strict_json.loads(read_text(path))['machine'])
  except (OSError, ValueError, KeyError, TypeError):
    return ''


def _read_object(path: pathlib.Path) -> dict[str, Any]:
  """Returns the object in a JSON file of the run."""
  reason = 'not an object'
  try:
    content = strict_json.loads(_read(path))
    if isinstance(content, dict):
      return content
  except ValueError as error:
    reason = str(error)
  raise UserError(f'a damaged file: {path} ({reason}); {_REMEDY}')


def _read(path: pathlib.Path) -> str:
  try:
    return read_text(path, LIST_LIMIT)
  except UnicodeDecodeError as error:
    raise UserError(f'a damaged file: {path} (not UTF-8); {_REMEDY}') from error
  except OSError as error:
    raise UserError(
      f'no evaluation to show: cannot read {path} ({error.strerror}); evaluate '
      'the run on its test images (`owdfa eval`)'
    ) from error
