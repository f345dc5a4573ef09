"""What a person reads: the paper's row, the classes, and the files of both."""

import csv
import json
import os
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

from etils import epath

from input_pipeline import features
from input_pipeline.errors import UserError
from owdfa_jax.experiment import Experiment, eval_rows

if TYPE_CHECKING:
  from owdfa_jax.evaluation.evaluate import Predictions

# The paper's columns, then the stricter accuracy of novel classes.
COLUMNS = {
  'known_acc': 'Known ACC',
  'novel_acc': 'Novel ACC',
  'novel_nmi': 'Novel NMI',
  'novel_ari': 'Novel ARI',
  'all_acc': 'All ACC',
  'all_nmi': 'All NMI',
  'all_ari': 'All ARI',
  'new_acc': 'New ACC',
}


def percent(value: float | None) -> str:
  """A fraction as a percentage with two decimals; 'n/a' for None."""
  return 'n/a' if value is None else f'{100 * value:.2f}'


def headline(numbers: dict[str, Any]) -> str:
  """One line of an epoch: the accuracies and All NMI."""
  names = ('known_acc', 'novel_acc', 'new_acc', 'all_acc', 'all_nmi')
  return '  '.join(
    f'{COLUMNS[name]} {percent(numbers[name])}' for name in names
  )


def main_table(numbers: dict[str, Any]) -> str:
  """The paper's row as a Markdown table."""
  return '\n'.join(
    [
      '| ' + ' | '.join(COLUMNS.values()) + ' |',
      '|' + ' ---: |' * len(COLUMNS),
      '| ' + ' | '.join(percent(numbers[name]) for name in COLUMNS) + ' |',
    ]
  )


def class_table(experiment: Experiment, per_class: list[dict]) -> str:
  """Each true class: how many images, and where they went."""
  header = ('class', 'known', 'images', 'correct', 'most often called', 'share')
  lines = [header]
  for entry in per_class:
    info = experiment.dataset.classes[entry['label']]
    lines.append(
      (
        info.name,
        'known' if info.known else 'novel',
        str(entry['count']),
        percent(entry['accuracy']),
        class_name(experiment, entry['predicted']),
        percent(entry['predicted_share']),
      )
    )
  widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
  return '\n'.join(
    '  '.join(cell.ljust(w) for cell, w in zip(line, widths, strict=True))
    for line in lines
  )


def class_name(experiment: Experiment, predicted: int) -> str:
  """A known class by its name, a discovered one as `novel-<output>`.

  Novel outputs are clusters: which of them is which method, nobody told.
  """
  if predicted < experiment.dataset.num_known:
    return experiment.dataset.classes[predicted].name
  return f'novel-{predicted}'


def write(
  experiment: Experiment, report: dict[str, Any], predictions: 'Predictions'
) -> None:
  """Prints the tables; writes `report.json` and `attributions.csv`, under the
  names of the split.

  Raises:
    UserError: the workdir cannot be written.
  """
  split = experiment.config.eval.split
  names = file_name(split), file_name(split, 'attributions.csv')
  replace(
    experiment.workdir / names[0],
    lambda file: file.write(json.dumps(report, indent=2) + '\n'),
  )
  replace(
    experiment.workdir / names[1],
    lambda file: write_attributions(file, experiment, predictions),
  )
  which = report['checkpoint']
  if which == 'best':
    which += f' by {report["selection"]}'
  print(
    f'\ncheckpoint: step {report["checkpoint_step"]} ({which}), '
    f'{report["num_examples"]} {report["split"]} images\n'
  )
  print(class_table(experiment, report['per_class']))
  print(f'\n{main_table(report)}\n')
  if report['estimated_classes'] is not None:
    print(f'estimated classes, known and novel: {report["estimated_classes"]}')
  print(f'written: {experiment.workdir}/{", ".join(names)}')


def file_name(split: str, name: str = 'report.json') -> str:
  """What the file is called for a split: `report_train.json`; its own name is
  that of the test split, which no other one overwrites.
  """
  stem, suffix = os.path.splitext(name)
  return name if split == 'test' else f'{stem}_{split}{suffix}'


def write_attributions(
  file: IO[str], experiment: Experiment, predictions: 'Predictions'
) -> None:
  """One CSV line an image: where it lay, the source named, how surely."""
  name, _ = eval_rows(experiment.dataset, experiment.config.eval.split)
  split = getattr(experiment.dataset, name)
  table = csv.writer(file)
  table.writerow(['image', 'source', 'confidence', 'output', 'true_source'])
  for row, predicted, confidence in zip(
    predictions.row, predictions.predicted, predictions.confidence, strict=True
  ):
    label = split.label[row]
    table.writerow(
      [
        features.decode(split.source[row]).id,
        class_name(experiment, predicted),
        f'{confidence:.4f}',
        predicted,
        experiment.dataset.classes[label].name if label >= 0 else '',
      ]
    )


def replace(path: epath.Path, write_to: Callable[[IO[str]], Any]) -> None:
  """Writes a file whole or not at all."""
  partial = path.with_name(path.name + '.partial')
  try:
    with open(partial, 'w', newline='') as file:
      write_to(file)
    os.replace(partial, path)
  except OSError as error:
    raise UserError(
      f'the report could not be written: {path} ({error.strerror}); '
      'free some space, then run again with --mode=eval'
    ) from error
