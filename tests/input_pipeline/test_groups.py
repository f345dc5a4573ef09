"""Groups: what comes from one image or one video stays together."""

import numpy as np
import pytest

from helpers.imagesets import meta_row, write_set
from input_pipeline import dataset, meta, pack, pipeline, sampling
from input_pipeline.errors import UserError

SMALL = pack.Options(size=16, shards=2)


def write_videos(folder, **changes):
  """Writes a meta CSV of 3 classes with videos of 2 frames, half of a test set.

  The first two frames of class 0 have no group.
  """
  csv = write_set(folder, per_class=12)
  rows = [
    meta_row(label, n, tag=1 if label < 2 and n < 6 else 2)
    | {
      'split': 'train' if n < 8 else 'test',
      'group': '' if label == 0 and n < 2 else f'video{label}-{n // 2}',
    }
    for label in range(3)
    for n in range(12)
  ]
  rows[0] |= changes
  meta.write_meta(csv, rows)
  return csv


def test_frames_of_a_video_are_a_group(tmp_path, capsys):
  csv = write_videos(tmp_path)
  packed = pack.pack(csv, tmp_path / 'out', SMALL, workers=1)
  one = [0, 1, 2, 2, 3, 3, 4, 4]
  two = np.repeat(np.arange(5, 13), 2)
  np.testing.assert_array_equal(packed.train.group, [*one, *two])
  np.testing.assert_array_equal(packed.test.group, np.repeat(range(6), 2))
  assert packed.train.group.dtype == np.int32
  assert '13 groups for training and 6 for the test' in capsys.readouterr().out


def test_a_pack_without_groups_has_no_such_column(tmp_path):
  csv = write_set(tmp_path)
  packed = pack.pack(csv, tmp_path / 'out', SMALL, workers=1)
  assert not packed.train.has_groups
  np.testing.assert_array_equal(packed.train.group, np.arange(24))
  with np.load(tmp_path / 'out' / 'train.index.npz') as index:
    assert 'group' not in index
  assert 'groups' not in packed.description['splits']['train']


def test_a_group_in_both_splits_is_refused(tmp_path):
  csv = write_videos(tmp_path, group='video0-5')
  message = r"group 'video0-5' has 0/0.png for training and 0/10.png for the"
  with pytest.raises(UserError, match=message):
    pack.pack(csv, tmp_path / 'out', SMALL, workers=1)
  assert not (tmp_path / 'out').exists()


def test_a_group_of_two_labels_is_refused(tmp_path):
  csv = write_videos(tmp_path, group='video1-0')
  message = "line 14, group='video1-0': label 1, but line 2 .* has 0"
  with pytest.raises(UserError, match=message):
    meta.read_meta(csv)


def test_a_group_without_a_split_column_is_split_by_the_released_rule(
  tmp_path,
):
  csv = write_set(tmp_path)
  rows = [
    meta_row(l, n, tag=1 if l < 2 else 2) | {'group': f'{l}'}
    for l in range(3)
    for n in range(10)
  ]
  meta.write_meta(csv, rows)
  with pytest.raises(UserError, match='a group in both splits: .*column split'):
    pack.pack(csv, tmp_path / 'out', SMALL, workers=1)


@pytest.mark.parametrize('number', [-1, 24])
def test_a_group_beyond_the_rows_is_damage(tmp_path, number):
  csv = write_videos(tmp_path)
  pack.pack(csv, tmp_path / 'out', SMALL, workers=1)
  path = tmp_path / 'out' / 'train.index.npz'
  with np.load(path) as index:
    columns = dict(index)
  columns['group'][3] = number
  np.savez(path, **columns)
  with pytest.raises(UserError, match='damaged file: .*its groups do not fit'):
    dataset.open_dataset(tmp_path / 'out')


def test_a_group_is_held_out_whole():
  label = np.repeat([0, 1], 12).astype(np.int32)
  tag = np.ones(24, np.int8)
  group = np.arange(24, dtype=np.int32) // 3
  held = sampling.draw_validation_rows(label, tag, 0.5, 3, group)
  assert len(held) == 12
  assert not set(group[held]) & set(np.delete(group, held))
  single = np.arange(24, dtype=np.int32)
  np.testing.assert_array_equal(
    sampling.draw_validation_rows(label, tag, 0.5, 3, single),
    sampling.draw_validation_rows(label, tag, 0.5, 3),
  )


def test_no_frame_of_a_held_out_video_is_trained_on(tmp_path):
  """Not even an unlabelled one."""
  csv = write_videos(tmp_path)
  table = meta.read_meta(csv)
  rows = [
    {name: getattr(table, name)[i] for name in ('label', 'tag', 'split')}
    | {'group': table.group[i]}
    for i in range(len(table))
  ]
  rows[3]['tag'] = 2  # a frame of video0-1, whose other frame is labelled
  meta.write_meta(
    csv,
    [
      meta_row(row['label'], i % 12, path=table.img_path[i]) | row
      for i, row in enumerate(rows)
    ],
  )
  packed = pack.pack(csv, tmp_path / 'out', SMALL, workers=1)
  seen_without = set()
  for seed in range(8):
    held = pipeline.validation_rows(packed, seed, 0.7)
    batches = pipeline.train_batches(
      packed, batch_size=8, seed=seed, validation_share=0.7
    )
    seen = set()
    for _ in range(20):
      seen |= set(packed.train.group[next(batches)['index']].tolist())
    assert not seen & set(packed.train.group[held].tolist())
    seen_without |= {2} - seen
  assert seen_without  # the video of mixed tags was held out at least once
