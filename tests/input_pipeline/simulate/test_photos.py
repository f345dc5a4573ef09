"""Photographs as the content of simulated images."""

import cv2
import numpy as np
import pytest

from input_pipeline import meta
from input_pipeline.errors import UserError
from input_pipeline.simulate import write
from input_pipeline.simulate.faces import draw_face


@pytest.fixture
def photos(tmp_path):
  """Three portraits, one in a subfolder, beside a file that is no image."""
  folder = tmp_path / 'photos'
  (folder / 'more').mkdir(parents=True)
  for number, name in enumerate(('a.jpg', 'b.PNG', 'more/c.png')):
    image = draw_face(np.random.default_rng(number), 160).image
    assert cv2.imwrite(str(folder / name), image.astype(np.uint8)[..., ::-1])
  (folder / 'broken.jpg').write_text('not an image')
  return folder


def test_photos_can_be_the_content(photos, tmp_path):
  out = tmp_path / 'out'
  assert write.simulate(str(out), 4, 32, 0, faces=str(photos), processes=1)
  assert len(meta.read(out / write.CSV_NAMES[2])) == 88
  assert not write.simulate(str(out), 4, 32, 0, faces=str(photos))
  (photos / 'b.PNG').unlink()
  with pytest.raises(UserError, match='faces='):
    write.simulate(str(out), 4, 32, 0, faces=str(photos))


def test_photos_are_cropped_around_the_face(photos):
  found = write.find_photos(str(photos))
  assert [path.rsplit('/', 1)[1] for path in found] == [
    'a.jpg',
    'b.PNG',
    'c.png',
  ]
  face = write.crop_face(np.random.default_rng(0), 64, found)
  assert face.image.shape == (64, 64, 3) and face.image.std() > 10
  assert 0.37 * 64 <= face.unit <= 0.45 * 64


def test_a_folder_without_images_is_an_error(tmp_path):
  with pytest.raises(UserError, match='no such folder'):
    write.simulate(str(tmp_path / 'o'), 4, 32, 0, faces=str(tmp_path / 'none'))
  (tmp_path / 'broken.jpg').write_text('not an image')
  with pytest.raises(UserError, match='no readable image'):
    write.simulate(str(tmp_path / 'o'), 4, 32, 0, faces=str(tmp_path))


def test_a_photo_that_cannot_be_decoded_is_named(tmp_path):
  (tmp_path / 'cut.jpg').write_bytes(b'\xff\xd8\xff\xe0' + bytes(40))
  with pytest.raises(UserError, match='cut.jpg'):
    write.simulate(
      str(tmp_path / 'o'), 4, 32, 0, faces=str(tmp_path), processes=1
    )
  assert not (tmp_path / 'o').exists()
