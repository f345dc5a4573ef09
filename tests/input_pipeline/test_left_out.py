"""Classes that are left out: the view of a packed dataset without them."""

import dataclasses

import numpy as np
import pytest

from input_pipeline import features
from input_pipeline.dataset import open_dataset
from input_pipeline.errors import UserError
from input_pipeline.left_out import class_names, leave_out


@pytest.fixture(scope='module')
def dataset(packed):
  """Classes m0 and m1 are known, m2 and m3 are novel."""
  return open_dataset(packed)


@pytest.mark.parametrize('names', [['m0'], ['m2'], ['m1', 'm3', 'm1']])
def test_other_classes_keep_their_rows_under_new_numbers(dataset, names):
  view = leave_out(dataset, names)
  kept = [e.name for e in dataset.classes if e.name not in names]
  assert [entry.name for entry in view.classes] == kept
  assert [entry.label for entry in view.classes] == list(range(len(kept)))
  assert view.num_known == sum(entry.known for entry in view.classes)
  for name in ('train', 'test'):
    before, after = getattr(dataset, name), getattr(view, name)
    rows = [i for i in range(len(before)) if truth(before, i) not in names]
    assert after.ids(range(len(after))) == before.ids(rows)
    np.testing.assert_array_equal(after.tag, before.tag[rows])
    for row in (0, len(after) - 1):
      record = features.decode_record(after.source[row])
      assert view.classes[after.label[row]].name == record.method
      assert record.id == after.ids([row])[0]


def test_test_rows_of_the_classes_are_kept_apart(dataset):
  view = leave_out(dataset, ['m1', 'm2'])
  test = dataset.test
  rows = [i for i in range(len(test)) if truth(test, i) in ('m1', 'm2')]
  assert rows and view.unseen.ids(range(len(rows))) == test.ids(rows)
  assert (view.unseen.label == -1).all()
  assert len(view.test) + len(view.unseen) == len(test)


def test_rows_of_unknown_class_stay(unsorted):
  dataset = open_dataset(unsorted)
  view = leave_out(dataset, [dataset.classes[0].name])
  count = np.count_nonzero(dataset.train.label == -1)
  assert np.count_nonzero(view.train.label == -1) == count > 0


def test_groups_are_numbered_anew(dataset):
  group = np.arange(len(dataset.train), dtype=np.int32)
  split = dataclasses.replace(dataset.train, row_group=group)
  part = split.select(np.array([5, 2, 9]))
  np.testing.assert_array_equal(part.group, [1, 0, 2])
  assert part.has_groups


@pytest.mark.parametrize(
  ('names', 'message'),
  [(['m9'], "has no class 'm9'; give names of m0, m1"), (['m0', 'm1'], 'left')],
)
def test_bad_names_are_refused(dataset, names, message):
  with pytest.raises(UserError, match=message) as error:
    leave_out(dataset, names)
  assert '--config.data.leave_out' in str(error.value)


def test_names_are_listed_with_commas():
  assert class_names(' m0, m3,') == ('m0', 'm3')
  assert class_names('') == ()


def truth(split, row):
  return f'm{split.label[row]}'
