"""Says that images differ from those of the training, without jax."""

import math
from collections.abc import Mapping
from typing import Any

from input_pipeline.text_tables import percent
from owdfa_jax.evaluation.threshold_rows import TEST_IMAGES
from owdfa_jax.report_fields import NONE_OF_THESE, main_figures

# How much more often than asked for images have to be called none of these:
# by this factor, and by as many standard deviations.
_FACTOR, _DEVIATIONS = 2, 3
_SHARE = 'none_of_these'


def unlike_training(report: Mapping[str, Any]) -> str:
  """Returns a sentence on images that differ from those of the training.

  Returns '' for images that do not, and where that is unknown.

  Args:
    report: the content of `report.json`, perhaps of an earlier version.
  """
  if not tells_the_share(report):
    return ''
  section = report['unseen']
  share, rate = section[_SHARE], section['false_alarm_rate']
  count = main_figures(report)['num_examples']
  deviation = math.sqrt(max(count * rate * (1 - rate), 1))
  excess = count * (share - rate)
  if share <= _FACTOR * rate or excess <= _DEVIATIONS * deviation:
    return ''
  return (
    'These images differ from those of the training: '
    f'{percent(share)} % of them are called {NONE_OF_THESE}, where '
    f'{100 * rate:g} % are asked for.'
  )


def tells_the_share(report: Mapping[str, Any]) -> bool:
  """Returns whether a report says how many images are of no source.

  The threshold of earlier versions was set on the test images themselves, which
  says nothing about them.

  Args:
    report: see `unlike_training`.
  """
  section = report.get('unseen') or {}
  set_on = section.get('threshold_set_on', TEST_IMAGES)
  return section.get(_SHARE) is not None and set_on != TEST_IMAGES
