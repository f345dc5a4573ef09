"""Summarises what a network predicts for a heap: images without a true class.

No accuracy can be computed for them. The summary counts the outputs that they
got, and describes the confidences.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from input_pipeline import escape, text_tables
from input_pipeline.text_tables import counted, percent

# A confidence below this is low: the other outputs have more probability in
# sum than the one that the image got.
LOW_CONFIDENCE = 0.5
# A warning is printed where a smaller share of the images got a novel output. A
# novel source that makes up one image in twenty, and is recognised, reaches it.
LEAST_NOVEL_SHARE = 0.05
# A warning is printed where one output got at least as many of the images, or
# of those with a novel output. A network that separates two sources of similar
# size stays far below.
COLLAPSE_SHARE = 0.9
# With fewer images, a single one would decide about a warning.
LEAST_IMAGES = 20
# A warning names the outputs whose mean confidence is less than this part of
# the way from chance, at which all outputs are as probable, to certainty.
LEAST_CERTAINTY = 0.1


def heap_summary(
  predicted: np.ndarray,
  confidence: np.ndarray,
  names: Sequence[str],
  num_known: int,
  num_outputs: int | None = None,
  per_class: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
  """Returns a summary of the predictions for images without a true class.

  Args:
    predicted: int [N], the output of each of these images; N is at least 1.
    confidence: float [N], its probability.
    names: the name of each output.
    num_known: the number of known classes.
    num_outputs: how many outputs pruning left in use; None for all.
    per_class: where the images with a true class went, as
      `metrics.per_class_table` returns it; the warnings use it.

  Returns:
    A dict for JSON:

    - num_images: N.
    - num_outputs, num_novel_outputs: the number of outputs in use, and of the
      novel ones among them.
    - num_outputs_given, num_novel_outputs_given: how many of them images got.
    - novel_share: the share of images with a novel output.
    - score: how well the heap is divided, see `heap_score`.
    - mean_confidence, median_confidence.
    - chance_confidence: the confidence if all outputs in use were as probable.
    - low_confidence_share: the share of images with a confidence below
      `LOW_CONFIDENCE`.
    - per_output: `output`, `name`, `known`, `count`, `share` and
      `mean_confidence` of each output that an image got, most images first.
    - warnings: a line each, see `heap_warnings`.
  """
  confidence = np.asarray(confidence, np.float64)
  num_outputs = len(names) if num_outputs is None else num_outputs
  per_output = _per_output(predicted, confidence, names, num_known)
  summary: dict[str, Any] = {
    'num_images': len(predicted),
    'num_outputs': num_outputs,
    'num_novel_outputs': num_outputs - num_known,
    'num_outputs_given': len(per_output),
    'num_novel_outputs_given': sum(not x['known'] for x in per_output),
    'novel_share': float(np.mean(predicted >= num_known)),
    # Of all outputs, so that epochs before and after pruning can be compared.
    'score': heap_score(predicted, confidence, len(names)),
    'mean_confidence': float(np.mean(confidence)),
    'median_confidence': float(np.median(confidence)),
    'chance_confidence': 1 / num_outputs,
    'low_confidence_share': float(np.mean(confidence < LOW_CONFIDENCE)),
    'per_output': per_output,
  }
  return summary | {'warnings': heap_warnings(summary, per_class)}


def _per_output(
  predicted: np.ndarray,
  confidence: np.ndarray,
  names: Sequence[str],
  num_known: int,
) -> list[dict[str, Any]]:
  """Returns the field `per_output` of a summary, see `heap_summary`."""
  count = np.bincount(predicted, minlength=len(names))
  total = np.bincount(predicted, confidence, minlength=len(names))
  # Stable, so that outputs of equal counts stay in their order.
  given = [int(k) for k in np.argsort(-count, kind='stable') if count[k] > 0]
  return [
    {
      'output': k,
      'name': names[k],
      'known': k < num_known,
      'count': int(count[k]),
      'share': float(count[k] / len(predicted)),
      'mean_confidence': float(total[k] / count[k]),
    }
    for k in given
  ]


def novel_source_counts(
  per_class: Sequence[Mapping[str, Any]],
) -> tuple[int, int]:
  """Returns how many images of novel classes got a novel output, of how many.

  Args:
    per_class: what `metrics.per_class_table` returns.
  """
  novel = [entry for entry in per_class if not entry['known']]
  got = sum(round(entry['novel_share'] * entry['count']) for entry in novel)
  return got, sum(entry['count'] for entry in novel)


def has_next_to_nothing_novel(got: int, total: int) -> bool:
  """Returns whether next to no image got a novel output.

  Args:
    got: how many images got one.
    total: of how many; False for 0.
  """
  return got < LEAST_NOVEL_SHARE * total


def heap_score(
  predicted: np.ndarray, confidence: np.ndarray, num_outputs: int
) -> float:
  """Returns a score in [0, 1] of how a network divides a heap.

  It is the evenness with which the outputs are used, the entropy of their
  shares over its largest value, times the mean confidence. It is low where all
  images get one output, and where the network is not sure of any.

  Args:
    predicted: int [N], the outputs of the heap's images.
    confidence: float [N], their probabilities.
    num_outputs: K, the number of the network's outputs.
  """
  _, count = np.unique(predicted, return_counts=True)
  share = count / len(predicted)
  # Of a single share, 0 and not -0.
  entropy = 0.0 - float((share * np.log(share)).sum())
  evenness = entropy / np.log(num_outputs) if num_outputs > 1 else 0.0
  return evenness * float(np.mean(confidence, dtype=np.float64))


def heap_warnings(
  summary: Mapping[str, Any], per_class: Sequence[Mapping[str, Any]] = ()
) -> list[str]:
  """Returns a line for each sign that the sources were not separated.

  Args:
    summary: what `heap_summary` returns, with or without its warnings.
    per_class: as in `heap_summary`.
  """
  return [
    *separation_warnings(summary, per_class),
    *near_chance_warnings(summary),
  ]


def separation_warnings(
  summary: Mapping[str, Any], per_class: Sequence[Mapping[str, Any]] = ()
) -> list[str]:
  """Returns a line for each sign in how many images each output got.

  The signs are: next to no image got a novel output, one output got nearly all
  images, or one novel output got nearly all images with a novel one.

  Args:
    summary: as in `heap_warnings`.
    per_class: as in `heap_summary`.
  """
  images = summary['num_images']
  if images < LEAST_IMAGES:
    return []
  most, num_outputs = summary['per_output'][0], summary['num_outputs']
  most_name = escape.terminal(most['name'])
  novel = [entry for entry in summary['per_output'] if not entry['known']]
  num_novel = sum(entry['count'] for entry in novel)
  lines = []
  if not summary['num_novel_outputs']:
    lines.append(
      'the network has no novel output, so every image without a true class '
      'got the name of a known class, whatever its source'
    )
  elif has_next_to_nothing_novel(num_novel, images):
    lines.append(_next_to_nothing_novel(num_novel, images, per_class))
  if num_outputs > 1 and most['share'] >= COLLAPSE_SHARE:
    lines.append(
      f'{most_name} got {most["count"]} of {images} images without a true '
      'class: either they have one source, or the network does not separate '
      'their sources'
    )
  elif (
    summary['num_novel_outputs'] > 1
    and num_novel >= LEAST_IMAGES
    and novel[0]['count'] >= COLLAPSE_SHARE * num_novel
  ):
    lines.append(
      f'{escape.terminal(novel[0]["name"])} got {novel[0]["count"]} of the '
      f'{num_novel} images with a novel output: either there is one novel '
      'source, or the network does not separate novel sources'
    )
  return lines


def _next_to_nothing_novel(
  num_novel: int, images: int, per_class: Sequence[Mapping[str, Any]]
) -> str:
  """Returns the warning, with the cause if the novel classes show it."""
  line = (
    f'{num_novel} of {images} images without a true class got a novel output'
  )
  got, total = novel_source_counts(per_class)
  cause = 'the network calls novel sources by the names of known classes'
  if has_next_to_nothing_novel(got, total):
    line += f', and {got} of {total} images of novel classes did: {cause}'
  else:
    line += f': either they hold next to no novel source, or {cause}'
  return f'{line}; do not rely on these names'


def near_chance_warnings(summary: Mapping[str, Any]) -> list[str]:
  """Returns a line that names the outputs with a confidence near chance.

  Args:
    summary: as in `heap_warnings`.
  """
  if summary['num_images'] < LEAST_IMAGES:
    return []
  chance, num_outputs = summary['chance_confidence'], summary['num_outputs']
  limit = chance + LEAST_CERTAINTY * (1 - chance)
  # Of a single output, the confidence is always 1.
  weak = [
    f'{escape.terminal(entry["name"])} ({percent(entry["mean_confidence"])} %)'
    for entry in summary['per_output']
    if entry['mean_confidence'] < limit
  ]
  if not weak:
    return []
  return [
    f'mean confidence near chance ({percent(chance)} % with {num_outputs} '
    f'outputs): {", ".join(weak)}; images with such an output may be of any '
    'source'
  ]


def heap_lines(summary: Mapping[str, Any]) -> str:
  """Returns the summary for a terminal: lines, and a table of the names."""
  rows = [
    (
      entry['name'],
      'known' if entry['known'] else 'novel',
      str(entry['count']),
      percent(entry['share']),
      percent(entry['mean_confidence']),
    )
    for entry in _by_name(summary['per_output'])
  ]
  header = ('output', 'known', 'images', 'share', 'mean confidence')
  return '\n'.join(
    [
      f'the heap, {counted(summary["num_images"], "image")} without a true '
      'class: '
      f'{percent(summary["novel_share"])} % got a novel output; they got '
      f'{summary["num_outputs_given"]} of {summary["num_outputs"]} outputs, '
      f'{summary["num_novel_outputs_given"]} of '
      f'{summary["num_novel_outputs"]} novel ones',
      f'confidence: mean {percent(summary["mean_confidence"])} %, median '
      f'{percent(summary["median_confidence"])} %, by chance '
      f'{percent(summary["chance_confidence"])} %; below '
      f'{100 * LOW_CONFIDENCE:.0f} % for '
      f'{percent(summary["low_confidence_share"])} % of the images',
      f'score of the heap: {percent(summary["score"])} % (evenness of the '
      'outputs times mean confidence; no accuracy)',
      *(f'warning: {line}' for line in summary['warnings']),
      '',
      text_tables.aligned(header, rows, 'llrrr'),
    ]
  )


def _by_name(
  per_output: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
  """Returns the entries of outputs, those of one name together."""
  found: dict[str, dict[str, Any]] = {}
  for entry in per_output:
    one = found.get(entry['name'])
    if one is None:
      found[entry['name']] = dict(entry)
      continue
    count = one['count'] + entry['count']
    one['mean_confidence'] = (
      one['count'] * one['mean_confidence']
      + entry['count'] * entry['mean_confidence']
    ) / count
    one['count'], one['share'] = count, one['share'] + entry['share']
  return sorted(found.values(), key=lambda x: -x['count'])


def heap_table(reports: Mapping[str, Mapping[str, Any]], title: str) -> str:
  """Returns a Markdown table of where several networks put the same heap.

  Args:
    reports: the report of each row, with `heap`, by the row's name.
    title: the header of the names.
  """
  header = (title, 'called novel', 'outputs', 'novel outputs', 'confidence')
  rows = [
    (
      name,
      percent(heap['novel_share']),
      f'{heap["num_outputs_given"]} of {heap["num_outputs"]}',
      f'{heap["num_novel_outputs_given"]} of {heap["num_novel_outputs"]}',
      percent(heap['mean_confidence']),
    )
    for name, report in reports.items()
    for heap in [report['heap']]
  ]
  return text_tables.markdown(header, rows, 'lrrrr')
