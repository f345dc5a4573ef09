"""Prints the tables of an evaluation and writes its report files."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from input_pipeline import escape, text_tables
from input_pipeline.files import write_whole
from input_pipeline.text_tables import percent
from owdfa_jax.evaluation.attributions_table import write_attributions
from owdfa_jax.evaluation.calibration_report import calibration_lines
from owdfa_jax.evaluation.heap import (
  has_next_to_nothing_novel,
  heap_lines,
  novel_source_counts,
)
from owdfa_jax.evaluation.predictions import Predictions
from owdfa_jax.evaluation.report_files import (
  ATTRIBUTIONS_FILE,
  GROUP_ATTRIBUTIONS_FILE,
  REPORT_FILE,
  split_file,
)
from owdfa_jax.evaluation.selection import describe_best
from owdfa_jax.evaluation.shared_names import have_shared_names
from owdfa_jax.evaluation.unseen_report import unseen_lines
from owdfa_jax.report_fields import (
  NUM_OUTPUTS_IN_USE,
  ROBUSTNESS,
  TABLE_COLUMNS,
  main_figures,
)
from owdfa_jax.settings import RunInputs, eval_rows

# What names the source of an image, by `eval.classify_by`.
_RULES = {'head': 'by the head', 'centres': 'by centres'}
_REMEDY = 'free some space, then evaluate the run again (`owdfa eval`)'


def headline(result: Mapping[str, Any]) -> str:
  """Returns the main metrics of an evaluation on one line.

  Args:
    result: the metrics, and `heap`, the summary of the images without a true
      class or None.
  """
  names = ('known_acc', 'novel_acc', 'new_acc', 'all_acc', 'all_nmi')
  heap = result.get('heap')
  if heap is None:
    return '  '.join(
      f'{TABLE_COLUMNS[name]} {percent(result[name])}' for name in names
    )
  return (
    f'{TABLE_COLUMNS["known_acc"]} {percent(result["known_acc"])}  '
    f'without a true class: {percent(heap["novel_share"])} % novel, '
    f'{heap["num_outputs_given"]} of {heap["num_outputs"]} outputs, '
    f'mean confidence {percent(heap["mean_confidence"])} %'
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
  per_class: Sequence[Mapping[str, Any]],
  names: Sequence[str],
  counted: str = 'images',
  called: Mapping[int, tuple[str, float]] | None = None,
) -> str:
  """Returns a table of the true classes and where their images went.

  A line below it names the novel classes that count as correct under the name
  of a known one.

  Args:
    per_class: the entries of a report.
    names: the name of each output.
    counted: what has been counted.
    called: by label, the name that most images of a class got, and the share
      of those; None takes those of the entries, which are of single outputs.
  """
  most = [
    (names[entry['predicted']], entry['predicted_share'])
    if called is None
    else called[entry['label']]
    for entry in per_class
  ]
  header = ('class', 'known', counted, 'correct', 'most often called', 'share')
  marked = [entry for entry in per_class if _is_under_known_name(entry)]
  sources = [entry['name'] for entry in per_class]
  all_names = [*sources, *names]
  shown = dict(zip(all_names, escape.distinct(all_names), strict=True))
  rows = [
    (
      shown[entry['name']],
      'known' if entry['known'] else 'novel*' if entry in marked else 'novel',
      str(entry['count']),
      percent(entry['accuracy']),
      shown[name],
      percent(share),
    )
    for entry, (name, share) in zip(per_class, most, strict=True)
  ]
  table = text_tables.aligned(header, rows, 'llrrlr')
  if not marked:
    return table
  listed = ', '.join(
    f'{shown[e["name"]]} as {shown[names[e["matched"]]]}' for e in marked
  )
  return f'{table}\n* correct under the name of a known class: {listed}'


def _is_under_known_name(entry: Mapping[str, Any]) -> bool:
  # Reports of earlier versions lack the field.
  return bool(entry.get('under_known_name', False))


def novel_class_lines(report: Mapping[str, Any]) -> list[str]:
  """Returns a warning if next to no image of novel classes is called novel.

  There is none where the warnings of the heap say so already.

  Args:
    report: the content of `report.json`.
  """
  got, total = novel_source_counts(report['per_class'])
  if not has_next_to_nothing_novel(got, total):
    return []
  images = f'{got} of {total} images of novel classes'
  heap = report['heap']
  if heap is None:
    tail = 'Novel ACC and New ACC may count these names as correct'
  elif any(images in line for line in heap['warnings']):
    return []
  else:
    tail = 'do not rely on these names'
  return [
    f'warning: {images} got a novel output: the network calls novel sources by '
    f'the names of known classes; {tail}'
  ]


def truth_lines(report: Mapping[str, Any]) -> list[str]:
  """Returns a line for each group of images that a report's figures lack.

  Args:
    report: the content of `report.json`.
  """
  missing, total = report['num_without_truth'], report['num_examples']
  known = report['num_known_examples']
  if not missing:
    if known == total > 0:
      return ['no image is of a novel class: All ACC covers known classes only']
    return []
  lines = [
    f'{missing} of {total} images have no true class; figures that need it are '
    'n/a'
  ]
  if known:
    lines.append(
      f'Known ACC covers the {text_tables.counted(known, "image")} whose true '
      f'class is a known one; of the {missing} without a true class, some may '
      'be of known classes too'
    )
  return lines


def interval_lines(figures: Mapping[str, Any]) -> list[str]:
  """Returns a line with the bootstrap intervals of the accuracies.

  Args:
    figures: a report, or its figures of groups. Reports of earlier versions
      have no intervals.
  """
  intervals = figures.get('intervals')
  if not intervals:
    return []
  found = [
    f'{TABLE_COLUMNS[name]} {percent(low)} to {percent(high)}'
    for name in ('known_acc', 'all_acc', 'new_acc')
    if name in intervals['figures']
    for low, high in [intervals['figures'][name]]
  ]
  level = f'{100 * intervals["level"]:g} % intervals (bootstrap): '
  return [level + ', '.join(found)] if found else []


def robustness_lines(table: Sequence[Mapping[str, Any]]) -> str:
  """Returns the table of degraded images for a terminal.

  Args:
    table: the field `robustness` of a report.
  """
  rows = [
    (
      f'{entry["kind"]} {entry["strength"]:g}',
      percent(entry['all_acc']),
      percent(entry['unchanged']),
    )
    for entry in table
  ]
  header = ('images as', TABLE_COLUMNS['all_acc'], 'same output')
  return text_tables.aligned(header, rows, 'lrr')


def write_report(
  inputs: RunInputs,
  report: dict[str, Any],
  predictions: Predictions,
  names: Sequence[str],
) -> None:
  """Prints the report; writes `report.json` and `attributions.csv`.

  For splits other than 'test' the files are named as by `split_file`. Where the
  images are in groups, `group_attributions.csv` has a line for each group.

  Args:
    inputs: the run; the files go to its workdir.
    report: the content of `report.json`.
    predictions: the predictions for the images of `eval.split`.
    names: the name of each output.

  Raises:
    UserError: a file cannot be written.
  """
  workdir, split = inputs.workdir, report['split']
  report_name = split_file(REPORT_FILE, split)
  write_json(workdir / report_name, report)
  tables = {ATTRIBUTIONS_FILE: predictions}
  if predictions.verdicts is not None:
    tables[GROUP_ATTRIBUTIONS_FILE] = predictions.verdicts
  table_names = [split_file(name, split) for name in tables]
  unseen = report.get('unseen', {})
  by_verdict = unseen.get('threshold')
  by_image = unseen.get('image_threshold', by_verdict)
  for name, rows in zip(table_names, tables.values(), strict=True):
    limit = by_image if rows is predictions else by_verdict
    with write_whole(
      workdir / name, text=True, what='the attributions', remedy=_REMEDY
    ) as file:
      write_attributions(file, inputs, rows, names, limit)
  print_report(report, names, _called(inputs, split, predictions, names))
  folder = escape.terminal(str(workdir))
  print(f'written: {folder}/{report_name}, {", ".join(table_names)}')


def _called(
  inputs: RunInputs,
  split: str,
  predictions: Predictions,
  names: Sequence[str],
) -> dict[int, tuple[str, float]] | None:
  """Returns `called` of `class_table`; None where no outputs share a name."""
  if not have_shared_names(names):
    return None
  predictions = predictions.verdicts or predictions
  split, _ = eval_rows(inputs.dataset, split)
  label = getattr(inputs.dataset, split).label[predictions.row]
  found = {}
  for each in np.unique(label):
    output, count = np.unique(
      predictions.called[label == each], return_counts=True
    )
    most = int(count.argmax())
    found[int(each)] = names[output[most]], float(count[most] / count.sum())
  return found


def print_report(
  report: Mapping[str, Any],
  names: Sequence[str],
  called: Mapping[int, tuple[str, float]] | None = None,
) -> None:
  """Prints the tables of a report, and which images they do not cover.

  Args:
    report: the content of `report.json`.
    names: the name of each output.
    called: as for `class_table`.
  """
  made_by = 'no network'
  if which := report['checkpoint']:
    if which == 'best':
      which = describe_best(report['selected_by'])
    made_by = (
      f'checkpoint: step {report["checkpoint_step"]} ({which}), '
      f'{_RULES[report["classified_by"]]}'
    )
  main = main_figures(report)
  groups = '' if main is report else f' in {main["num_examples"]} groups'
  images = f'{report["num_examples"]} {report["split"]} images{groups}'
  print(f'\n{made_by}, {images}\n')
  if main['per_class']:
    counted = 'groups' if groups else 'images'
    print(class_table(main['per_class'], names, counted, called))
    if called is not None:
      print('clusters of one name: together in "most often called" alone')
    print(*novel_class_lines(main), '', sep='\n')
  if main['heap'] is not None:
    print(f'{heap_lines(main["heap"])}\n')
  if groups:
    rows = {'one verdict a group': main, 'image by image': report}
    print(f'{main_table(rows, "figures of")}\n')
  else:
    print(f'{main_table({"": report})}\n')
  for line in (*interval_lines(main), *truth_lines(main)):
    print(line)
  for line in (*calibration_lines(report), *unseen_lines(report)):
    print(line)
  if robustness := report.get(ROBUSTNESS):
    print(f'\n{robustness_lines(robustness)}\n')
  if report[NUM_OUTPUTS_IN_USE] is not None:
    print(f'outputs in use, known and novel: {report[NUM_OUTPUTS_IN_USE]}')


def write_json(path: str | os.PathLike, report: Mapping[str, Any]) -> None:
  """Writes a report as strict JSON, in which null means "not available".

  Raises:
    UserError: the file cannot be written.
    ValueError: a number is not finite, which JSON cannot hold.
  """
  text = json.dumps(report, indent=2, allow_nan=False)
  with write_whole(path, text=True, what='the report', remedy=_REMEDY) as file:
    file.write(text + '\n')
