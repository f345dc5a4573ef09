"""Pseudo-label files, and the rows that batches take with them."""

import numpy as np
import pytest

from input_pipeline import dataset as dataset_lib
from input_pipeline import pipeline, pseudo_labels
from input_pipeline.errors import UserError


@pytest.fixture
def dataset(packed):
  return dataset_lib.open_dataset(str(packed))


def some_labels(dataset):
  """Returns class 3 for every other unlabelled row."""
  label = np.full(len(dataset.train), -1, np.int32)
  label[np.flatnonzero(dataset.train.tag == 2)[::2]] = 3
  return label


def test_round_trip(dataset, tmp_path):
  path, label = str(tmp_path / 'labels.npz'), some_labels(dataset)
  pseudo_labels.write_pseudo_labels(path, dataset, label)
  np.testing.assert_array_equal(
    pseudo_labels.read_pseudo_labels(path, dataset, 4), label
  )
  assert [file.name for file in tmp_path.iterdir()] == ['labels.npz']


def test_labels_of_labelled_rows_are_not_replaced(dataset, tmp_path):
  path = str(tmp_path / 'labels.npz')
  pseudo_labels.write_pseudo_labels(path, dataset, np.zeros(len(dataset.train)))
  label = pseudo_labels.read_pseudo_labels(path, dataset, 4)
  np.testing.assert_array_equal(label == 0, dataset.train.tag == 2)


def test_pseudo_labelled_rows_are_in_both_halves_of_a_batch(dataset):
  label = some_labels(dataset)
  batches = pipeline.train_batches(
    dataset, batch_size=8, seed=0, pseudo_label=label
  )
  seen = [next(batches) for _ in range(40)]
  index, given = (
    np.concatenate([batch[name] for batch in seen])
    for name in ('index', 'label')
  )
  labelled, unlabelled = slice(0, None, 2), slice(1, None, 2)
  assert (given[unlabelled] == -1).all()
  expected = np.where(dataset.train.tag == 1, dataset.train.label, label)
  np.testing.assert_array_equal(given[labelled], expected[index[labelled]])
  # Balanced over two known classes and the class of the pseudo-labels.
  count = np.bincount(given[labelled], minlength=4)
  assert count[2] == 0 and np.ptp(count[[0, 1, 3]]) <= 1
  assert set(index[unlabelled]) == set(np.flatnonzero(dataset.train.tag == 2))
  batches.close()


def spoil_by_one_array(path):
  with open(path, 'wb') as file:
    np.save(file, np.zeros(3))


def spoil_compressed(path):
  np.savez_compressed(path, label=np.arange(999), meta='x')
  content = bytearray(path.read_bytes())
  content[100:200] = bytes(100)
  path.write_bytes(content)


@pytest.mark.parametrize(
  'spoil, message',
  [
    (lambda path: path.unlink(), 'cannot read'),
    (lambda path: path.write_bytes(b''), 'damaged'),
    (lambda path: path.write_bytes(path.read_bytes()[:-40]), 'damaged'),
    (lambda path: np.savez(path, label=np.zeros(3)), 'damaged'),
    (spoil_by_one_array, 'damaged'),
    (spoil_compressed, 'damaged'),
    (
      lambda path: np.savez(path, label=np.zeros(3, np.int32), meta='x'),
      'other images',
    ),
  ],
)
def test_bad_files_are_refused(dataset, tmp_path, spoil, message):
  path = tmp_path / 'labels.npz'
  pseudo_labels.write_pseudo_labels(str(path), dataset, some_labels(dataset))
  spoil(path)
  with pytest.raises(UserError, match=message) as raised:
    pseudo_labels.read_pseudo_labels(str(path), dataset, 4)
  assert 'pseudo_labels' in str(raised.value)


def test_classes_beyond_the_network_are_refused(dataset, tmp_path):
  path = str(tmp_path / 'labels.npz')
  pseudo_labels.write_pseudo_labels(path, dataset, some_labels(dataset))
  with pytest.raises(UserError, match='has class 3, the network 3 outputs'):
    pseudo_labels.read_pseudo_labels(path, dataset, 3)
