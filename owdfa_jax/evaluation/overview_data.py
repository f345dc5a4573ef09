"""Reads the data of an overview from the files of an evaluated run."""

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath

from input_pipeline import escape, strict_json
from input_pipeline.dataset import PackedDataset, open_dataset
from input_pipeline.errors import UserError
from input_pipeline.files import LIST_LIMIT, read_text
from owdfa_jax.evaluation.names_file import names_of_clusters
from owdfa_jax.evaluation.report_files import ATTRIBUTIONS_FILE, REPORT_FILE
from owdfa_jax.evaluation.shared_names import (
  called_outputs,
  output_names_of_table,
  with_first_outputs,
)
from owdfa_jax.method_titles import method_title
from owdfa_jax.report_fields import GIVEN_NAMES, TABLE_COLUMNS, current_report
from owdfa_jax.training.run_data import recorded_num_outputs
from owdfa_jax.training.run_record import CONFIG_FILE

# The name of the row of images without a true class.
WITHOUT_TRUTH = 'no true class'


@dataclasses.dataclass(frozen=True)
class Overview:
  """The data of the picture, for S sources and T outputs.

  Attributes:
    sources: the name of each source with test images, known ones first. Images
      without a true class are one more row, the last, `WITHOUT_TRUTH`.
    examples: uint8 [S, H, W, 3], a test image of each source.
    outputs: the name of each output that test images were put in: known
      classes, then novel outputs in the order of the sources they match best.
    share: float64 [S, T], the share of a source's images in each output.
    num_known_sources: how many of the sources are known.
    num_known_outputs: how many of the outputs are known classes.
    has_heap: whether the last source is the images without a true class.
    figure: method and accuracy for the title, such as 'Trace, All ACC 70.2'.
  """

  sources: list[str]
  examples: np.ndarray
  outputs: list[str]
  share: np.ndarray
  num_known_sources: int
  num_known_outputs: int
  has_heap: bool
  figure: str


def read_overview(
  workdir: epath.Path, data_path: str | None = None
) -> Overview:
  """Reads the data of the picture from the files of an evaluated run.

  Args:
    workdir: the run's folder.
    data_path: the packed dataset; None for that of the run's config.

  Raises:
    UserError: the run was not evaluated on the test split, a file of the
      evaluation is damaged, or its names are of other clusters.
  """
  config = _read_json(workdir, CONFIG_FILE)
  report = current_report(_read_json(workdir, REPORT_FILE))
  text = _read_file(workdir, ATTRIBUTIONS_FILE)
  # Not by lines: a path may hold a line break.
  attributions = list(csv.DictReader(io.StringIO(text, newline='')))
  if not attributions:
    raise UserError(
      f'no test image to draw: {workdir / ATTRIBUTIONS_FILE} has no line; '
      'evaluate the run again (`owdfa eval`)'
    )
  try:
    dataset = open_dataset(data_path or config['data']['path'])
    known = [entry.name for entry in dataset.classes[: dataset.num_known]]
    step, given = report['checkpoint_step'], {}
    if step is not None:  # None is a spectrum, without a network
      by = report.get('classified_by', 'head')
      outputs = recorded_num_outputs(epath.Path(workdir))
      given = names_of_clusters(workdir, step, by, known, outputs)
    title = method_title(config)
    return _make_overview(report, attributions, dataset, given, title)
  except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
    raise UserError(
      f'files that do not match: {CONFIG_FILE}, {REPORT_FILE}, '
      f'{ATTRIBUTIONS_FILE} of {workdir} and the packed dataset ({error!r}); '
      'evaluate the run again (`owdfa eval`)'
    ) from error


def _make_overview(
  report: Mapping[str, Any],
  attributions: Sequence[Mapping[str, str]],
  dataset: PackedDataset,
  given: Mapping[int, str],
  title: str,
) -> Overview:
  """Returns the overview of the contents of the files.

  Args:
    report: the content of `report.json`.
    attributions: the lines of the table of test images.
    dataset: the packed images.
    given: the names that the user gave to outputs.
    title: of the method.
  """
  output = np.array([int(line['output']) for line in attributions])
  said = [escape.from_spreadsheet(line['source']) for line in attributions]
  used = report.get(GIVEN_NAMES, {})
  names = output_names_of_table(output, said, used, report['per_class'])
  names |= given
  is_current = used == {f'novel-{k}': name for k, name in given.items()}
  called = called_outputs(output, said if is_current else None, names)
  attributions = [
    {**line, 'output': str(k)}
    for line, k in zip(attributions, called.tolist(), strict=True)
  ]
  per_class = with_first_outputs(report['per_class'], names)
  outputs = order_outputs(per_class, attributions, dataset.num_known)
  has_heap = report['num_without_truth'] > 0
  labels = [entry['label'] for entry in per_class] + [-1] * has_heap
  return Overview(
    sources=[entry['name'] for entry in per_class] + [WITHOUT_TRUTH] * has_heap,
    examples=_first_images(dataset, labels),
    outputs=[names[output] for output in outputs],
    share=count_shares(per_class, attributions, outputs, has_heap=has_heap),
    num_known_sources=sum(entry['known'] for entry in per_class),
    num_known_outputs=sum(output < dataset.num_known for output in outputs),
    has_heap=has_heap,
    figure=f'{title}, {_figure(report)}',
  )


def _figure(report: Mapping[str, Any]) -> str:
  """Returns All ACC in words, or Known ACC where All ACC is not available."""
  for name in ('all_acc', 'known_acc'):
    if report[name] is not None:
      return f'{TABLE_COLUMNS[name]} {100 * report[name]:.1f}'
  return 'no accuracy: no image has a true class'


def order_outputs(
  per_class: Sequence[Mapping],
  attributions: Sequence[Mapping[str, str]],
  num_known: int,
) -> list[int]:
  """Returns the outputs that occur, so that good results form a diagonal.

  Known classes keep their order. The novel outputs follow in the order of the
  sources that the matching assigns them to, and unmatched ones come last. Where
  there is no matching, the output of most of a source's images takes its place.

  Args:
    per_class: the entries `per_class` of the report, one for each source.
    attributions: the lines of the table of test images.
    num_known: the number of known classes.
  """
  used = {int(line['output']) for line in attributions}
  matched = [
    entry['predicted'] if entry['matched'] is None else entry['matched']
    for entry in per_class
    if not entry['known']
  ]
  wanted = [*range(num_known), *matched, *sorted(used)]
  # A dict keeps the first of equal outputs in its place.
  return [output for output in dict.fromkeys(wanted) if output in used]


def count_shares(
  per_class: Sequence[Mapping],
  attributions: Sequence[Mapping[str, str]],
  outputs: Sequence[int],
  *,
  has_heap: bool = False,
) -> np.ndarray:
  """Returns the share of each source's images in each output, float64 [S, T].

  Args:
    per_class: the entries `per_class` of the report, one for each source.
    attributions: the lines of the table of test images.
    outputs: T outputs, the columns of the result.
    has_heap: give images without a true class a row of their own, the last.
  """
  row_of = {entry['name']: row for row, entry in enumerate(per_class)}
  if has_heap:
    row_of[''] = len(per_class)
  column_of = {output: column for column, output in enumerate(outputs)}
  count = np.zeros((len(row_of), len(column_of)))
  for line in attributions:
    source = escape.from_spreadsheet(line['true_source'])
    if source in row_of:
      count[row_of[source], column_of[int(line['output'])]] += 1
  return count / count.sum(1, keepdims=True)


def _first_images(dataset: PackedDataset, labels: Sequence[int]) -> np.ndarray:
  """Returns the first test image of each class, uint8 [S, H, W, 3]."""
  # Imported here because tensorflow-datasets takes a second to load.
  from input_pipeline.features import decode_image

  split = dataset.test
  rows = [int(np.flatnonzero(split.label == label)[0]) for label in labels]
  return np.stack([decode_image(split.source[row]) for row in rows])


def _read_json(workdir: epath.Path, name: str) -> dict[str, Any]:
  """Returns the object in a JSON file of the run."""
  content, reason = None, 'not an object'
  try:
    # Earlier versions wrote NaN for a network that had diverged.
    content = strict_json.loads(_read_file(workdir, name))
  except ValueError as error:
    reason = str(error)
  if not isinstance(content, dict):
    raise UserError(
      f'a damaged file: {workdir / name} ({reason}); evaluate the run again '
      '(`owdfa eval`), or restore the file from a copy'
    )
  return content


def _read_file(workdir: epath.Path, name: str) -> str:
  try:
    return read_text(workdir / name, LIST_LIMIT)
  except UnicodeDecodeError as error:
    raise UserError(
      f'a damaged file: {workdir / name} (not UTF-8); evaluate the run again '
      '(`owdfa eval`)'
    ) from error
  except OSError as error:
    raise UserError(
      f'no evaluation to draw: cannot read {workdir / name} '
      f'({error.strerror}); evaluate the run on its test images (`owdfa eval`)'
    ) from error
