"""Staged training: what passes from stage to stage, and resuming in any."""

import json
import shutil

import jax
import ml_collections
import numpy as np
import pytest

from helpers.runs import TINY, tiny_experiment
from input_pipeline import pseudo_labels
from input_pipeline.errors import UserError
from owdfa_jax import weights
from owdfa_jax.configs import staged
from owdfa_jax.discovery import stages
from owdfa_jax.methods import METHODS
from owdfa_jax.training.checkpoints import read_network


def tiny_stages(packed, which='cpl,folder64', **changes):
  config = staged.get_config(which)
  short = {
    'stages.pretrain_epochs': 1,
    'stages.round_epochs': 1,
    'epochs': 1,
  }
  config.update_from_flattened_dict(
    TINY | short | {k.replace('__', '.'): v for k, v in changes.items()}
  )
  config.data.path = str(packed)
  return config.lock()


@pytest.fixture(scope='module')
def trained(packed, tmp_path_factory):
  """A whole staged run, its config and what it printed."""
  workdir = tmp_path_factory.mktemp('staged')
  config = tiny_stages(packed)
  assert stages.train_stages(config, str(workdir)) == 0
  return config, workdir


def test_every_stage_has_its_row(trained):
  _, workdir = trained
  report = json.loads((workdir / 'report.json').read_text())
  names = ['1-supervised', '2-cpl', '3-round1', '3-round2']
  assert list(report['stages']) == names
  for name in names:
    alone = json.loads((workdir / name / 'report.json').read_text())
    assert report['stages'][name]['all_acc'] == alone['all_acc']
  assert report['all_acc'] == report['stages']['3-round2']['all_acc']
  table = stages.stage_table(report['stages']).splitlines()
  assert [line.split(' | ')[0] for line in table[2:]] == [
    f'| {name}' for name in names
  ]


def test_a_stage_begins_with_the_network_of_the_one_before(trained):
  _, workdir = trained
  init = lambda name: json.loads((workdir / name / 'config.json').read_text())
  assert init('1-supervised')['model']['init'] == ''
  # Relative, so that the whole can be moved.
  assert init('3-round1')['model']['init'].startswith('../2-cpl/checkpoints/')
  assert init('2-cpl')['data']['pseudo_labels'] == ''
  heads = [init(name)['model']['init_head'] for name in ('2-cpl', '3-round1')]
  assert heads == [False, True]


def read_labels(stage, packed, tmp_path):
  """What a stage's folder hands on."""
  (path,) = stage.glob('pseudo_labels-*.npz')
  experiment = tiny_experiment(packed, tmp_path)
  return pseudo_labels.read(
    str(path), experiment.dataset, experiment.num_outputs
  )


def test_rounds_train_on_what_the_network_said(trained, packed, tmp_path):
  config, workdir = trained
  label = read_labels(workdir / '2-cpl', packed, tmp_path)
  unlabelled = tiny_experiment(packed, tmp_path).dataset.train.tag == 2
  assert (label[~unlabelled] == -1).all()
  kept = (label[unlabelled] >= 0).mean()
  assert config.stages.keep_share <= kept < 1


def test_run_again_it_trains_nothing_and_says_the_same(trained, capsys):
  config, workdir = trained
  before = (workdir / 'report.json').read_text()
  assert stages.train_stages(config, str(workdir)) == 0
  assert capsys.readouterr().out.count('complete already') == 4
  assert (workdir / 'report.json').read_text() == before


def test_evaluation_judges_every_stage_anew(trained, packed, tmp_path):
  config, workdir = trained
  shutil.copytree(workdir, tmp_path / 'run')
  before = (tmp_path / 'run' / 'report.json').read_text()
  other = tiny_stages(packed, eval__split='unlabelled')
  stages.evaluate_stages(other, str(tmp_path / 'run'))
  assert (tmp_path / 'run' / 'report.json').read_text() == before
  report = (tmp_path / 'run' / 'report_unlabelled.json').read_text()
  report = json.loads(report)
  assert list(report['stages']) == stages.names(config)
  assert {r['split'] for r in report['stages'].values()} == {'unlabelled'}
  assert report['per_class'][0]['name'] == 'm0'


def test_it_can_be_moved(trained, tmp_path, capsys):
  config, workdir = trained
  shutil.copytree(workdir, tmp_path / 'moved')
  assert stages.train_stages(config, str(tmp_path / 'moved')) == 0
  assert capsys.readouterr().out.count('complete already') == 4


def test_other_labels_are_another_run(trained, packed, tmp_path):
  config, workdir = trained
  shutil.copytree(workdir, tmp_path / 'run')
  stricter = tiny_stages(packed, stages__keep_share=0.1)
  with pytest.raises(UserError, match='keep_share=0.5 .now 0.1'):
    stages.train_stages(stricter, str(tmp_path / 'run'))
  (path,) = (tmp_path / 'run' / '2-cpl').glob('pseudo_labels-*.npz')
  with np.load(path) as file:
    spoilt = dict(file)
  spoilt['label'][spoilt['label'] >= 0] = 0
  np.savez(path, **spoilt)
  with pytest.raises(UserError, match='another config.*pseudo_labels'):
    stages.train_stages(config, str(tmp_path / 'run'))


def test_labels_are_made_anew_until_a_round_has_saved(
  trained, packed, tmp_path
):
  _, workdir = trained
  shutil.copytree(workdir, tmp_path / 'run')
  shutil.rmtree(tmp_path / 'run' / '3-round2')
  shutil.rmtree(tmp_path / 'run' / '3-round1' / 'checkpoints')
  stricter = tiny_stages(packed, stages__keep_share=0.1)
  labels = lambda: read_labels(tmp_path / 'run' / '2-cpl', packed, tmp_path)
  before = (labels() >= 0).sum()
  assert stages.train_stages(stricter, str(tmp_path / 'run')) == 0
  assert 0 < (labels() >= 0).sum() < before


def test_a_stage_that_others_began_from_trains_no_further(
  trained, packed, tmp_path
):
  _, workdir = trained
  shutil.copytree(workdir, tmp_path / 'run')
  for changes in {'epochs': 2}, {'stages__pretrain_epochs': 2}:
    with pytest.raises(UserError, match='cannot go on.* 1 epochs .now 2'):
      stages.train_stages(tiny_stages(packed, **changes), str(tmp_path / 'run'))


def test_the_test_chooses_no_stage_that_others_begin_from(packed):
  config = tiny_stages(packed, eval__selection='test')
  selections = [
    stages.stage_config(config, name, '', '').eval.selection
    for name in stages.names(config)
  ]
  assert selections == ['last', 'last', 'last', 'test']


def test_mistakes_of_a_later_stage_show_before_the_first(packed, tmp_path):
  config = tiny_stages(packed, method__params__vote_rule='nonsense')
  with pytest.raises(UserError, match='vote_rule=nonsense'):
    stages.train_stages(config, str(tmp_path / 'run'))
  config = tiny_stages(packed, data__pseudo_labels='mine.npz')
  with pytest.raises(UserError, match='data.pseudo_labels=mine.npz'):
    stages.train_stages(config, str(tmp_path / 'run'))
  config = tiny_stages(packed, eval__checkpoint='12')
  with pytest.raises(UserError, match='eval.checkpoint=12'):
    stages.train_stages(config, str(tmp_path / 'run'))
  assert not (tmp_path / 'run').exists()


def test_it_stops_and_goes_on_in_any_stage(packed, tmp_path, monkeypatch):
  config = tiny_stages(packed, stages__rounds=1)
  really, stopped, straight = stages.train, tmp_path / 'a', tmp_path / 'b'

  def stop_in(number):
    calls = iter(range(1, 9))
    monkeypatch.setattr(
      stages, 'train', lambda e: really(e) if next(calls) < number else 143
    )
    return stages.train_stages(config, str(stopped))

  assert [stop_in(2), stop_in(3), stop_in(9)] == [143, 143, 0]
  assert stages.train_stages(config, str(straight)) == 0
  for name in stages.names(config):
    jax.tree.map(
      np.testing.assert_array_equal,
      read_network(stopped / name),
      read_network(straight / name),
    )


@pytest.mark.slow
def test_a_round_keeps_the_number_of_classes_that_was_found(packed, tmp_path):
  config = tiny_stages(
    packed,
    'cal,folder64',
    method__params__estimate_classes=True,
    method__params__prune_from_epoch=0,
    stages__rounds=1,
  )
  assert stages.train_stages(config, str(tmp_path)) == 0
  live = {
    name: weights.state_dict(*read_network(tmp_path / name))['live']
    for name in ('2-cal', '3-round1')
  }
  # Outputs only ever die; a round that began afresh would have them all.
  assert not (live['3-round1'] & ~live['2-cal']).any()
  assert live['2-cal'].sum() < live['2-cal'].size
  (path,) = (tmp_path / '2-cal').glob('pseudo_labels-*.npz')
  with np.load(path) as file:
    given = np.unique(file['label'][file['label'] >= 0])
  assert live['2-cal'][given].all()


def test_the_last_stage_is_what_is_evaluated(trained):
  config, workdir = trained
  stage, folder = stages.last_stage(config, str(workdir))
  assert folder == str(workdir / '3-round2')
  assert 'stages' not in stage and stage.epochs == config.stages.round_epochs


@pytest.mark.parametrize(
  'setting, value',
  [
    ('pretrain_epochs', 0),
    ('round_epochs', 0),
    ('rounds', -1),
    ('keep_share', 1.5),
    ('keep_share', 0.0),
    ('keep_confidence', -0.1),
    ('round_learning_rate_factor', 0.0),
    ('label_by', 'nonsense'),
  ],
)
def test_settings_out_of_range_are_named(packed, tmp_path, setting, value):
  config = tiny_stages(packed, **{f'stages__{setting}': value})
  with pytest.raises(UserError, match=f'stages.{setting}={value}'):
    stages.train_stages(config, str(tmp_path))


def test_every_method_has_stages():
  assert set(staged.METHODS) == METHODS.keys() - {'supervised'}


def test_an_unknown_method_is_named():
  with pytest.raises(UserError, match='nonsense,owdfa1'):
    staged.get_config('nonsense,owdfa1')
  assert isinstance(staged.get_config('owdfa1'), ml_collections.ConfigDict)
