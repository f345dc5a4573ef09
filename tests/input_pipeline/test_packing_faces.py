"""Packing images with their faces cut out."""

import json
import shutil

import cv2
import numpy as np
import pytest

from helpers.imagesets import image, meta_row
from helpers.paths import DATA
from input_pipeline import (
  dataset,
  detections,
  faces,
  features,
  images,
  meta,
  pack,
  packed_format,
  packing,
)
from input_pipeline.errors import UserError

PHOTO = DATA / 'face.jpg'
OPTIONS = pack.Options(size=32, shards=2, crop='opencv')


@pytest.fixture
def csv(tmp_path):
  """Writes two known classes: one with a face in every image, one without."""
  photo = images.load_image(PHOTO)
  rows = []
  for label in (0, 1):
    (tmp_path / str(label)).mkdir()
    for number in range(6):
      name = f'{label}/{number}.png'
      shifted = np.roll(photo, 4 * number, axis=1)
      picture = image(64, number) if label else shifted
      cv2.imwrite(str(tmp_path / name), picture[..., ::-1])
      rows.append(meta_row(label, number, tag=1, path=name))
  meta.write_meta(tmp_path / 'meta.csv', rows)
  return tmp_path / 'meta.csv'


def records(opened):
  return [
    features.decode_record(split.source[i])
    for split in (opened.train, opened.test)
    for i in range(len(split))
  ]


def test_faces_are_cut_out_and_counted(csv, capsys):
  out = csv.parent / 'out'
  opened = pack.pack(csv, out, OPTIONS, workers=1)
  assert [c['counts']['no_face'] for c in opened.description['classes']] == [
    0,
    6,
  ]
  printed = capsys.readouterr().out
  assert printed.splitlines()[0].split()[-1] == 'no_face'
  assert 'no face was found in 6: packed whole' in printed
  find = faces.OpenCVDetector()
  for record in records(opened):
    picture = images.load_image(csv.parent / record.id)
    face = find(picture)
    assert (face is None) == (record.label == 1)
    if face is not None:
      picture = faces.cut_face(picture, face, 1.2)
    stored = images.decode_file(record.image, 'x')
    np.testing.assert_array_equal(stored, images.resize_image(picture, 32))


def test_images_of_the_right_size_are_cut_too(csv):
  options = pack.Options(size=224, crop='opencv')
  shutil.rmtree(csv.parent / '1')
  shutil.copytree(csv.parent / '0', csv.parent / '1')
  opened = pack.pack(csv, csv.parent / 'out', options, workers=1)
  assert opened.description['original_bytes'] is False


def test_detections_are_reused_by_later_packings(csv, monkeypatch):
  out = csv.parent / 'out'
  pack.pack(csv, out, OPTIONS, workers=1)
  before = records(dataset.open_dataset(out))
  kept = csv.parent / 'out.detections.jsonl'
  lines = [json.loads(line) for line in kept.read_text().splitlines()]
  assert len(lines) == 12
  assert {r.sha256 for r in before} == {line['image'] for line in lines}

  def fail(self, picture):
    raise AssertionError('detected again')

  monkeypatch.setattr(faces.OpenCVDetector, '__call__', fail)
  shutil.rmtree(out)
  # Another margin and other shards: the same boxes.
  options = pack.Options(size=32, shards=3, crop='opencv', margin=1.4)
  after = records(pack.pack(csv, out, options, workers=1))
  assert [r.id for r in after] == [r.id for r in before]
  assert after[0].image != before[0].image


def test_the_number_of_processes_changes_no_detection(csv):
  out = csv.parent / 'out'
  kept = csv.parent / 'faces.jsonl'
  found = []
  for workers in (1, 2):
    resources = pack.Resources(workers=workers, detections=str(kept))
    packing.write_pack(csv, out, OPTIONS, resources)
    found.append(kept.read_bytes())
    content = {p.name: p.read_bytes() for p in out.iterdir()}
    found.append(content)
    shutil.rmtree(out)
    kept.unlink()
  assert found[0] == found[2]
  assert found[1] == found[3]


def test_detections_before_an_error_are_saved(csv):
  (csv.parent / '1' / '5.png').write_bytes(b'')
  options = pack.Options(size=32, shards=6, crop='opencv')
  with pytest.raises(UserError, match='the file is empty'):
    pack.pack(csv, csv.parent / 'out', options, workers=1)
  name = faces.OpenCVDetector().name
  kept = detections.load_detections(
    str(csv.parent / 'out.detections.jsonl'), name
  )
  assert 0 < len(kept) < 12


def test_a_detection_outside_the_image_is_named(csv):
  out = csv.parent / 'out'
  pack.pack(csv, out, OPTIONS, workers=1)
  kept = csv.parent / 'out.detections.jsonl'
  far = {'face': [900, 900, 950, 950, 0.0]}
  lines = [json.loads(line) | far for line in kept.read_text().splitlines()]
  kept.write_text(''.join(json.dumps(line) + '\n' for line in lines))
  shutil.rmtree(out)
  with pytest.raises(UserError, match='bad detection: .*outside the image'):
    pack.pack(csv, out, OPTIONS, workers=1)


def test_another_crop_is_another_request(csv):
  out = csv.parent / 'out'
  pack.pack(csv, out, OPTIONS, workers=1)
  with pytest.raises(UserError, match='was packed with --crop=opencv'):
    pack.pack(csv, out, pack.Options(size=32, shards=2), workers=1)


def test_a_pack_made_before_crops_existed_is_reused(csv, capsys):
  out = csv.parent / 'out'
  options = pack.Options(size=32, shards=2)
  pack.pack(csv, out, options, workers=1)
  path = out / packed_format.DESCRIPTION
  description = json.loads(path.read_text())
  for name in ('crop', 'margin', 'align', 'card'):
    del description['made']['arguments'][name]
  path.write_text(json.dumps(description))
  pack.pack(csv, out, options, workers=1)
  assert 'packed already' in capsys.readouterr().out


def test_a_missing_dlib_stops_before_packing(csv, monkeypatch):
  monkeypatch.setitem(__import__('sys').modules, 'dlib', None)
  faces.detector.cache_clear()
  with pytest.raises(UserError, match='pip install dlib-bin'):
    pack.pack(csv, csv.parent / 'out', pack.Options(crop='dlib'), workers=1)
  assert not (csv.parent / 'out').exists()
