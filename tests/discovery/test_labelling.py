"""Pseudo-labels: who gives them, and which of them are kept."""

import dataclasses
import shutil

import jax
import ml_collections
import numpy as np
import pytest
from etils import epath

from input_pipeline import pseudo_labels
from owdfa_jax.discovery import labelling
from owdfa_jax.discovery.labelling import (
  PredictedLabels,
  label_by_clusters,
  label_by_head,
  select_confident,
)
from owdfa_jax.discovery.stage_plan import LABEL_BY

pytestmark = pytest.mark.usefixtures('quick_compile')


def test_every_labeller_of_the_settings_exists():
  assert tuple(labelling.LABELLERS) == LABEL_BY


@pytest.mark.parametrize('labeller', [label_by_head, label_by_clusters])
def test_every_unlabelled_row_gets_a_label(trained, labeller):
  predicted = labeller(trained)
  unlabelled = np.flatnonzero(trained.dataset.train.tag == 2)
  np.testing.assert_array_equal(predicted.row, unlabelled)
  assert predicted.label.dtype == np.int32
  assert ((predicted.label >= 0) & (predicted.label < 4)).all()
  assert ((predicted.confidence >= 0) & (predicted.confidence <= 1)).all()


@pytest.mark.parametrize('labeller', [label_by_head, label_by_clusters])
def test_rows_of_a_group_get_one_label(trained, labeller):
  split = trained.dataset.train
  # Three unlabelled rows that follow each other are a group.
  group = np.arange(len(split))
  unlabelled = np.flatnonzero(split.tag == 2)
  group[unlabelled] = unlabelled[np.arange(len(unlabelled)) // 3 * 3]
  group = np.unique(group, return_inverse=True)[1].astype(np.int32)
  in_groups = dataclasses.replace(
    trained.dataset, train=dataclasses.replace(split, row_group=group)
  )
  predicted = labeller(dataclasses.replace(trained, dataset=in_groups))
  np.testing.assert_array_equal(predicted.group, group[unlabelled])
  for column in (predicted.label, predicted.confidence):
    first = np.unique(predicted.group, return_index=True)[1]
    sizes = np.unique(predicted.group, return_counts=True)[1]
    np.testing.assert_array_equal(column, np.repeat(column[first], sizes))


def test_true_labels_of_unlabelled_rows_are_not_used(trained, tmp_path):
  shutil.copytree(trained.workdir, tmp_path / 'copy')
  # The recorded settings would show that the labels changed.
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
  for labeller in (label_by_head, label_by_clusters):
    jax.tree.map(
      np.testing.assert_array_equal,
      labeller(trained)[:4],
      labeller(other)[:4],
    )


def test_kept_labels_are_written(trained, tmp_path, capsys):
  settings = ml_collections.ConfigDict(
    {
      'label_by': 'clusters',
      'whitening': 'pca',
      'keep_share': 0.5,
      'keep_confidence': 0.0,
    }
  )
  labelling.label_unlabelled(trained, str(tmp_path / 'l.npz'), settings)
  label = pseudo_labels.read_pseudo_labels(
    str(tmp_path / 'l.npz'), trained.dataset, trained.num_outputs
  )
  predicted = label_by_clusters(trained, 'pca')
  kept = select_confident(predicted, 0.0, 0.5)
  np.testing.assert_array_equal(
    label[predicted.row], np.where(kept, predicted.label, -1)
  )
  assert f'{kept.sum()} of {len(kept)} unlabelled' in capsys.readouterr().out


@pytest.mark.parametrize(
  'least_confidence, share, kept',
  [
    (0.0, 0.5, [1, 3, 5, 6]),
    (0.5, 0.5, [1, 3, 5]),
    (0.0, 1.0, [0, 1, 2, 3, 4, 5, 6]),
  ],
)
def test_most_confident_share_of_each_class_is_kept(
  least_confidence, share, kept
):
  predicted = PredictedLabels(
    row=np.arange(7),
    label=np.array([0, 0, 0, 0, 1, 1, 2]),
    confidence=np.array([0.9, 0.99, 0.8, 0.95, 0.3, 0.6, 0.2]),
    group=np.arange(7),
  )
  found = select_confident(predicted, least_confidence, share)
  assert np.flatnonzero(found).tolist() == kept


def test_a_group_is_kept_whole():
  """Half of the rows would cut a group in two; half of three groups are two."""
  group = np.array([4, 0, 4, 1, 4, 0])
  predicted = PredictedLabels(
    row=np.arange(6),
    label=np.zeros(6, np.int32),
    confidence=np.array([0.9, 0.8, 0.9, 0.7, 0.9, 0.8]),
    group=group,
  )
  found = select_confident(predicted, 0.0, 0.5)
  np.testing.assert_array_equal(found, np.isin(group, [4, 0]))
  found = select_confident(predicted, 0.85, 0.5)
  np.testing.assert_array_equal(found, group == 4)


def test_line_on_labels_says_how_many_are_novel():
  label = np.array([0, 1, 1, 4, 4, 6])
  assert labelling.describe_labels(label, 10, 2) == (
    '6 of 10 unlabelled images keep their pseudo-label, 4 classes; 3 of them '
    'are of 2 novel outputs'
  )
