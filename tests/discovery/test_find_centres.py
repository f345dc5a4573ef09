"""Centres as the classifier: made once, and only for their checkpoint."""

import dataclasses
import json
import shutil

import ml_collections
import numpy as np
import pytest
from etils import epath

from input_pipeline.errors import UserError
from owdfa_jax.discovery import find_centres
from owdfa_jax.discovery.find_centres import ensure_centres, evaluate_run
from owdfa_jax.evaluation.evaluate import evaluate
from owdfa_jax.evaluation.restore import restore_network

pytestmark = pytest.mark.usefixtures('quick_compile')


def by_centres(experiment, workdir, whitening='within_class'):
  """Returns the experiment on a copy of its run, classified by centres."""
  if not workdir.exists():
    without = shutil.ignore_patterns('centres-*.npz')
    shutil.copytree(experiment.workdir, workdir, ignore=without)
  config = ml_collections.ConfigDict(experiment.config.to_dict())
  config.eval.classify_by = 'centres'
  config.eval.whitening = whitening
  return dataclasses.replace(
    experiment, config=config.lock(), workdir=epath.Path(workdir)
  )


@pytest.fixture
def run(trained, tmp_path):
  return by_centres(trained, tmp_path / 'run')


def test_report_and_predictions_are_those_of_the_centres(run, trained, capsys):
  report = evaluate_run(run)
  assert '), by centres, ' in capsys.readouterr().out
  assert report['classified_by'] == 'centres'
  assert report['centres']['whitening'] == 'within_class 0.3'
  assert json.loads((run.workdir / 'report.json').read_text()) == report
  by_head = evaluate(trained)
  assert '), by the head, ' in capsys.readouterr().out
  assert by_head['classified_by'] == 'head' and 'centres' not in by_head
  restored = restore_network(run)
  found = restored.predictor.predict(
    restored.params, restored.batch_stats, restored.predictor.batches('train')
  )
  # All four clusters have images, and each has an output of its own.
  assert set(found.predicted) == set(range(4))


def test_centres_of_an_upper_bound_are_those_of_the_classes(run):
  restored = restore_network(run, by_head=True)
  found = find_centres.find_sources(run, restored, 'within_class')
  label = run.dataset.train.label
  # A network of one epoch does not find the novel classes by itself.
  assert np.any(found.clusters.assigned != label)
  config = ml_collections.ConfigDict(run.config.to_dict())
  config.data.supervision = 'all'
  bound = dataclasses.replace(run, config=config.lock())
  found = find_centres.find_sources(bound, restored, 'within_class')
  np.testing.assert_array_equal(found.clusters.assigned, label)
  np.testing.assert_array_equal(found.output, range(4))


def test_centres_are_made_once(run, monkeypatch):
  ensure_centres(run)
  monkeypatch.setattr(find_centres, 'find_sources', lambda *_: pytest.fail())
  ensure_centres(run)


def test_centres_of_another_setting_are_made_anew(run, capsys):
  ensure_centres(run)
  other = by_centres(run, run.workdir, 'none')
  with pytest.raises(UserError, match='the checkpoint has no centres'):
    evaluate(other)
  ensure_centres(other)
  assert 'made anew' in capsys.readouterr().out
  assert restore_network(other).centres_made['whitening'] == 'none'


def test_centres_of_another_checkpoint_do_not_classify(run):
  ensure_centres(run)
  (folder,) = (run.workdir / 'checkpoints').glob('[0-9]*')
  (folder / 'manifest.json').unlink()
  # As versions without manifests wrote it.
  (folder / 'commit_success.txt').write_text('done')
  with pytest.raises(UserError, match='the checkpoint has no centres'):
    restore_network(run)
  ensure_centres(run)
  restore_network(run)


def test_without_centres_the_error_says_what_to_do(run):
  with pytest.raises(UserError, match=r'centres-\d+.npz; evaluate the run'):
    evaluate(run)


def test_same_network_gives_the_same_centres(run, trained, tmp_path):
  again = by_centres(trained, tmp_path / 'again')
  for experiment in (run, again):
    ensure_centres(experiment)
  first, second = (
    np.load(next(x.workdir.glob('centres-*.npz'))) for x in (run, again)
  )
  for name in first.files:
    np.testing.assert_array_equal(first[name], second[name])
