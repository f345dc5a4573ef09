"""Reads what a page shows from the files of an evaluated run, without jax."""

import csv
import dataclasses
import hashlib
import io
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from input_pipeline import escape, strict_json
from input_pipeline.errors import UserError
from input_pipeline.files import LIST_LIMIT, read_text
from owdfa_jax.evaluation.report_files import (
  ATTRIBUTIONS_FILE,
  GROUP_ATTRIBUTIONS_FILE,
  REPORT_FILE,
)
from owdfa_jax.report_fields import current_report, main_figures
from owdfa_jax.training.metric_lines import METRICS_FILE, read_lines
from owdfa_jax.training.run_record import CONFIG_FILE

# A leaderboard writes it beside the report.
MACHINE_FILE = 'machine.json'
_REMEDY = 'evaluate the run again with --mode=eval'


@dataclasses.dataclass(frozen=True)
class Verdicts:
  """The answers for N test images, or for N groups of them.

  Attributes:
    image: the path of each image, or of the first image of each group.
    row: int [N], its row of the test split.
    output: int [N].
    confidence: float [N].
    source: the true source of each, '' where it is unknown.
    name: the name of each output that occurs.
    group: int [M], for each of M test rows its place among the N.
  """

  image: list[str]
  row: np.ndarray
  output: np.ndarray
  confidence: np.ndarray
  source: list[str]
  name: dict[int, str]
  group: np.ndarray

  def __len__(self) -> int:
    return len(self.image)


@dataclasses.dataclass(frozen=True)
class RunFiles:
  """The files of a run that has been evaluated on its test images.

  Attributes:
    workdir: the folder of the run, or of the last stage.
    name: the run's name, of its folder.
    config: the recorded settings.
    report: the content of `report.json`.
    verdicts: one for each test image, or for each group.
    history: the lines of `metrics.jsonl` with an evaluation, in order.
    digest: of the table of test images, which the galleries are made from.
    machine: what trained it, as a leaderboard records it; '' if unknown.
  """

  workdir: pathlib.Path
  name: str
  config: dict[str, Any]
  report: dict[str, Any]
  verdicts: Verdicts
  history: list[dict[str, Any]]
  digest: str
  machine: str = ''

  @property
  def figures(self) -> Mapping[str, Any]:
    """The figures of the verdicts, or of the images without groups."""
    return main_figures(self.report)

  @property
  def num_known(self) -> int:
    """The number of known classes."""
    known = self.config.get('data', {}).get('num_known')
    if known is not None:
      return int(known)
    known = [x['label'] for x in self.figures['per_class'] if x['known']]
    novel = [k for k, v in self.verdicts.name.items() if v == f'novel-{k}']
    return max(known, default=min(novel, default=0) - 1) + 1


def read_run(workdir: pathlib.Path, name: str = '') -> RunFiles:
  """Reads the files of an evaluated run.

  Args:
    workdir: the folder of a run, or of one stage.
    name: how the page calls it; '' takes the name of the folder.

  Raises:
    UserError: the run was not evaluated on the test split, or a file is
      damaged.
  """
  config = _read_object(workdir / CONFIG_FILE)
  report = current_report(_read_object(workdir / REPORT_FILE))
  text = _read(workdir / ATTRIBUTIONS_FILE)
  try:
    images = [*csv.DictReader(io.StringIO(text, newline=''))]
    if not images:
      raise ValueError('there are no images')
    # A run of tiles or frames has a verdict for each group.
    groups = None
    if 'group' in images[0]:
      table = _read(workdir / GROUP_ATTRIBUTIONS_FILE)
      groups = [*csv.DictReader(io.StringIO(table, newline=''))]
    verdicts = _verdicts(images, groups)
    if not isinstance(main_figures(report)['per_class'], list):
      raise ValueError('per_class is not a list')
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
    history=[
      line
      for line in read_lines(workdir / METRICS_FILE)
      if 'eval/known_acc' in line
    ],
    digest=hashlib.sha256(text.encode()).hexdigest(),
    machine=_read_machine(workdir / MACHINE_FILE),
  )


def _verdicts(
  images: list[dict[str, str]], groups: list[dict[str, str]] | None
) -> Verdicts:
  """Returns the verdicts of the lines of the tables."""
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
  name = {
    int(line['output']): escape.from_spreadsheet(line['source'])
    for line in lines
  }
  return Verdicts(
    image=[escape.from_spreadsheet(line['image']) for line in lines],
    row=row,
    output=np.array([int(line['output']) for line in lines]),
    confidence=np.array([float(line['confidence']) for line in lines]),
    source=[escape.from_spreadsheet(line['true_source']) for line in lines],
    name=name,
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
      'the run on its test images with --mode=eval'
    ) from error
