"""Staged training: what passes from stage to stage, and resuming in any."""

import json
import shutil

import jax
import numpy as np
import pytest
from etils import epath

from helpers.runs import tiny_experiment
from helpers.staged_runs import tiny_stages
from input_pipeline import pseudo_labels
from input_pipeline.errors import UserError
from owdfa_jax import weights
from owdfa_jax.discovery import stages
from owdfa_jax.discovery.stage_plan import plan_stages
from owdfa_jax.evaluation import metrics
from owdfa_jax.evaluation.heap import heap_summary
from owdfa_jax.training.checkpoints import read_network

NAMES = ['1-supervised', '2-cpl', '3-round1', '3-round2']


@pytest.fixture(scope='module')
def trained(packed, tmp_path_factory):
  """The config and the workdir of a complete staged run."""
  workdir = tmp_path_factory.mktemp('staged')
  config = tiny_stages(packed)
  assert stages.train_stages(config, str(workdir)) == 0
  return config, workdir


@pytest.fixture
def copied(trained, tmp_path):
  """A copy of that run that a test may change."""
  config, workdir = trained
  shutil.copytree(workdir, tmp_path / 'run')
  return config, tmp_path / 'run'


def read_json(path):
  return json.loads(path.read_text())


def read_labels(stage, packed, tmp_path):
  """Returns the pseudo-labels that a stage made for the next one."""
  (path,) = stage.glob('pseudo_labels-*.npz')
  experiment = tiny_experiment(packed, tmp_path)
  return pseudo_labels.read_pseudo_labels(
    str(path), experiment.dataset, experiment.num_outputs
  )


def test_report_has_every_stage(trained):
  _, workdir = trained
  report = read_json(workdir / 'report.json')
  assert list(report['stages']) == NAMES
  for name in NAMES:
    alone = read_json(workdir / name / 'report.json')
    assert report['stages'][name]['all_acc'] == alone['all_acc']
  assert report['all_acc'] == report['stages']['3-round2']['all_acc']


def test_stage_starts_from_the_network_of_the_one_before(trained):
  _, workdir = trained
  config = {name: read_json(workdir / name / 'config.json') for name in NAMES}
  assert config['1-supervised']['model']['init'] == ''
  # Sibling paths are relative, so that the run can be moved.
  before = config['3-round1']['model']['init']
  assert before.startswith('../2-cpl/checkpoints/')
  assert config['2-cpl']['data']['pseudo_labels'] == ''
  labels = config['3-round1']['data']['pseudo_labels']
  assert labels.startswith('../2-cpl/pseudo_labels-')
  heads = [config[name]['model']['init_head'] for name in ('2-cpl', '3-round1')]
  assert heads == [False, True]


def test_rounds_train_on_labels_of_unlabelled_images(trained, packed, tmp_path):
  config, workdir = trained
  label = read_labels(workdir / '2-cpl', packed, tmp_path)
  unlabelled = tiny_experiment(packed, tmp_path).dataset.train.tag == 2
  assert (label[~unlabelled] == -1).all()
  kept = (label[unlabelled] >= 0).mean()
  assert config.stages.keep_share <= kept < 1


def test_report_says_how_labels_were_made(trained):
  _, workdir = trained
  report = read_json(workdir / 'report.json')
  labelling = report['stages']['2-cpl']['labelling']
  assert labelling['label_by'] == 'clusters'
  assert labelling['whitening'] == 'none' and labelling['kept'] > 0
  assert 'labelling' not in report['stages']['3-round2']


def test_round_of_an_earlier_version_goes_on(copied, packed):
  config, workdir = copied
  for name in NAMES[2:]:
    path = workdir / name / 'config.json'
    settings = read_json(path)
    del settings['data']['whitening']
    path.write_text(json.dumps(settings))
  for path in workdir.glob('*/pseudo_labels-*.json'):
    path.unlink()
  assert stages.train_stages(config, str(workdir)) == 0
  other = tiny_stages(packed, stages__whitening='auto')
  with pytest.raises(UserError, match='data.whitening=none .now auto'):
    stages.train_stages(other, str(workdir))


def test_complete_run_is_not_trained_again(trained, capsys):
  config, workdir = trained
  before = (workdir / 'report.json').read_text()
  assert stages.train_stages(config, str(workdir)) == 0
  assert capsys.readouterr().out.count('already complete') == 4
  assert (workdir / 'report.json').read_text() == before


def test_evaluation_covers_every_stage(copied, packed):
  config, workdir = copied
  before = (workdir / 'report.json').read_text()
  other = tiny_stages(packed, eval__split='unlabelled')
  stages.evaluate_stages(other, str(workdir))
  assert (workdir / 'report.json').read_text() == before
  report = read_json(workdir / 'report_unlabelled.json')
  assert list(report['stages']) == NAMES
  assert {r['split'] for r in report['stages'].values()} == {'unlabelled'}
  assert report['per_class'][0]['name'] == 'm0'


def test_moved_run_is_still_complete(copied, capsys):
  config, workdir = copied
  assert stages.train_stages(config, str(workdir)) == 0
  assert capsys.readouterr().out.count('already complete') == 4


def test_other_pseudo_labels_make_another_run(copied, packed):
  config, workdir = copied
  stricter = tiny_stages(packed, stages__keep_share=0.1)
  with pytest.raises(UserError, match='keep_share=0.5 .now 0.1'):
    stages.train_stages(stricter, str(workdir))
  (path,) = (workdir / '2-cpl').glob('pseudo_labels-*.npz')
  with np.load(path) as file:
    changed = dict(file)
  changed['label'][changed['label'] >= 0] = 0
  np.savez(path, **changed)
  with pytest.raises(UserError, match='another config.*pseudo_labels'):
    stages.train_stages(config, str(workdir))


def test_labels_are_made_again_until_a_round_has_saved(
  copied, packed, tmp_path
):
  _, workdir = copied
  shutil.rmtree(workdir / '3-round2')
  shutil.rmtree(workdir / '3-round1' / 'checkpoints')
  stricter = tiny_stages(packed, stages__keep_share=0.1, stages__rounds=1)
  count = lambda: (read_labels(workdir / '2-cpl', packed, tmp_path) >= 0).sum()
  before = count()
  assert stages.train_stages(stricter, str(workdir)) == 0
  assert 0 < count() < before


@pytest.mark.parametrize(
  'changes', [{'epochs': 2}, {'stages__pretrain_epochs': 2}]
)
def test_stage_that_a_later_one_started_from_is_not_extended(
  copied, packed, changes
):
  _, workdir = copied
  with pytest.raises(UserError, match='extending a stage.*1 epochs .now 2'):
    stages.train_stages(tiny_stages(packed, **changes), str(workdir))


def test_interrupted_stage_resumes(trained, packed, tmp_path, monkeypatch):
  """A run stopped before each later stage equals an uninterrupted one."""
  _, straight = trained
  # The uninterrupted run has another round after these stages.
  config = tiny_stages(packed, stages__rounds=1)
  train, stopped = stages.train_with_evaluation, tmp_path / 'stopped'

  def stop_before_stage(number):
    calls = iter(range(1, 9))
    monkeypatch.setattr(
      stages,
      'train_with_evaluation',
      lambda experiment: train(experiment) if next(calls) < number else 143,
    )
    return stages.train_stages(config, str(stopped))

  assert [stop_before_stage(n) for n in (2, 3, 9)] == [143, 143, 0]
  for stage in plan_stages(config):
    jax.tree.map(
      np.testing.assert_array_equal,
      read_network(stopped / stage.name),
      read_network(straight / stage.name),
    )


@pytest.mark.slow
def test_pruned_outputs_stay_pruned_in_a_round(packed, tmp_path):
  config = tiny_stages(
    packed,
    'cal,folder64',
    method__params__estimate_classes=True,
    method__params__prune_from_epoch=0,
    stages__rounds=1,
  )
  assert stages.train_stages(config, str(tmp_path)) == 0
  in_use = {
    name: weights.to_state_dict(*read_network(tmp_path / name))['live']
    for name in ('2-cal', '3-round1')
  }
  # A round that started with a new head would use all outputs.
  assert not (in_use['3-round1'] & ~in_use['2-cal']).any()
  assert in_use['2-cal'].sum() < in_use['2-cal'].size
  (path,) = (tmp_path / '2-cal').glob('pseudo_labels-*.npz')
  with np.load(path) as file:
    labels = np.unique(file['label'][file['label'] >= 0])
  assert in_use['2-cal'][labels].all()


def test_stages_on_a_heap_show_where_it_went(tmp_path, capsys):
  """Two stages, of which the second calls half of the heap novel."""
  label = np.array([0, 0, 1, 1] + [-1] * 20)
  reports = {}
  for name, outputs in ('1-supervised', [0, 1]), ('2-cpl', [0, 2]):
    predicted = np.append([0, 0, 1, 0], np.resize(outputs, 20))
    confidence = np.full(len(label), 0.75)
    in_heap = label < 0
    reports[name] = metrics.open_world_metrics(
      label, predicted, confidence, 2
    ) | {
      'split': 'test',
      'heap': heap_summary(
        predicted[in_heap], confidence[in_heap], ['a', 'b', 'novel-2'], 2
      ),
    }
  stages.write_stage_report(epath.Path(tmp_path), reports)
  shown = capsys.readouterr().out
  assert '| 1-supervised | 75.00 | n/a | n/a |' in shown
  assert '| 1-supervised | 0.00 | 2 of 3 | 0 of 1 | 75.00 |' in shown
  assert '| 2-cpl | 50.00 | 2 of 3 | 1 of 1 | 75.00 |' in shown
  assert '20 of 24 images have no true class' in shown
  report = read_json(tmp_path / 'report.json')
  assert report['all_acc'] is None
  assert report['stages']['1-supervised']['heap']['novel_share'] == 0
