"""Says which parts of a page are missing, why, and what adds them.

A page of an earlier run, or of one that was moved, has fewer parts. Each is
named at its place, so that nobody takes it for a part that no page has.
"""

import dataclasses
from collections.abc import Collection

from owdfa_jax.evaluation.unlike_training import tells_the_share
from owdfa_jax.page.run_files import RunFiles
from owdfa_jax.report_fields import ROBUSTNESS

EVALUATE = 'owdfa eval --workdir=RUN'
WITH_DATA = 'owdfa report RUN --data DIR'
_EARLIER = 'this run was evaluated by an earlier version'
_NO_DATA = 'the packed data was not at hand'


@dataclasses.dataclass(frozen=True)
class Missing:
  """Why a part of a page is missing.

  Attributes:
    what: the part.
    why: the reason.
    command: what adds it, RUN standing for the run's name; '' if nothing does.
  """

  what: str
  why: str
  command: str = ''


def missing_parts(
  run: RunFiles, there: Collection[str], *, has_images: bool
) -> dict[str, Missing]:
  """Returns the parts that a page lacks, by the keys of their sections.

  Args:
    run: the files of the run.
    there: the keys of the sections that the page has.
    has_images: whether the shown images of names are at hand.
  """
  found = {
    'reliability': _reliability(run),
    'scores': _scores(there),
  }
  # Without a network nothing was trained, and there are no features.
  if 'spectrum' not in run.config:
    count = len(run.history)
    found |= {
      'curves': Missing(
        'the accuracies over the training',
        'curves need two evaluated epochs; metrics.jsonl has '
        f'{count or "none"}',
      ),
      'map': Missing(
        'the map',
        'the packed data or the checkpoint was not at hand',
        WITH_DATA,
      ),
      ROBUSTNESS: Missing(
        'the result on degraded images',
        'the evaluation was not asked for it',
        f'{EVALUATE} --config.eval.robustness=True',
      ),
    }
  has_share = tells_the_share(run.report)
  found = {
    key: part
    for key, part in found.items()
    if key not in there or (key == 'scores' and not has_share)
  }
  if not has_images:
    found['clusters'] = Missing(
      'the images and the fingerprints', _NO_DATA, WITH_DATA
    )
  if not run.figures.get('intervals'):
    found['figures'] = Missing(
      'the intervals and some figures', _EARLIER, EVALUATE
    )
  return found


def _scores(there: Collection[str]) -> Missing:
  what = 'whether these images differ from those of the training'
  if 'scores' not in there:
    what = f'the unseen scores, and {what}'
  return Missing(what, _EARLIER, EVALUATE)


def _reliability(run: RunFiles) -> Missing:
  what = 'the accuracy by confidence'
  if count := run.figures.get('num_without_truth'):
    return Missing(what, f'the true source of {count} test images is unknown')
  return Missing(what, _EARLIER, EVALUATE)
