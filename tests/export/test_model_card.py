"""What a model card says of a run in stages, its groups and its figures."""

import pathlib

import pytest

from owdfa_jax.export.model_card import render_card
from owdfa_jax.training.recorded_config import name_and_stage

DESCRIPTION = {
  'classes': ['a', 'b', 'mine', 'left', 'right', 'novel-6'],
  'outputs': ['a', 'b', 'mine', 'mine', 'left', 'right', 'novel-6'],
  'split_clusters': {'novel-4': ['left', 'right']},
  'num_known': 2,
  'image_size': 64,
  'false_alarm_rate': 0.05,
  'made_by': {'owdfa_jax': '0', 'jax': '0'},
  'preparation': [],
  'on_the_host': [],
  'run': {
    'name': 'faces',
    'stage': '3-round2',
    'title': 'Trace in rounds',
    'step': 120,
    'backbone': 'small',
    'front_end': 'residual',
    'dtype': 'float32',
    'classify_by': 'centres',
    'checkpoint': 'f00',
  },
  'program': {'platforms': ['cpu']},
  'comparison': {'largest_difference': {}, 'images': 1, 'of': 'drawn images'},
}
DATA = {
  'classes': [],
  'splits': {'train': {'records': 1}, 'test': {'records': 1}},
}
REPORT = {
  'num_examples': 1,
  'split': 'test',
  'checkpoint_step': 120,
  'all_acc': 0.5,
}


def card_of(**changes):
  return render_card({**DESCRIPTION, **changes}, DATA, REPORT, '')


def test_the_title_has_the_run_and_its_stage():
  title = '# Model card: faces, stage 3-round2 (Trace in rounds, step 120)\n'
  assert card_of().startswith(title)
  run = DESCRIPTION['run'] | {'stage': ''}
  assert card_of(run=run).startswith('# Model card: faces (Trace')


@pytest.mark.parametrize(
  ('folder', 'found'),
  [
    ('/runs/faces/3-round2', ('faces', '3-round2')),
    ('/runs/faces/2-cpl', ('faces', '2-cpl')),
    ('/runs/faces', ('faces', '')),
    ('/2-cpl', ('2-cpl', '')),
  ],
)
def test_the_folder_of_a_stage_is_in_that_of_its_run(folder, found):
  assert name_and_stage(pathlib.PurePosixPath(folder)) == found


def test_the_table_of_sources_has_all_training_images():
  counts = {'labelled': 288, 'unlabelled': 0}
  data = DATA | {
    'classes': [{'name': 'a', 'known': True, 'counts': counts}],
    'truth_unknown': {'labelled': 0, 'unlabelled': 274},
  }
  heap = '| (unknown: the heap) | no | 0 | 274 |'
  card = render_card(DESCRIPTION, data, REPORT, '')
  assert f'| a | yes | 288 | 0 |\n{heap}\n' in card
  assert 'the heap' not in card_of()


def test_found_groups_have_the_names_of_the_user():
  card = card_of()
  assert '| mine | 2 | a name from the user |' in card
  assert '| left | 1 | a part of novel-4, which the user split |' in card
  assert '| novel-6 | 1 | no name from the user |\n\n## Licence' in card
  whole = card_of(classes=['a', 'b', 'novel-4'], outputs=['a', 'b', 'novel-4'])
  assert '| novel-4 | 1 | split by the user into left, right; the' in whole


def test_missing_intervals_are_explained():
  remark = 'There are no intervals: the run was evaluated by an earlier version'
  assert remark in card_of()
  report = REPORT | {'intervals': {'figures': {'all_acc': [0.4, 0.6]}}}
  card = render_card(DESCRIPTION, DATA, report, '')
  assert '40.00 to 60.00' in card and remark not in card
