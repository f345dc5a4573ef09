"""Attributes new images: names the source of every image in a folder."""

import collections
import csv
import os
import sys
from collections.abc import Mapping, Sequence

import jax

from input_pipeline.files import write_whole
from input_pipeline.loose_images import crop_of, file_batches
from owdfa_jax import parallel
from owdfa_jax.evaluation.new_images import list_new_images
from owdfa_jax.evaluation.predictions import Predictions, output_names
from owdfa_jax.evaluation.report_files import NEW_ATTRIBUTIONS_FILE
from owdfa_jax.evaluation.restore import restore_network
from owdfa_jax.experiment import Experiment

ATTRIBUTION_COLUMNS = ('image', 'source', 'confidence', 'output', 'error')

# One line of the table: the cells by column. A column may be missing.
Line = dict[str, str | int]


def attribute(experiment: Experiment, images: str) -> int:
  """Classifies every image under a folder with a checkpoint of the run.

  Faces are cut out as they were for the training images. Prints how many
  images each source got, and writes `new_attributions.csv` into the workdir:
  a line per image with its source, or with the reason it could not be read.

  Args:
    experiment: a run with a checkpoint (`eval.checkpoint`).
    images: a folder of image files, at any depth.

  Returns:
    An exit status: 0, or 1 if some image could not be read.

  Raises:
    UserError: there is no checkpoint, or no image.
  """
  paths = list_new_images(images)
  config, dataset = experiment.config, experiment.dataset
  restored = restore_network(experiment)
  # The batches fill this while they are read.
  unreadable: dict[int, str] = {}
  batches = file_batches(
    paths,
    unreadable,
    image_size=dataset.image_size,
    batch_size=parallel.round_up(config.eval.batch_size, experiment.placement),
    crop=crop_of(dataset),
    num_threads=config.data.num_threads,
  )
  predictions = restored.predictor.predict(
    restored.params, restored.batch_stats, batches
  )
  if jax.process_index() == 0:
    lines = attributions(
      paths, predictions, output_names(experiment), unreadable
    )
    path = experiment.workdir / NEW_ATTRIBUTIONS_FILE
    with write_whole(path, text=True, what='the attributions') as file:
      table = csv.DictWriter(file, ATTRIBUTION_COLUMNS, restval='')
      table.writeheader()
      table.writerows(lines)
    print_summary(lines, path)
  return 1 if unreadable else 0


def attributions(
  paths: Sequence[str],
  predictions: Predictions,
  names: Sequence[str],
  unreadable: Mapping[int, str],
) -> list[Line]:
  """Returns a line of the table for each image, in the order of `paths`.

  Args:
    paths: the image files.
    predictions: the predictions for the readable images; a row is an index into
      `paths`.
    names: the name of each output.
    unreadable: the error of each of the other files, by index into `paths`.
  """
  lines: list[Line] = [{'image': path} for path in paths]
  for row, output, confidence in zip(
    predictions.row, predictions.predicted, predictions.confidence, strict=True
  ):
    lines[row] |= {
      'source': names[output],
      'confidence': f'{confidence:.4f}',
      'output': int(output),
    }
  for row, error in unreadable.items():
    lines[row]['error'] = error
  return lines


def print_summary(lines: Sequence[Line], path: os.PathLike) -> None:
  """Prints the number of images of each source, and the errors on stderr.

  Args:
    lines: the lines of the table.
    path: the file they were written to.
  """
  counts = collections.Counter(line.get('source') for line in lines)
  print(' images  source')
  for source, count in counts.most_common():
    print(f'{count:7}  {source or "(unreadable)"}')
  print(f'written: {path}')
  for line in lines:
    if 'error' in line:
      print(line['error'], file=sys.stderr)
