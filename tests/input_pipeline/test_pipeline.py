"""Training batches: contents, determinism, resume, processes, errors."""

import itertools

import cv2
import numpy as np
import pytest

from helpers.records import NAMES, SIZE, make_dataset, with_train
from input_pipeline import folder, pack, pipeline, sampling
from input_pipeline.errors import UserError
from input_pipeline.supervision import SUPERVISION, validation_rows


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
  return make_dataset(tmp_path_factory.mktemp('packed'))


def first(dataset, count, **options):
  """Returns the first `count` training batches."""
  options = {'batch_size': 12, 'seed': 4} | options
  batches = pipeline.train_batches(dataset, **options)
  taken = list(itertools.islice(batches, count))
  batches.close()
  return taken


def assert_same(a, b):
  assert len(a) == len(b)
  for one, other in zip(a, b, strict=True):
    assert one.keys() == other.keys()
    for name in one:
      assert one[name].dtype == other[name].dtype
      np.testing.assert_array_equal(one[name], other[name])


def test_a_batch_is_half_labelled_and_its_images_are_its_rows(dataset):
  split = dataset.train
  for batch in first(dataset, 20):
    assert {name: (x.dtype, x.shape) for name, x in batch.items()} == {
      'image': (np.uint8, (12, SIZE, SIZE, 3)),
      'label': (np.int32, (12,)),
      'true_label': (np.int32, (12,)),
      'index': (np.int32, (12,)),
    }
    index = batch['index']
    np.testing.assert_array_equal(split.tag[index], [1, 2] * 6)
    np.testing.assert_array_equal(batch['label'][::2], split.label[index[::2]])
    np.testing.assert_array_equal(batch['label'][1::2], np.full(6, -1))
    np.testing.assert_array_equal(batch['true_label'], split.label[index])
    np.testing.assert_array_equal(np.bincount(batch['label'][::2]), [2, 2, 2])
    red, green = batch['image'][..., 0], batch['image'][..., 1]
    np.testing.assert_array_equal(red[:, 3, 5], index)
    np.testing.assert_array_equal(green[:, 0, 7], split.label[index] + 1)


def test_labels_of_unlabelled_rows_change_nothing_but_true_label(dataset):
  poisoned = dataset.train.label.copy()
  hidden = dataset.train.tag == 2
  poisoned[hidden] = (poisoned[hidden] + 1) % len(NAMES)
  for supervision in 'open_world', 'labelled':
    clean, dirty = (
      first(d, 20, supervision=supervision)
      for d in (dataset, with_train(dataset, label=poisoned))
    )
    for batch in clean + dirty:
      batch.pop('true_label')
    assert_same(clean, dirty)


@pytest.mark.parametrize(
  'options',
  [
    {'num_threads': 0},
    {'num_threads': 1},
    {'num_threads': 5},
    {'cache_bytes': 0},
    {'num_threads': 0, 'cache_bytes': 0},
  ],
)
def test_threads_and_cache_change_nothing(dataset, options):
  assert_same(first(dataset, 15, **options), first(dataset, 15))


@pytest.mark.parametrize('num_workers', [1, 2])
def test_worker_processes_change_nothing(dataset, num_workers):
  got = first(dataset, 7, num_workers=num_workers, start_step=3)
  assert_same(got, first(dataset, 10)[3:])


@pytest.mark.parametrize('supervision', SUPERVISION)
@pytest.mark.parametrize('processes', [2, 3])
def test_processes_share_the_same_global_batches(
  dataset, processes, supervision
):
  options = {'supervision': supervision, 'start_step': 2}
  whole = first(dataset, 6, **options)
  # Every other row, or every third one.
  for process in range(processes):
    part = first(
      dataset,
      6,
      own_rows=lambda count, i=process: np.arange(i, count, processes),
      **options,
    )
    assert_same(
      part,
      [
        {name: rows[process::processes] for name, rows in batch.items()}
        for batch in whole
      ],
    )


def test_any_step_resumes_the_uninterrupted_stream(dataset):
  whole = first(dataset, 30)
  for start in 1, 7, 29:
    assert_same(first(dataset, 30 - start, start_step=start), whole[start:])
  (far,) = first(dataset, 1, start_step=10**9)
  np.testing.assert_array_equal(dataset.train.tag[far['index']], [1, 2] * 6)


def test_another_seed_gives_other_batches(dataset):
  a, b = (first(dataset, 3, seed=seed) for seed in (4, 5))
  assert any(
    (x['index'] != y['index']).any() for x, y in zip(a, b, strict=True)
  )


def test_the_labelled_half_is_the_same_rows_in_the_same_order(dataset):
  both = first(dataset, 15)
  half = first(dataset, 15, supervision='labelled')
  assert_same(half, [{n: x[::2] for n, x in b.items()} for b in both])


def test_the_upper_bound_labels_every_row(dataset):
  batches = first(dataset, 10, supervision='all', batch_size=15)
  for batch in batches:
    np.testing.assert_array_equal(batch['label'], batch['true_label'])
    np.testing.assert_array_equal(np.bincount(batch['label']), [3] * 5)


def test_validation_rows_are_never_trained_on(dataset):
  held = validation_rows(dataset, seed=4, share=0.4)
  np.testing.assert_array_equal(
    np.bincount(dataset.train.label[held]), [3, 5, 2]
  )
  for supervision in SUPERVISION:
    batches = first(dataset, 40, supervision=supervision, validation_share=0.4)
    seen = np.concatenate([batch['index'] for batch in batches])
    assert not set(held) & set(seen)
  batches = pipeline.evaluation_batches(
    dataset, 'train', rows=held, batch_size=4
  )
  visited = [b['index'][b['mask']] for b in batches]
  np.testing.assert_array_equal(np.concatenate(visited), held)


def test_a_damaged_record_is_named_by_threads_and_workers(tmp_path):
  dataset = make_dataset(tmp_path)
  content = bytearray((tmp_path / 'train').read_bytes())
  content[len(content) // 2] ^= 1
  (tmp_path / 'train').write_bytes(content)
  for num_workers in 0, 1:
    batches = pipeline.train_batches(
      dataset, batch_size=12, seed=0, num_workers=num_workers
    )
    with pytest.raises(UserError, match='train split, row .*corrupt record'):
      for _ in range(20):
        next(batches)
    batches.close()


@pytest.mark.parametrize(
  ('options', 'message'),
  [
    ({'batch_size': 7}, 'batch_size=7; it must be positive and even'),
    ({'batch_size': 0}, 'batch_size=0'),
    ({'batch_size': 60}, 'smaller than one batch'),
    (
      {'supervision': 'none'},
      'supervision=none; use one of open_world, labelled, all',
    ),
    ({'validation_share': 1.0}, 'validation_share=1.0'),
    ({'seed': -1}, 'seed=-1'),
  ],
)
def test_arguments_that_do_not_fit_are_refused(dataset, options, message):
  with pytest.raises(UserError, match=message):
    first(dataset, 1, **options)


def test_batches_take_the_rows_of_the_sampling_stream(dataset):
  split = dataset.train
  stream = sampling.make_stream(
    np.where(split.tag == 1, split.label, -1),
    split.tag == 2,
    seed=4,
    supervision='open_world',
    held_out=np.empty(0, np.int32),
  )
  drawn = np.concatenate([b['index'] for b in first(dataset, 5)])
  np.testing.assert_array_equal(drawn, stream.take(np.arange(60)))


def test_folders_of_images_become_batches(tmp_path):
  draws = np.random.RandomState(0)
  for part, count in ('train', 8), ('test', 3):
    for name in NAMES:
      (tmp_path / part / name).mkdir(parents=True)
      for i in range(count):
        image = draws.randint(0, 256, (SIZE, SIZE, 3), np.uint8)
        cv2.imwrite(str(tmp_path / part / name / f'{i}.png'), image)
  folder.prepare_folder(
    tmp_path / 'train', ['e', 'a'], tmp_path, test_root=tmp_path / 'test'
  )
  packed = pack.pack(
    tmp_path / 'meta.csv',
    tmp_path / 'packed',
    pack.Options(size=SIZE),
    workers=1,
  )
  assert [c.name for c in packed.classes] == ['e', 'a', 'b', 'c', 'd']
  assert (len(packed.train), len(packed.test)) == (40, 15)
  (batch,) = first(packed, 1)
  assert set(batch['label'][::2]) == {0, 1}
  (tests,) = pipeline.evaluation_batches(packed, 'test', batch_size=15)
  np.testing.assert_array_equal(np.bincount(tests['label']), [3] * 5)
  # The first test image of class 'e', label 0, in any row.
  image = cv2.imread(str(tmp_path / 'test' / 'e' / '0.png'))[..., ::-1]
  assert (tests['image'][tests['label'] == 0] == image).all((1, 2, 3)).any()
