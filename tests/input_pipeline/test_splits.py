"""The released split, row for row."""

import re

import numpy as np
import pytest

from helpers.imagesets import meta_row
from input_pipeline import meta, splits
from input_pipeline.errors import UserError


@pytest.mark.golden
def test_the_golden_splits(golden):
  file = golden('split')
  source = file['source_names'][file['source_code']]
  found = [re.fullmatch(r'(.+)_r(.+)_s(\d+)_train_rows', key) for key in file]
  found = [match for match in found if match]
  assert found
  for match in found:
    mod, ratio, seed = match.groups()
    train, test = splits.released_split(
      file['label'],
      file['tag'],
      source,
      mod=mod,
      ratio=float(ratio),
      seed=int(seed),
    )
    np.testing.assert_array_equal(train, file[match.group()])
    test_key = match.group().replace('_train_', '_test_')
    np.testing.assert_array_equal(test, file[test_key])
    assert train.dtype == test.dtype == np.int64


def test_every_kept_row_is_in_one_split():
  rng = np.random.default_rng(0)
  label, tag = rng.integers(0, 5, 300), rng.integers(0, 3, 300)
  source = np.array(['b', 'a'])[rng.integers(0, 2, 300)]
  train, test = splits.released_split(label, tag, source)
  both = np.sort(np.concatenate([train, test]))
  np.testing.assert_array_equal(both, np.flatnonzero(tag != 0))
  for one_source in 'ab':
    for one_label in range(5):
      group = (source == one_source) & (label == one_label) & (tag != 0)
      assert group[train].sum() == round(0.8 * group.sum())
  # Sources in alphabetical order, labels rising within each.
  key = list(zip(source[train].tolist(), label[train].tolist(), strict=True))
  assert key == sorted(key)
  assert (np.diff(test) > 0).all()


def test_half_rounds_to_even():
  label = np.repeat([0, 1], [5, 7])  # halves: 2.5 -> 2, 3.5 -> 4
  train, _ = splits.released_split(
    label, np.ones(12, int), np.full(12, 's'), ratio=0.5
  )
  assert np.bincount(label[train]).tolist() == [2, 4]


def test_nothing_to_split_is_two_empty_splits():
  zeros = np.zeros(3, int)
  train, test = splits.released_split(zeros, zeros, np.full(3, 's'))
  assert len(train) == len(test) == 0


def read(folder, rows):
  meta.write_meta(folder / 'meta.csv', rows)
  return meta.read_meta(folder / 'meta.csv')


def test_the_split_column_decides(tmp_path):
  wanted = ['test', 'train', 'test', 'train', 'train']
  tags = [1, 1, 2, 0, 2]
  rows = [
    meta_row(0, i, tag=tag) | {'split': split}
    for i, (tag, split) in enumerate(zip(tags, wanted, strict=True))
  ]
  train, test = splits.split_rows(read(tmp_path, rows))
  assert (train.tolist(), test.tolist()) == ([1, 4], [0, 2])


def test_without_the_column_the_released_rule_decides(tmp_path):
  table = read(tmp_path, [meta_row(0, i, tag=1) for i in range(10)])
  train, test = splits.split_rows(table, ratio=0.6, seed=3)
  expected = np.random.RandomState(3).choice(10, 6, replace=False)
  np.testing.assert_array_equal(train, expected)
  assert set(train.tolist()) | set(test.tolist()) == set(range(10))


@pytest.mark.parametrize('split', ['train', 'test'])
def test_an_empty_split_is_refused(tmp_path, split):
  rows = [meta_row(0, i, tag=1) | {'split': split} for i in range(3)]
  with pytest.raises(UserError, match='empty split'):
    splits.split_rows(read(tmp_path, rows))
