"""The table of evaluated images, `attributions.csv`, and that of groups."""

import csv
from collections.abc import Sequence
from typing import IO

from input_pipeline.dataset import Split
from input_pipeline.escape import spreadsheet
from owdfa_jax.evaluation.predictions import Predictions
from owdfa_jax.evaluation.verdicts import verdict_of
from owdfa_jax.settings import RunInputs, eval_rows

_COLUMNS = (
  'image',
  'source',
  'confidence',
  'output',
  'true_source',
  'verdict',
  'unseen_score',
  'unseen_threshold',
  'calibrated_confidence',
)


def write_attributions(
  file: IO[str],
  inputs: RunInputs,
  predictions: Predictions,
  names: Sequence[str],
  threshold: float | None,
) -> None:
  """Writes a line for each image, or for each group.

  A group has the path of its first image, which is in the column `group` of the
  lines of its images. Tiles have the path of their image. `source` is the most
  probable source also where the verdict is another one, and `output` the most
  probable output: another one's, if several outputs share a name.

  Args:
    file: a text file, open for writing.
    inputs: the run.
    predictions: for images of `eval.split`, or the verdicts.
    names: the name of each output.
    threshold: the `unseen_score` above which an image is of none of the
      sources; None for no such images.
  """
  dataset = inputs.dataset
  split_name, _ = eval_rows(dataset, inputs.config.eval.split)
  split = getattr(dataset, split_name)
  group, first = split.group, _first_images(split, predictions)
  table = csv.writer(file)
  table.writerow([*_COLUMNS, *(['group'] if first else [])])
  limit = '' if threshold is None else f'{threshold:.4f}'
  scores, calibrated = predictions.unseen_score, predictions.called_calibrated
  for i, (row, image, output, called, confidence) in enumerate(
    zip(
      predictions.row,
      split.ids(predictions.row),
      predictions.predicted,
      predictions.called,
      predictions.called_confidence,
      strict=True,
    )
  ):
    label = split.label[row]
    score = None if scores is None else float(scores[i])
    sure = confidence if calibrated is None else float(calibrated[i])
    verdict = verdict_of(called, sure, dataset.num_known, score, threshold)
    table.writerow(
      [
        spreadsheet(image),
        spreadsheet(names[called]),
        f'{confidence:.4f}',
        output,
        spreadsheet(dataset.classes[label].name) if label >= 0 else '',
        verdict,
        '' if score is None else f'{score:.4f}',
        limit,
        '' if calibrated is None else f'{sure:.4f}',
        *([first[group[row]]] if first else []),
      ]
    )


def _first_images(split: Split, predictions: Predictions) -> dict[int, str]:
  """Returns the path of the first image of each group; {} without groups."""
  verdicts = predictions.verdicts
  if verdicts is None:
    return {}
  paths = map(spreadsheet, split.ids(verdicts.row))
  return dict(zip(split.group[verdicts.row], paths, strict=True))
