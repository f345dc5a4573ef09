"""New images, from any folder: which source made each."""

import collections
import csv
import pathlib
from typing import IO

from input_pipeline import folder
from input_pipeline.errors import UserError
from input_pipeline.loose_images import file_batches
from owdfa_jax import evaluate, parallel, report
from owdfa_jax.evaluate import Predictions
from owdfa_jax.experiment import Experiment


def attribute(experiment: Experiment, images: str) -> Predictions:
  """Classifies every image under a folder with a checkpoint of the run.

  Prints how many images each source got and writes `new_attributions.csv`
  into the workdir: image, source, confidence, output.

  Args:
    experiment: of a run that has a checkpoint (`eval.checkpoint`).
    images: a folder of image files, at any depth.

  Returns:
    The predictions; rows count the files in sorted order.

  Raises:
    UserError: no checkpoint, no images, or one that cannot be read.
  """
  names = []
  if pathlib.Path(images).is_dir():
    names = folder.list_images(pathlib.Path(images))
  if not names:
    raise UserError(
      f'no images to attribute: --images={images}; name a folder of images'
    )
  config = experiment.config
  evaluator, network, _ = evaluate.restore(experiment)
  predictions = evaluator.predict(
    *network,
    file_batches(
      names,
      image_size=experiment.dataset.image_size,
      batch_size=parallel.round_up(
        config.eval.batch_size, experiment.placement
      ),
      num_threads=config.data.num_threads,
    ),
  )
  sources = [
    report.class_name(experiment, output) for output in predictions.predicted
  ]

  def write(file: IO[str]) -> None:
    table = csv.writer(file)
    table.writerow(['image', 'source', 'confidence', 'output'])
    table.writerows(
      zip(
        names,
        sources,
        [f'{x:.4f}' for x in predictions.confidence],
        predictions.predicted,
        strict=True,
      )
    )

  path = experiment.workdir / 'new_attributions.csv'
  report.replace(path, write)
  for source, count in collections.Counter(sources).most_common():
    print(f'{count:7}  {source}')
  print(f'written: {path}')
  return predictions
