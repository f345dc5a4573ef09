"""Draws the pictures of a run's page, those that its files have data for."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from input_pipeline.escape import spreadsheet
from owdfa_jax.evaluation.overview_data import (
  WITHOUT_TRUTH,
  count_shares,
  order_outputs,
)
from owdfa_jax.evaluation.shared_names import with_first_outputs
from owdfa_jax.page.content import epoch_values
from owdfa_jax.page.feature_map import FeatureMap
from owdfa_jax.page.map_picture import map_picture
from owdfa_jax.page.pictures import (
  confusion_picture,
  curves_picture,
  reliability_picture,
  robustness_picture,
  scores_picture,
)
from owdfa_jax.page.run_files import RunFiles
from owdfa_jax.report_fields import ROBUSTNESS

# The two maps of features.
BY_SOURCE, BY_NAME = 'map-source', 'map-name'
# All pictures that a page may have. Pages of earlier versions had one map.
PICTURES = (
  'confusion',
  'curves',
  'reliability',
  'scores',
  'map',
  BY_SOURCE,
  BY_NAME,
  'robustness',
)


class Picture(NamedTuple):
  """A picture and what is read aloud in its place.

  Attributes:
    figure: the picture.
    description: in a sentence.
  """

  figure: Figure
  description: str


def draw_pictures(
  run: RunFiles, bounds: Mapping[str, float], found: FeatureMap | None
) -> dict[str, Picture]:
  """Returns the pictures by their names; those without data are left out.

  Args:
    run: the files of the run.
    bounds: All ACC of the bounds beside it, by their names.
    found: the map of its features; None if there is none.
  """
  figures, report = run.figures, run.report
  pictures = {'confusion': _confusion(run)}
  epochs = epoch_values(run)
  if len(run.history) > 1 or bounds:
    pictures['curves'] = Picture(
      curves_picture(epochs, bounds, figures['all_acc']),
      'Accuracies over the epochs of training',
    )
  if bins := figures.get('reliability'):
    pictures['reliability'] = Picture(
      reliability_picture(bins), 'Accuracy by confidence'
    )
  unseen = report.get('unseen') or {}
  if histogram := unseen.get('histogram'):
    pictures['scores'] = Picture(
      scores_picture(histogram, unseen['threshold']),
      'Histogram of the unseen scores',
    )
  if found is not None and len(found.row):
    pictures |= _maps(run, found)
  if table := report.get(ROBUSTNESS):
    pictures['robustness'] = Picture(
      robustness_picture(table, figures['all_acc']),
      'Accuracy on degraded images',
    )
  return pictures


def _confusion(run: RunFiles) -> Picture:
  verdicts = run.named
  entries = with_first_outputs(run.figures['per_class'], verdicts.name)
  lines = [
    {'output': str(output), 'true_source': spreadsheet(source)}
    for output, source in zip(verdicts.output, verdicts.source, strict=True)
  ]
  outputs = order_outputs(entries, lines, run.num_known)
  has_heap = '' in verdicts.source
  share = count_shares(entries, lines, outputs, has_heap=has_heap)
  sources = [entry['name'] for entry in entries]
  figure = confusion_picture(
    np.nan_to_num(share),
    sources + [WITHOUT_TRUTH] * has_heap,
    [verdicts.name[output] for output in outputs],
    sum(entry['known'] for entry in entries),
    sum(output < run.num_known for output in outputs),
  )
  return Picture(figure, 'Share of each true source in each name')


def _maps(run: RunFiles, found: FeatureMap) -> dict[str, Picture]:
  """Returns the map by true source, where any is known, and by name."""
  verdicts = run.named
  place = verdicts.group[found.row]
  known = [k for k in verdicts.name if k < run.num_known]
  names = {verdicts.name[k] for k in known}
  names |= {x['name'] for x in run.figures['per_class'] if x['known']}
  groups = {
    BY_SOURCE: ('by true source', [verdicts.source[n] for n in place]),
    BY_NAME: (
      'by the name that images got',
      [verdicts.name[int(verdicts.output[n])] for n in place],
    ),
  }
  return {
    key: Picture(
      map_picture(found.place, group, frozenset(names), title),
      f'Map of features, {title}',
    )
    for key, (title, group) in groups.items()
    if any(group)
  }
