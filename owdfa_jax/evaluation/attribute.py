"""Attributes new images: names the source of every image in a folder."""

import collections
import csv
import dataclasses
import os
import statistics
import sys
from collections.abc import Collection, Mapping, Sequence

import jax

from input_pipeline import text_tables
from input_pipeline.escape import from_spreadsheet, spreadsheet, terminal
from input_pipeline.files import write_whole
from input_pipeline.image_folders import FolderScan, skipped_lines
from input_pipeline.original_sizes import unlike_lines
from owdfa_jax.evaluation.folder_batches import folder_batches
from owdfa_jax.evaluation.heap import heap_summary
from owdfa_jax.evaluation.new_images import list_new_images
from owdfa_jax.evaluation.predictions import Predictions, output_names
from owdfa_jax.evaluation.report_files import NEW_ATTRIBUTIONS_FILE
from owdfa_jax.evaluation.restore import restore_network
from owdfa_jax.evaluation.seen_sources import attach_sources
from owdfa_jax.evaluation.unseen_report import NONE_OF_THESE, limit_of
from owdfa_jax.experiment import Experiment

ATTRIBUTION_COLUMNS = (
  'image',
  'source',
  'confidence',
  'output',
  'unseen_score',
  'error',
)

_LEAD = (
  'A name is a lead, not proof: an image of any other source may get one of '
  'these names too.'
)

# One line of the table: the cells by column. A column may be missing.
Line = dict[str, str | int]


def attribute(
  experiment: Experiment, images: str, max_pixels: int | None = None
) -> int:
  """Classifies every image under a folder with a checkpoint of the run.

  Faces or tiles are cut out as they were for the training images; all tiles of
  an image together give one verdict. Prints how many images each source got,
  and writes `new_attributions.csv` into the workdir:
  a line per file with its source, or with the reason that it has none.

  Args:
    experiment: a run with a checkpoint (`eval.checkpoint`).
    images: a folder of image files, at any depth.
    max_pixels: the most pixels of an image; None: as in packing.

  Returns:
    An exit status: 0, or 1 if some image could not be read. Files that are not
    images do not count.

  Raises:
    UserError: there is no checkpoint, or no image.
  """
  scan = list_new_images(images)
  dataset = experiment.dataset
  restored, seen = attach_sources(experiment, restore_network(experiment))
  files = folder_batches(experiment, scan, max_pixels)
  unreadable = files.unreadable
  predictions = restored.predictor.predict(
    restored.params, restored.batch_stats, files.batches, files.group
  )
  limit = None
  if seen is not None:
    rate = experiment.config.eval.false_alarm_rate
    limit = limit_of(seen, predictions.verdicts is not None, rate)
  predictions = predictions.verdicts or predictions
  if jax.process_index() == 0:
    names = output_names(experiment)
    lines = attributions(scan, predictions, names, unreadable, limit)
    path = experiment.workdir / NEW_ATTRIBUTIONS_FILE
    with write_whole(path, text=True, what='the attributions') as file:
      table = csv.DictWriter(file, ATTRIBUTION_COLUMNS, restval='')
      table.writeheader()
      table.writerows(lines)
    print_summary(lines, set(map(spreadsheet, scan.others)), path)
    for line in (
      # The unreadable ones have been counted and named.
      *skipped_lines([dataclasses.replace(scan, unreadable={})]),
      *unlike_lines([*files.sides.values()], dataset.description),
      *_heap_warnings(predictions, names, dataset.num_known),
    ):
      print(line)
  return 1 if unreadable or scan.unreadable else 0


def _heap_warnings(
  predictions: Predictions, names: Sequence[str], num_known: int
) -> list[str]:
  """Returns the warnings that an evaluation of these images would print."""
  if not len(predictions.predicted):
    return []
  summary = heap_summary(
    predictions.predicted, predictions.confidence, names, num_known
  )
  return [f'warning: {line}' for line in summary['warnings']]


def attributions(
  scan: FolderScan,
  predictions: Predictions,
  names: Sequence[str],
  unreadable: Mapping[int, str],
  limit: float | None = None,
) -> list[Line]:
  """Returns a line of the table for each file, sorted by path.

  Args:
    scan: the images, and the other files.
    predictions: the predictions for the readable images; a row is an index into
      `scan.images`.
    names: the name of each output.
    unreadable: the error of each of the other images, by that index.
    limit: the `unseen_score` above which an image is of none of the sources;
      None for no such images.
  """
  lines: list[Line] = [{'image': spreadsheet(path)} for path in scan.images]
  for row, output, confidence in zip(
    predictions.row, predictions.predicted, predictions.confidence, strict=True
  ):
    lines[row] |= {
      'source': spreadsheet(names[output]),
      'confidence': f'{confidence:.4f}',
      'output': int(output),
    }
  if predictions.unseen_score is not None:
    for row, score in zip(
      predictions.row, predictions.unseen_score, strict=True
    ):
      lines[row]['unseen_score'] = f'{score:.4f}'
      if limit is not None and score > limit:
        lines[row]['source'] = NONE_OF_THESE
  for row, error in unreadable.items():
    lines[row]['error'] = error
  for path, error in {**scan.others, **scan.unreadable}.items():
    lines.append({'image': spreadsheet(path), 'error': error})
  return sorted(lines, key=lambda line: str(line['image']))


def print_summary(
  lines: Sequence[Line], no_images: Collection[str], path: os.PathLike
) -> None:
  """Prints how many images each source got, and the errors on stderr.

  The mean confidence of each source is printed too.

  Args:
    lines: the lines of the table.
    no_images: the names of the files among them that are not images.
    path: the file they were written to.
  """
  images = [line for line in lines if line['image'] not in no_images]
  counts = collections.Counter(line.get('source') for line in images)
  print(_source_table(images, counts))
  if counts.keys() - {None}:
    print(_LEAD)
  print(f'written: {path}')
  for line in images:
    if 'error' in line:
      print(terminal(str(line['error'])), file=sys.stderr)


def _source_table(
  images: Sequence[Line], counts: collections.Counter[str | int | None]
) -> str:
  """Returns a table of the sources, most images first.

  Args:
    images: the lines of the images.
    counts: the number of images of each source; None for unreadable ones.
  """
  confidences = collections.defaultdict(list)
  for line in images:
    if 'confidence' in line:
      confidences[line['source']].append(float(line['confidence']))
  rows = [
    (
      str(count),
      from_spreadsheet(str(source)),
      text_tables.percent(statistics.fmean(confidences[source])),
    )
    if source
    else (str(count), '(unreadable)', '')
    for source, count in counts.most_common()
  ]
  header = ('images', 'source', 'mean confidence, %')
  return text_tables.aligned(header, rows, 'rlr')
