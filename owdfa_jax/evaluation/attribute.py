"""New images, from any folder: which source made each."""

import collections
import csv
import pathlib
import sys
from typing import IO

import jax

from input_pipeline import folder
from input_pipeline.errors import UserError
from input_pipeline.loose_images import crop_of, file_batches
from owdfa_jax import parallel
from owdfa_jax.evaluation import evaluate, report
from owdfa_jax.evaluation.evaluate import Predictions
from owdfa_jax.experiment import Experiment

COLUMNS = ('image', 'source', 'confidence', 'output', 'error')


def attribute(experiment: Experiment, images: str) -> int:
  """Classifies every image under a folder with a checkpoint of the run.

  Faces are cut out as they were for the training. Prints how many images each
  source got and writes `new_attributions.csv` into the workdir, a line for
  each image: its source, or what kept it from being read.

  Args:
    experiment: of a run that has a checkpoint (`eval.checkpoint`).
    images: a folder of image files, at any depth.

  Returns:
    An exit status: 0, or 1 where an image could not be read.

  Raises:
    UserError: no checkpoint, or no images.
  """
  names = []
  if pathlib.Path(images).is_dir():
    names = folder.list_images(pathlib.Path(images))
  if not names:
    raise UserError(
      f'no images to attribute: --images={images}; name a folder of images'
    )
  config, dataset = experiment.config, experiment.dataset
  evaluator, network, _ = evaluate.restore(experiment)
  unreadable: dict[int, str] = {}
  predictions = evaluator.predict(
    *network,
    file_batches(
      names,
      unreadable,
      image_size=dataset.image_size,
      batch_size=parallel.round_up(
        config.eval.batch_size, experiment.placement
      ),
      crop=crop_of(dataset),
      num_threads=config.data.num_threads,
    ),
  )
  lines = attributions(experiment, names, predictions, unreadable)

  def write(file: IO[str]) -> None:
    table = csv.DictWriter(file, COLUMNS, restval='')
    table.writeheader()
    table.writerows(lines)

  path = experiment.workdir / 'new_attributions.csv'
  if jax.process_index() == 0:
    report.replace(path, write)
    counts = collections.Counter(line.get('source') for line in lines)
    for source, count in counts.most_common():
      print(f'{count:7}  {source or "(unreadable)"}')
    print(f'written: {path}')
    for why in unreadable.values():
      print(why, file=sys.stderr)
  return 1 if unreadable else 0


def attributions(
  experiment: Experiment,
  names: list[str],
  predictions: Predictions,
  unreadable: dict[int, str],
) -> list[dict[str, str | int]]:
  """The lines of the table, in the order of the names."""
  lines: list[dict[str, str | int]] = [{'image': name} for name in names]
  for place, output, confidence in zip(
    predictions.row, predictions.predicted, predictions.confidence, strict=True
  ):
    lines[place] |= {
      'source': report.class_name(experiment, output),
      'confidence': f'{confidence:.4f}',
      'output': int(output),
    }
  for place, why in unreadable.items():
    lines[place]['error'] = why
  return lines
