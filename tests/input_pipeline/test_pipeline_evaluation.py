"""Evaluation batches: every record once, padding, processes, the cache."""

import dataclasses

import numpy as np
import pytest

from helpers.records import SIZE, make_dataset
from input_pipeline import packed_images, pipeline
from input_pipeline.errors import UserError


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
  return make_dataset(tmp_path_factory.mktemp('packed'))


@pytest.mark.parametrize('batch_size', [1, 4, 21, 64])
@pytest.mark.parametrize('split_name', ['train', 'test'])
def test_evaluation_visits_every_record_once(dataset, split_name, batch_size):
  split = getattr(dataset, split_name)
  batches = list(
    pipeline.evaluation_batches(dataset, split_name, batch_size=batch_size)
  )
  assert len(batches) == -(-len(split) // batch_size)
  assert all(len(b['mask']) == len(b['image']) == batch_size for b in batches)
  index, label, mask = (
    np.concatenate([b[name] for b in batches])
    for name in ('index', 'label', 'mask')
  )
  np.testing.assert_array_equal(index[mask], np.arange(len(split)))
  np.testing.assert_array_equal(label[mask], split.label)
  assert (index[~mask] == -1).all() and (label[~mask] == -1).all()
  red = np.concatenate([b['image'] for b in batches])[:, 0, 0, 0]
  np.testing.assert_array_equal(red[mask], np.arange(len(split)))


def test_every_process_evaluates_equally_many_batches(dataset):
  # 21 records in global batches of 8: the last process's last part is empty.
  parts = [
    list(
      pipeline.evaluation_batches(
        dataset,
        'test',
        batch_size=8,
        own_rows=lambda count, i=i: np.arange(count // 4) + i * count // 4,
      )
    )
    for i in range(4)
  ]
  assert [len(part) for part in parts] == [3] * 4
  assert not parts[3][-1]['mask'].any()
  step_by_step = [b for step in zip(*parts, strict=True) for b in step]
  seen = np.concatenate([b['index'][b['mask']] for b in step_by_step])
  np.testing.assert_array_equal(seen, np.arange(21))


def test_images_are_decoded_once_when_they_fit(dataset, monkeypatch):
  fresh = dataclasses.replace(dataset, test=dataclasses.replace(dataset.test))
  decoded = []
  decode = packed_images.decode_into

  def count(*arguments):
    decoded.append(1)
    decode(*arguments)

  monkeypatch.setattr(packed_images, 'decode_into', count)

  def visit(**options):
    list(pipeline.evaluation_batches(fresh, 'test', batch_size=7, **options))
    return len(decoded)

  bytes_needed = 21 * SIZE * SIZE * 3
  assert visit(cache_bytes=bytes_needed - 1) == 21
  assert visit(cache_bytes=bytes_needed) == 42
  assert visit(cache_bytes=bytes_needed) == 42


def test_an_image_of_another_size_is_refused(dataset):
  other = dataclasses.replace(
    dataset, image_size=SIZE + 1, test=dataclasses.replace(dataset.test)
  )
  batches = pipeline.evaluation_batches(other, 'test', batch_size=4)
  with pytest.raises(
    UserError, match=r'row \d+: an image of shape \(8, 8, 3\)'
  ):
    next(batches)


def test_no_rows_and_unknown_splits_are_refused(dataset):
  with pytest.raises(UserError, match='nothing to evaluate'):
    pipeline.evaluation_batches(
      dataset, 'test', batch_size=4, rows=np.empty(0, int)
    )
  with pytest.raises(UserError, match='split=val; use one of train, test'):
    pipeline.evaluation_batches(dataset, 'val', batch_size=4)
