"""Given labels, validation rows, and the checks before training starts."""

import subprocess
import sys

import numpy as np
import pytest

from helpers.paths import ROOT
from helpers.records import make_dataset, with_train
from input_pipeline import supervision
from input_pipeline.errors import UserError

NO_ROWS = np.empty(0, np.int32)


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
  return make_dataset(tmp_path_factory.mktemp('packed'))


def check(dataset, batch_size=12, kind='open_world', held_out=NO_ROWS):
  supervision.check_training_data(dataset, batch_size, kind, held_out)


def test_checking_settings_loads_no_grain_and_no_tensorflow_datasets():
  code = (
    'import sys, input_pipeline.dataset, input_pipeline.supervision;'
    'sys.exit(bool({"grain", "tensorflow_datasets"} & sys.modules.keys()))'
  )
  subprocess.run([sys.executable, '-c', code], check=True, cwd=ROOT)


def test_given_labels_are_those_of_labelled_rows(dataset):
  split = dataset.train
  labelled = split.tag == 1
  given = supervision.given_label(split, 'open_world', None)
  assert given.dtype == np.int32
  np.testing.assert_array_equal(given, np.where(labelled, split.label, -1))
  every = supervision.given_label(split, 'all', None)
  np.testing.assert_array_equal(every, split.label)
  guess = np.full(len(split), 4, np.int32)
  given = supervision.given_label(split, 'open_world', guess)
  np.testing.assert_array_equal(given, np.where(labelled, split.label, 4))


def test_validation_rows_are_a_share_of_each_known_class(dataset):
  held = supervision.validation_rows(dataset, seed=4, share=0.4)
  assert (dataset.train.tag[held] == 1).all() and (np.diff(held) > 0).all()
  np.testing.assert_array_equal(
    np.bincount(dataset.train.label[held]), [3, 5, 2]
  )
  assert not len(supervision.validation_rows(dataset, seed=4, share=0.0))


@pytest.mark.parametrize(
  ('seed', 'share', 'message'),
  [
    (4, 1.0, 'validation_share=1.0; give a number at least 0'),
    (4, -0.1, 'validation_share=-0.1; give a number at least 0'),
    (-1, 0.1, 'seed=-1; give a whole number from 0'),
    (2**32, 0.1, 'seed=4294967296; give a whole number from 0'),
  ],
)
def test_validation_settings_out_of_range(dataset, seed, share, message):
  with pytest.raises(UserError, match=message):
    supervision.validation_rows(dataset, seed, share)


def test_steps_per_epoch(dataset):
  assert len(dataset.train) == 58
  assert supervision.steps_per_epoch(dataset, 12) == 4
  assert supervision.steps_per_epoch(dataset, 58) == 1
  message = (
    '58 training rows, --config.batch_size=60; give --config.batch_size=N, '
    'N even and at most 58'
  )
  with pytest.raises(UserError, match=message):
    supervision.steps_per_epoch(dataset, 60)


def test_an_odd_batch_needs_all_labels(dataset):
  check(dataset, 15, 'all')
  for kind in 'open_world', 'labelled':
    with pytest.raises(UserError, match='batch_size=15; it must be positive'):
      check(dataset, 15, kind)


def test_open_world_needs_unlabelled_images(dataset):
  closed = with_train(dataset, tag=np.ones_like(dataset.train.tag))
  with pytest.raises(UserError, match='no unlabelled images'):
    check(closed)
  check(closed, kind='labelled')


def test_each_known_class_needs_a_labelled_image(dataset):
  label, tag = dataset.train.label, dataset.train.tag
  bare = with_train(dataset, tag=np.where(label == 1, 2, tag).astype(np.int8))
  with pytest.raises(UserError, match="empty class.*'b' has no labelled"):
    check(bare)
  held_out = np.flatnonzero((label == 1) & (tag == 1))
  with pytest.raises(UserError, match="empty class.*'b' has no labelled"):
    check(dataset, held_out=held_out)
  check(dataset, held_out=held_out[1:])


def test_all_labels_must_be_known_to_train_on_all(dataset):
  label, tag = dataset.train.label, dataset.train.tag
  unknown = with_train(
    dataset, label=np.where(tag == 2, -1, label).astype(np.int32)
  )
  check(unknown)
  with pytest.raises(UserError, match='needs every label.*30 training'):
    check(unknown, kind='all')
