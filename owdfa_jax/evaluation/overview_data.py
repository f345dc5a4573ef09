"""Reads what the overview of a run shows from the files of an evaluated run."""

import csv
import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from input_pipeline.dataset import PackedDataset, open_dataset
from input_pipeline.errors import UserError
from owdfa_jax.evaluation.report_files import ATTRIBUTIONS_FILE, REPORT_FILE
from owdfa_jax.training.run_record import CONFIG_FILE


@dataclasses.dataclass(frozen=True)
class Overview:
  """What the picture shows, for S sources and T outputs.

  Attributes:
    sources: the name of each source with test images, known ones first.
    examples: uint8 [S, H, W, 3], a test image of each source.
    outputs: the name of each output that test images were put in: known
      classes, then novel outputs in the order of the sources they match best.
    share: float64 [S, T], the share of a source's images in each output.
    num_known_sources: how many of the sources are known.
    num_known_outputs: how many of the outputs are known classes.
    method: the training method.
    accuracy: All ACC, a fraction.
  """

  sources: list[str]
  examples: np.ndarray
  outputs: list[str]
  share: np.ndarray
  num_known_sources: int
  num_known_outputs: int
  method: str
  accuracy: float


def read_overview(
  workdir: pathlib.Path, data_path: str | None = None
) -> Overview:
  """Reads what the picture shows from the files of an evaluated run.

  Args:
    workdir: the run's folder.
    data_path: the packed dataset; None for that of the run's config.

  Raises:
    UserError: the run was not evaluated on the test split, or no test image
      has a true class.
  """
  config = json.loads(_read_file(workdir, CONFIG_FILE))
  report = json.loads(_read_file(workdir, REPORT_FILE))
  lines = _read_file(workdir, ATTRIBUTIONS_FILE).splitlines()
  attributions = list(csv.DictReader(lines))
  dataset = open_dataset(data_path or config['data']['path'])
  per_class = report['per_class']
  if not per_class:
    raise UserError(
      f'no test image has a true class: {workdir / REPORT_FILE}; pack images '
      'whose source is known'
    )
  outputs = order_outputs(per_class, attributions, dataset.num_known)
  names = {int(line['output']): line['source'] for line in attributions}
  return Overview(
    sources=[entry['name'] for entry in per_class],
    examples=_first_images(dataset, [entry['label'] for entry in per_class]),
    outputs=[names[output] for output in outputs],
    share=count_shares(per_class, attributions, outputs),
    num_known_sources=sum(entry['known'] for entry in per_class),
    num_known_outputs=sum(output < dataset.num_known for output in outputs),
    method=config['method']['name'].upper(),
    accuracy=report['all_acc'],
  )


def order_outputs(
  per_class: Sequence[Mapping],
  attributions: Sequence[Mapping[str, str]],
  num_known: int,
) -> list[int]:
  """Returns the outputs that occur, so that good results form a diagonal.

  Known classes keep their order. The novel outputs follow in the order of the
  sources that the matching assigns them to, and unmatched ones come last.

  Args:
    per_class: the entries `per_class` of the report, one for each source.
    attributions: the lines of the table of test images.
    num_known: the number of known classes.
  """
  used = {int(line['output']) for line in attributions}
  matched = [entry['matched'] for entry in per_class if not entry['known']]
  wanted = [*range(num_known), *matched, *sorted(used)]
  # A dict keeps the first of equal outputs in its place.
  return [output for output in dict.fromkeys(wanted) if output in used]


def count_shares(
  per_class: Sequence[Mapping],
  attributions: Sequence[Mapping[str, str]],
  outputs: Sequence[int],
) -> np.ndarray:
  """Returns the share of each source's images in each output, float64 [S, T].

  Args:
    per_class: the S entries `per_class` of the report.
    attributions: the lines of the table of test images.
    outputs: T outputs, the columns of the result.
  """
  row_of = {entry['name']: row for row, entry in enumerate(per_class)}
  column_of = {output: column for column, output in enumerate(outputs)}
  count = np.zeros((len(row_of), len(column_of)))
  for line in attributions:
    # Images of unknown truth have no row.
    if line['true_source'] in row_of:
      count[row_of[line['true_source']], column_of[int(line['output'])]] += 1
  return count / count.sum(1, keepdims=True)


def _first_images(dataset: PackedDataset, labels: Sequence[int]) -> np.ndarray:
  """Returns the first test image of each class, uint8 [S, H, W, 3]."""
  # Imported here because tensorflow-datasets takes a second to load.
  from input_pipeline.features import decode_image

  split = dataset.test
  rows = [int(np.flatnonzero(split.label == label)[0]) for label in labels]
  return np.stack([decode_image(split.source[row]) for row in rows])


def _read_file(workdir: pathlib.Path, name: str) -> str:
  try:
    return (workdir / name).read_text()
  except OSError as error:
    raise UserError(
      f'no evaluation to draw: cannot read {workdir / name} '
      f'({error.strerror}); give the --workdir of a run evaluated on the test '
      'split (of a run in stages, the folder of a stage)'
    ) from error
