"""Puts together what a page says: numbers and names, without markup."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from input_pipeline import escape
from owdfa_jax.evaluation.names_file import NAMES_FILE
from owdfa_jax.evaluation.selection import LAST_EPOCH
from owdfa_jax.evaluation.shared_names import clusters_of_name
from owdfa_jax.method_titles import method_title
from owdfa_jax.page.galleries import Gallery, chosen_of_clusters, nearest_known
from owdfa_jax.page.published import published_rows
from owdfa_jax.page.run_files import RunFiles
from owdfa_jax.report_fields import (
  CALIBRATION,
  TABLE_COLUMNS,
  UNSEEN_AUROC,
  UNSEEN_REJECTED,
)

# Figures below the table, where the data gives them.
_FURTHER = {
  'macro_acc': 'mean accuracy over classes',
  'macro_f1': 'mean F1 over classes',
  'known_novel_auroc': 'AUROC, novel against known images',
  UNSEEN_AUROC: 'AUROC, unseen against seen sources',
  UNSEEN_REJECTED: 'unseen images rejected, 95 % of the others kept',
  'real_fake_auc': 'AUROC, forged against real images',
  'real_fake_eer': 'equal error rate, forged against real images',
  'expected_calibration_error': 'calibration error, without a temperature',
}
# What the network was given, by the setting `data.supervision`.
_SUPERVISION = {
  'open_world': 'labelled images of known sources, and unlabelled images',
  'labelled': 'labelled images of known sources alone',
  'all': 'the labels of all images, those of novel sources too',
}


@dataclasses.dataclass(frozen=True)
class ShownImage:
  """An image of a gallery.

  Attributes:
    row: its test row.
    path: its path, for people.
    source: its true source, '' where it is unknown.
    confidence: of its name.
    is_right: whether the source is the one that the cluster stands for; None
      where it is unknown.
  """

  row: int
  path: str
  source: str
  confidence: float
  is_right: bool | None


@dataclasses.dataclass(frozen=True)
class ShownCluster:
  """What a page says about one output.

  Attributes:
    output: the output, or the first one of the name.
    name: its name.
    clusters: the clusters that the user gave the name to, such as `novel-3`.
    known: whether it is a known class.
    count: how many images got it.
    share: their share of all images.
    confidence: their mean confidence.
    purity: the share of those with a true source that are of the most frequent
      one; None without such images.
    main_source: that source.
    num_true: how many of its images have a true source.
    nearest: the known output whose spectrum is most like it; None without one.
    typical: its images of the highest confidence.
    doubtful: those of the lowest.
  """

  output: int
  name: str
  clusters: list[str]
  known: bool
  count: int
  share: float
  confidence: float
  purity: float | None
  main_source: str
  num_true: int
  nearest: int | None
  typical: list[ShownImage]
  doubtful: list[ShownImage]


def clean_name(name: str) -> str:
  """Returns a name or path for the page, on one line and not too long.

  Marks of the direction of writing and other characters that do not show are
  escaped. The template escapes markup.

  Args:
    name: of a source, an output or a file.
  """
  return escape.shortened(name, 120)


def main_rows(run: RunFiles) -> list[dict[str, Any]]:
  """Returns the main figures, with intervals where the report has them.

  Args:
    run: the files of the run.

  Returns:
    `name`, `value` and `interval` ([low, high] or None), as fractions.
  """
  figures = run.figures
  intervals = (figures.get('intervals') or {}).get('figures', {})
  rows = [
    {'name': label, 'value': figures.get(key), 'interval': intervals.get(key)}
    for key, label in TABLE_COLUMNS.items()
  ]
  for key, label in _FURTHER.items():
    value = figures.get(key, run.report.get(key))
    if value is not None:
      rows.append(
        {'name': label, 'value': value, 'interval': intervals.get(key)}
      )
  # New images get confidences with the temperature.
  value = (figures.get(CALIBRATION) or {}).get('expected_calibration_error')
  if value is not None:
    label = 'calibration error, with the temperature'
    rows.append({'name': label, 'value': value, 'interval': None})
  return rows


def published_table(run: RunFiles) -> dict[str, Any] | None:
  """Returns this run's row beside the published ones; None for other data.

  Args:
    run: the files of the run.

  Returns:
    `protocol`, `made_with`, `header`, and `rows` of (name, values in percent).
  """
  entries = run.figures['per_class']
  found = published_rows([(entry['name'], entry['known']) for entry in entries])
  if found is None:
    return None
  own = [
    None if run.figures.get(key) is None else 100 * run.figures[key]
    for key in found.columns
  ]
  return {
    'protocol': found.protocol,
    'made_with': found.made_with,
    'header': [TABLE_COLUMNS[key] for key in found.columns],
    'rows': [*found.rows.items(), ('this run', own)],
  }


def checkpoint_in_words(report: Mapping[str, Any]) -> str:
  """Returns which checkpoint a report is of, such as 'last epoch, step 462'.

  Args:
    report: the content of `report.json`.
  """
  step = f'step {report["checkpoint_step"]}'
  match report['checkpoint']:
    case 'best':
      last = report.get('selected_by') == LAST_EPOCH
      return f'{"last" if last else "best"} epoch, {step}'
    case 'latest':
      return f'latest, {step}'
    case _:
      return step


def facts(run: RunFiles, device: str) -> dict[str, str]:
  """Returns what a run is, in words by their names.

  Args:
    run: the files of the run.
    device: what evaluated it, '' if that is unknown.
  """
  config, report = run.config, run.report
  found = {'method': method_title(config)}
  if 'spectrum' not in config:
    found |= _facts_of_network(config, report)
  found['seed'] = str(config.get('seed'))
  found['data'] = clean_name(str(config.get('data', {}).get('path', '')))
  counted = f'{report["num_examples"]} test images'
  if run.figures is not report:
    counted += (
      f' in {run.figures["num_examples"]} groups, one verdict each; a group is '
      'the tiles of an image, or the frames of a video'
    )
  found['evaluated'] = counted
  entries = run.figures['per_class']
  known = sum(entry['known'] for entry in entries)
  found['sources'] = (
    f'{known} known and {len(entries) - known} novel ones among the test images'
  )
  if run.given:
    names, clusters = len({*run.given.values()}), len(run.given)
    found['names'] = (
      f'{names} name{"" if names == 1 else "s"} for {clusters} found '
      f'cluster{"" if clusters == 1 else "s"}, in {NAMES_FILE}; the figures '
      'are those of the clusters'
    )
  if run.parts:
    found['split'] = _split_in_words(run.parts)
  if size := (config.get('packed') or {}).get('image_size'):
    found['images'] = f'{size} x {size} pixels'
  if device := run.machine or device:
    found['device'] = clean_name(device)
  return found


def _split_in_words(parts: Mapping[int, Sequence[str]]) -> str:
  """Returns which clusters are split, into which names.

  Args:
    parts: the names of the parts by output.
  """
  clusters = '; '.join(
    f'novel-{output} into {" and ".join(map(clean_name, names))}'
    for output, names in parts.items()
  )
  whole = 'the cluster' if len(parts) == 1 else 'the clusters'
  return (
    f'for new images alone, {clusters}; the tables of test images keep {whole} '
    'whole'
  )


def _facts_of_network(
  config: Mapping[str, Any], report: Mapping[str, Any]
) -> dict[str, str]:
  """Returns the facts of a run that has a network."""
  found, model = {}, config.get('model', {})
  supervision = config.get('data', {}).get('supervision')
  if labels := _SUPERVISION.get(supervision):
    found['trained on'] = labels
  found['network'] = (
    f'{model.get("backbone")}, width {model.get("width"):g}, front end '
    f'{model.get("front_end", "rgb")}'
  )
  epochs = config.get('epochs')
  found['training'] = (
    f'{epochs} epoch{"" if epochs == 1 else "s"}, '
    f'{config.get("batch_size")} images a step'
  )
  found['checkpoint'] = checkpoint_in_words(report)
  found['named by'] = (
    'the nearest centre of whitened features'
    if report.get('classified_by') == 'centres'
    else "the network's head"
  )
  return found


def shown_clusters(
  run: RunFiles, gallery: Gallery | None
) -> list[ShownCluster]:
  """Returns the names that images got: known classes, then the largest.

  Args:
    run: the files of the run.
    gallery: the spectra of names; None if there are none.
  """
  verdicts, num_known = run.named, run.num_known
  source = np.array(verdicts.source)
  stands_for = {
    entry['label'] if entry['known'] else entry['matched']: entry['name']
    for entry in run.figures['per_class']
  }
  nearest = {} if gallery is None else nearest_known(gallery, num_known)
  clusters = []
  for output, kinds in chosen_of_clusters(verdicts, run.num_outputs).items():
    members = verdicts.output == output
    named = source[members & (source != '')]
    main, purity = '', None
    if len(named):
      names, count = np.unique(named, return_counts=True)
      main = str(names[count.argmax()])
      purity = float(count.max() / count.sum())
    typical, doubtful = (
      [_shown(run, place, stands_for) for place in kind] for kind in kinds
    )
    clusters.append(
      ShownCluster(
        output=output,
        name=verdicts.name[output],
        clusters=clusters_of_name(verdicts.name[output], run.given),
        known=output < num_known,
        count=int(members.sum()),
        share=float(members.mean()),
        confidence=float(verdicts.confidence[members].mean()),
        purity=purity,
        main_source=main,
        num_true=len(named),
        nearest=nearest.get(output),
        typical=typical,
        doubtful=doubtful,
      )
    )
  return sorted(clusters, key=lambda x: (not x.known, -x.count))


def _shown(
  run: RunFiles, place: int, stands_for: Mapping[int, str]
) -> ShownImage:
  verdicts = run.named
  source = verdicts.source[place]
  class_of_output = stands_for.get(int(run.verdicts.output[place]))
  name = verdicts.name[int(verdicts.output[place])]
  if name in run.given.values() and name in stands_for.values():
    class_of_output = name  # the user says so
  is_right = None
  if source and class_of_output is not None:
    is_right = source == class_of_output
  return ShownImage(
    row=int(verdicts.row[place]),
    path=verdicts.image[place],
    source=source,
    confidence=float(verdicts.confidence[place]),
    is_right=is_right,
  )


def epoch_values(run: RunFiles) -> dict[str, list[float | None]]:
  """Returns the accuracies after each evaluated epoch, by their keys.

  Args:
    run: the files of the run.
  """
  prefix = 'eval/' if run.figures is run.report else 'eval/group_'
  keys = ('all_acc', 'known_acc', 'new_acc')
  return {
    key: [
      line.get(prefix + key, line.get(f'eval/{key}')) for line in run.history
    ]
    for key in keys
  }
