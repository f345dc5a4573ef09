"""Prints the tables of an evaluation and writes its report files."""

import csv
import json
import os
from collections.abc import Mapping, Sequence
from typing import IO, Any

from input_pipeline import text_tables
from input_pipeline.files import write_whole
from owdfa_jax.evaluation.predictions import Predictions, output_names
from owdfa_jax.evaluation.report_files import (
  ATTRIBUTIONS_FILE,
  REPORT_FILE,
  split_file,
)
from owdfa_jax.experiment import Experiment
from owdfa_jax.report_fields import NUM_OUTPUTS_IN_USE, TABLE_COLUMNS
from owdfa_jax.settings import eval_rows

_REMEDY = 'free some space, then run again with --mode=eval'


def percent(value: float | None) -> str:
  """Formats a fraction in percent with two decimals; None as 'n/a'."""
  return 'n/a' if value is None else f'{100 * value:.2f}'


def headline(result: Mapping[str, Any]) -> str:
  """Returns the main metrics of an evaluation on one line."""
  names = ('known_acc', 'novel_acc', 'new_acc', 'all_acc', 'all_nmi')
  return '  '.join(
    f'{TABLE_COLUMNS[name]} {percent(result[name])}' for name in names
  )


def main_table(
  results: Mapping[str, Mapping[str, Any]], title: str = ''
) -> str:
  """Returns a Markdown table with the papers' columns.

  Args:
    results: the metrics of each row, by the row's name.
    title: the header of the names; '' leaves the names out.
  """
  header = list(TABLE_COLUMNS.values())
  rows = [
    [percent(result[column]) for column in TABLE_COLUMNS]
    for result in results.values()
  ]
  align = 'r' * len(header)
  if title:
    header, align = [title, *header], 'l' + align
    rows = [[name, *row] for name, row in zip(results, rows, strict=True)]
  return text_tables.markdown(header, rows, align)


def class_table(
  per_class: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> str:
  """Returns a table of the true classes and where their images went.

  Args:
    per_class: the entries of a report.
    names: the name of each output.
  """
  header = ('class', 'known', 'images', 'correct', 'most often called', 'share')
  rows = [
    (
      entry['name'],
      'known' if entry['known'] else 'novel',
      str(entry['count']),
      percent(entry['accuracy']),
      names[entry['predicted']],
      percent(entry['predicted_share']),
    )
    for entry in per_class
  ]
  return text_tables.aligned(header, rows, 'llrrlr')


def write_report(
  experiment: Experiment, report: dict[str, Any], predictions: Predictions
) -> None:
  """Prints the tables; writes `report.json` and `attributions.csv`.

  For splits other than 'test' the files are named as by `split_file`.

  Args:
    experiment: the run; the files go to its workdir.
    report: the content of `report.json`.
    predictions: the predictions for the images of `eval.split`.

  Raises:
    UserError: a file cannot be written.
  """
  workdir, split = experiment.workdir, report['split']
  names = output_names(experiment)
  report_name = split_file(REPORT_FILE, split)
  write_json(workdir / report_name, report)
  table_name = split_file(ATTRIBUTIONS_FILE, split)
  with write_whole(
    workdir / table_name, text=True, what='the attributions', remedy=_REMEDY
  ) as file:
    _write_attributions(file, experiment, predictions, names)
  which = report['checkpoint']
  if which == 'best':
    which += f' by {report["selection"]}'
  print(
    f'\ncheckpoint: step {report["checkpoint_step"]} ({which}), '
    f'{report["num_examples"]} {split} images\n'
  )
  print(class_table(report['per_class'], names))
  print(f'\n{main_table({"": report})}\n')
  if report[NUM_OUTPUTS_IN_USE] is not None:
    print(f'outputs in use, known and novel: {report[NUM_OUTPUTS_IN_USE]}')
  print(f'written: {workdir}/{report_name}, {table_name}')


def write_json(path: str | os.PathLike, report: Mapping[str, Any]) -> None:
  """Writes a report as JSON.

  Raises:
    UserError: the file cannot be written.
  """
  with write_whole(path, text=True, what='the report', remedy=_REMEDY) as file:
    file.write(json.dumps(report, indent=2) + '\n')


def _write_attributions(
  file: IO[str],
  experiment: Experiment,
  predictions: Predictions,
  names: Sequence[str],
) -> None:
  """Writes one CSV line per image: its path, its source and the confidence."""
  dataset = experiment.dataset
  split_name, _ = eval_rows(dataset, experiment.config.eval.split)
  split = getattr(dataset, split_name)
  table = csv.writer(file)
  table.writerow(['image', 'source', 'confidence', 'output', 'true_source'])
  for row, image, output, confidence in zip(
    predictions.row,
    split.ids(predictions.row),
    predictions.predicted,
    predictions.confidence,
    strict=True,
  ):
    label = split.label[row]
    table.writerow(
      [
        image,
        names[output],
        f'{confidence:.4f}',
        output,
        dataset.classes[label].name if label >= 0 else '',
      ]
    )
