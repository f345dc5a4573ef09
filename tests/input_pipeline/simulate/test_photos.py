"""Photographs as the content of simulated images."""

import cv2
import numpy as np
import pytest

from input_pipeline import meta
from input_pipeline.errors import UserError
from input_pipeline.simulate.photos import crop_portrait, find_photos
from input_pipeline.simulate.portraits import draw_portrait
from input_pipeline.simulate.simulated_dataset import CSV_NAMES, simulate


@pytest.fixture
def photos(tmp_path):
  """A folder of three portraits, one in a subfolder, and a text file."""
  folder = tmp_path / 'photos'
  (folder / 'more').mkdir(parents=True)
  for number, name in enumerate(('a.jpg', 'b.PNG', 'more/c.png')):
    image = draw_portrait(np.random.default_rng(number), 160).image
    assert cv2.imwrite(str(folder / name), image.astype(np.uint8)[..., ::-1])
  (folder / 'broken.jpg').write_text('not an image')
  return folder


def test_photos_are_the_content_of_a_dataset(photos, tmp_path):
  out = tmp_path / 'out'
  assert simulate(str(out), 4, 32, 0, faces=str(photos), processes=1)
  assert len(meta.read_meta(out / CSV_NAMES[2])) == 88
  assert not simulate(str(out), 4, 32, 0, faces=str(photos))
  (photos / 'b.PNG').unlink()
  with pytest.raises(UserError, match='faces='):
    simulate(str(out), 4, 32, 0, faces=str(photos))


def test_photos_are_cropped_around_the_face(photos):
  found = find_photos(str(photos))
  assert [path.rsplit('/', 1)[1] for path in found] == [
    'a.jpg',
    'b.PNG',
    'c.png',
  ]
  portrait = crop_portrait(np.random.default_rng(0), 64, found)
  assert portrait.image.shape == (64, 64, 3) and portrait.image.std() > 10
  assert 0.37 * 64 <= portrait.unit <= 0.45 * 64


def test_a_folder_without_images_is_an_error(tmp_path):
  with pytest.raises(UserError, match='no such folder'):
    simulate(str(tmp_path / 'o'), 4, 32, 0, faces=str(tmp_path / 'none'))
  (tmp_path / 'broken.jpg').write_text('not an image')
  with pytest.raises(UserError, match='no readable image'):
    simulate(str(tmp_path / 'o'), 4, 32, 0, faces=str(tmp_path))


def test_an_error_names_a_photo_that_cannot_be_decoded(tmp_path):
  (tmp_path / 'cut.jpg').write_bytes(b'\xff\xd8\xff\xe0' + bytes(40))
  with pytest.raises(UserError, match='cut.jpg'):
    simulate(str(tmp_path / 'o'), 4, 32, 0, faces=str(tmp_path), processes=1)
  assert not (tmp_path / 'o').exists()
