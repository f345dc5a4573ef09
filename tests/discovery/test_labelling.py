"""What a round trains on: who labels, and which labels are kept."""

import dataclasses
import shutil

import jax
import ml_collections
import numpy as np
import pytest
from etils import epath

from helpers.runs import tiny_experiment
from input_pipeline import pseudo_labels
from owdfa_jax.discovery import labelling
from owdfa_jax.discovery.labelling import Opinion, by_clusters, by_head, sure
from owdfa_jax.training.loop import train


@pytest.fixture(scope='module')
def trained(packed, tmp_path_factory):
  experiment = tiny_experiment(packed, tmp_path_factory.mktemp('run'), epochs=1)
  assert train(experiment) == 0
  return experiment


@pytest.mark.parametrize('labeller', [by_head, by_clusters])
def test_every_unlabelled_row_gets_an_opinion(trained, labeller):
  opinion = labeller(trained)
  unlabelled = np.flatnonzero(trained.dataset.train.tag == 2)
  np.testing.assert_array_equal(opinion.row, unlabelled)
  assert opinion.label.dtype == np.int32
  assert ((0 <= opinion.label) & (opinion.label < trained.num_outputs)).all()
  assert ((0 <= opinion.confidence) & (opinion.confidence <= 1)).all()


def test_true_labels_of_unlabelled_rows_cannot_matter(trained, tmp_path):
  shutil.copytree(trained.workdir, tmp_path / 'copy')
  # Which would tell that the labels are others.
  (tmp_path / 'copy' / 'config.json').unlink()
  split = trained.dataset.train
  label = np.where(split.tag == 2, (split.label + 1) % 3, split.label)
  other = dataclasses.replace(
    trained,
    workdir=epath.Path(tmp_path / 'copy'),
    dataset=dataclasses.replace(
      trained.dataset, train=dataclasses.replace(split, label=label)
    ),
  )
  for labeller in (by_head, by_clusters):
    jax.tree.map(
      np.testing.assert_array_equal, labeller(trained), labeller(other)
    )


def test_what_is_kept_is_written(trained, tmp_path, capsys):
  settings = ml_collections.ConfigDict(
    {'label_by': 'clusters', 'keep_share': 0.5, 'keep_confidence': 0.0}
  )
  labelling.label_unlabelled(trained, str(tmp_path / 'l.npz'), settings)
  label = pseudo_labels.read(
    str(tmp_path / 'l.npz'), trained.dataset, trained.num_outputs
  )
  opinion = by_clusters(trained)
  kept = sure(opinion, 0.0, 0.5)
  np.testing.assert_array_equal(
    label[opinion.row], np.where(kept, opinion.label, -1)
  )
  assert f'{kept.sum()} of {len(kept)} unlabelled' in capsys.readouterr().out


def test_sure_takes_a_share_of_every_class():
  opinion = Opinion(
    row=np.arange(7),
    label=np.array([0, 0, 0, 0, 1, 1, 2]),
    confidence=np.array([0.9, 0.99, 0.8, 0.95, 0.3, 0.6, 0.2]),
  )
  keep = lambda *rule: np.flatnonzero(sure(opinion, *rule)).tolist()
  assert keep(0.0, 0.5) == [1, 3, 5, 6]
  assert keep(0.5, 0.5) == [1, 3, 5]
  assert keep(0.0, 1.0) == list(range(7))
