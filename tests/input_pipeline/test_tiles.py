"""Tiles: pieces of images at native resolution."""

import cv2
import numpy as np
import pytest

from helpers.imagesets import image, write_set
from input_pipeline import (
  features,
  images,
  loose_images,
  meta,
  pack,
  splits,
  tiles,
)
from input_pipeline.errors import UserError

OPTIONS = pack.Options(size=16, tiles=4, shards=2)
HASH = '0123456789abcdef' * 4


def positions(height=100, width=60, *, count=6, grid=8, seed=1, sha256=HASH):
  tiling = tiles.Tiling(count, grid, seed)
  return tiles.tile_positions(height, width, 16, tiling, sha256)


def test_positions_are_distinct_on_the_grid_and_within_the_image():
  found = positions(count=30)
  assert found.shape == (30, 2) and (found % 8 == 0).all()
  assert len({*map(tuple, found.tolist())}) == 30
  assert (found >= 0).all() and (found <= [100 - 16, 60 - 16]).all()


def test_every_position_is_as_likely():
  count = np.zeros((11, 6))
  for seed in range(400):
    for top, left in positions(count=5, seed=seed) // 8:
      count[top, left] += 1
  # 2,000 tiles over 66 positions: 30 each, with a deviation of about 5.
  assert count.min() > 10 and count.max() < 55


def test_an_image_with_little_room_has_fewer_tiles():
  assert len(positions(16, 16)) == 1
  found = positions(31, 24, count=9)  # 2 x 2 positions
  assert {*map(tuple, found.tolist())} == {(0, 0), (0, 8), (8, 0), (8, 8)}
  assert len(positions(31, 24, count=999, grid=1)) == 16 * 9


def test_positions_depend_on_the_content_and_the_seed():
  same, other_seed = positions(), positions(seed=2)
  other_bytes = positions(sha256='f' + HASH[1:])
  assert (positions() == same).all()
  assert (other_seed != same).any() and (other_bytes != same).any()


def test_tiles_are_the_decoded_pixels_of_a_jpeg(tmp_path):
  csv = write_set(tmp_path, size=48, suffix='jpg')
  packed = pack.pack(csv, tmp_path / 'out', OPTIONS, workers=1)
  assert packed.description['image_formats'] == ['png']
  table = meta.read_meta(csv)
  for split, rows in zip(
    (packed.train, packed.test), splits.split_rows(table), strict=True
  ):
    np.testing.assert_array_equal(split.group, np.repeat(range(len(rows)), 4))
    np.testing.assert_array_equal(split.tag, np.repeat(table.tag[rows], 4))
    for number in range(len(split)):
      whole = images.load_image(table.file(rows[number // 4]))
      tile = features.decode_image(split.source[number])
      windows = np.lib.stride_tricks.sliding_window_view(whole, (16, 16, 3))
      equal = (windows[::8, ::8, 0] == tile).all((2, 3, 4))
      assert equal.any()


def test_packing_again_and_in_other_ways_gives_the_same_tiles(tmp_path):
  csv = write_set(tmp_path, size=48)
  one = pack.pack(csv, tmp_path / 'one' / 'out', OPTIONS, workers=1)
  two = pack.pack(csv, tmp_path / 'two' / 'out', OPTIONS, workers=1)
  content = lambda folder: {p.name: p.read_bytes() for p in folder.iterdir()}
  assert content(one.path) == content(two.path)
  options = pack.Options(size=16, tiles=4, shards=1)
  other = pack.pack(csv, tmp_path / 'other', options, workers=1)
  for split in ('train', 'test'):
    hashes = {
      p.description['splits'][split]['sha256'] for p in (one, two, other)
    }
    assert len(hashes) == 1


def test_a_finished_directory_of_other_tiles_is_not_reused(tmp_path):
  csv = write_set(tmp_path, size=48)
  pack.pack(csv, tmp_path / 'out', OPTIONS, workers=1)
  with pytest.raises(UserError, match='it was packed with --tiles=4; remove'):
    options = pack.Options(size=16, shards=2)
    pack.pack(csv, tmp_path / 'out', options, workers=1)


def test_an_image_smaller_than_a_tile_is_refused_or_counted(tmp_path, capsys):
  csv = write_set(tmp_path, size=48)
  cv2.imwrite(str(tmp_path / '1' / '3.png'), image(40, 0)[:15])
  message = r'1/3.png: 40 x 15 pixels, a tile has 16 x 16 .*--on_error skip'
  with pytest.raises(UserError, match=message):
    pack.pack(csv, tmp_path / 'out', OPTIONS, workers=1)
  options = pack.Options(size=16, tiles=4, on_error='skip')
  packed = pack.pack(csv, tmp_path / 'out', options, workers=1)
  assert len(packed.train) + len(packed.test) == 4 * 29
  assert packed.description['classes'][1]['counts']['skipped'] == 1
  printed = capsys.readouterr().out
  assert 'up to 4 tiles of 16 x 16 pixels of each image' in printed
  assert 'shrunk' not in printed and 'the same image' not in printed


@pytest.mark.parametrize('bad', [{'crop': 'opencv'}, {'format': 'jpeg'}])
def test_faces_and_jpeg_do_not_go_with_tiles(bad):
  (name, value), *_ = bad.items()
  with pytest.raises(UserError, match=f'--tiles=2 .* --{name}={value}'):
    pack.Options(tiles=2, **bad)


def test_new_images_are_cut_as_the_packed_ones_were(tmp_path):
  csv = write_set(tmp_path, size=48)
  packed = pack.pack(csv, tmp_path / 'out', OPTIONS, workers=1)
  table = meta.read_meta(csv)
  cv2.imwrite(str(tmp_path / 'small.png'), image(12, 0))
  paths = [str(table.file(row)) for row in splits.split_rows(table)[0]]
  paths.insert(1, str(tmp_path / 'small.png'))
  unreadable, sides = {}, {}
  batches = loose_images.file_batches(
    paths,
    unreadable,
    sides,
    image_size=16,
    batch_size=10,  # two files and two rows of padding
    tiling=loose_images.tiling_of(packed),
  )
  found = {}
  for batch in batches:
    assert batch['image'].shape == (10, 16, 16, 3)
    for tile, index in zip(batch['image'], batch['index'], strict=True):
      if index >= 0:
        found.setdefault(int(index), []).append(tile)
  assert list(unreadable) == [1] and sides[0] == 48
  del paths[1]
  for number, tiles_of_file in enumerate(found[k] for k in sorted(found)):
    wanted = [
      features.decode_image(packed.train.source[4 * number + t])
      for t in range(4)
    ]
    np.testing.assert_array_equal(tiles_of_file, wanted)
  assert len(found) == len(paths)
