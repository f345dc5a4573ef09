"""Tiles or whole images, by the sizes of the images."""

import cv2
import numpy as np
import pytest

from helpers.imagesets import image
from input_pipeline.cutting_rule import (
  ImageKinds,
  choose_cutting,
  look_at_images,
  unlike_kinds,
)


def kinds(*sides, jpeg=False):
  height, width = np.array(sides).T
  return ImageKinds(height, width, np.full(len(sides), jpeg))


@pytest.mark.parametrize(
  'sides, tiles',
  [
    ([(64, 64)] * 3, 0),  # as large as what the network sees
    ([(65, 65)] * 3, 1),
    ([(128, 64)] * 3, 0),  # the shorter side counts
    ([(100, 100)] * 3, 2),  # 2.4 areas of a tile
    ([(300, 300)] * 3, 21),
    ([(1024, 768)] * 3, 32),  # never more
    ([(512, 512)] * 19 + [(40, 512)], 32),  # one in twenty is left out
    ([(512, 512)] * 18 + [(40, 512)] * 2, 0),
    ([(50, 50)] * 2 + [(512, 512)], 0),
  ],
)
def test_the_rule(sides, tiles):
  assert choose_cutting(kinds(*sides), 64, 100).tiles == tiles


@pytest.mark.parametrize(
  'side, images, tiles, limit',
  [
    (128, 100, 4, 'as many tiles as their area has'),
    (1024, 100, 32, 'at most 32 tiles of an image'),
    (1024, 5000, 10, 'so few tiles that 5000 images have about 50000'),
    (1024, 10**6, 1, 'so few tiles that 1000000 images have about 50000'),
  ],
)
def test_the_reason_names_the_limit(side, images, tiles, limit):
  found = choose_cutting(kinds(*[(side, side)] * 3), 64, images)
  assert found.tiles == tiles and found.reason.endswith(f'64; {limit}')


def test_without_an_image_that_can_be_read():
  found = choose_cutting(look_at_images([]), 64, 100)
  assert found.tiles == 0 and 'no image' in found.reason


def test_sizes_are_read_from_headers_or_pixels(tmp_path):
  picture = image(48, seed=1)[:32]
  names = [str(tmp_path / f'a.{kind}') for kind in ('png', 'jpg', 'webp')]
  for name in names:
    cv2.imwrite(name, picture)
  broken = tmp_path / 'broken.png'
  broken.write_bytes((tmp_path / 'a.png').read_bytes()[:20])
  found = look_at_images([*names, str(broken)])
  assert found.height.tolist() == [32] * 3
  assert found.width.tolist() == [48] * 3
  assert found.is_jpeg.tolist() == [False, True, False]


def test_at_most_200_images_are_read(tmp_path):
  path = str(tmp_path / 'a.png')
  cv2.imwrite(path, image(8, seed=1))
  assert len(look_at_images([path] * 500).height) == 200


def test_what_sets_the_heap_apart_is_told():
  small, large = kinds((64, 64)), kinds((128, 128))
  assert unlike_kinds(small, kinds((127, 127))) == []
  (line,) = unlike_kinds(small, large)
  assert '64 pixels or more, those of the heap 128' in line
  (line,) = unlike_kinds(small, kinds((64, 64), jpeg=True))
  assert line.startswith('warning: 0% of the known images are JPEG, and 100% ')
  assert unlike_kinds(look_at_images([]), small) == []
