"""The file of detected faces."""

import json

import pytest

from input_pipeline import detections
from input_pipeline.errors import UserError
from input_pipeline.faces import FaceBox

FOUND = {'a': FaceBox(-3, 4, 50, 60, 1.5), 'b': None}


def test_saved_detections_are_loaded(tmp_path):
  path = str(tmp_path / 'new' / 'faces.jsonl')
  assert detections.load_detections(path, 'one') == {}
  detections.save_detections(path, 'one', FOUND)
  assert detections.load_detections(path, 'one') == FOUND
  assert detections.load_detections(path, 'two') == {}


def test_saving_adds_to_the_file(tmp_path):
  path = str(tmp_path / 'faces.jsonl')
  detections.save_detections(path, 'one', FOUND)
  detections.save_detections(path, 'two', {'a': None})
  detections.save_detections(path, 'one', {'c': FaceBox(0, 0, 1, 1)})
  assert detections.load_detections(path, 'one') == FOUND | {
    'c': FaceBox(0, 0, 1, 1)
  }
  assert detections.load_detections(path, 'two') == {'a': None}
  assert [p.name for p in tmp_path.iterdir()] == ['faces.jsonl']


def test_finding_nothing_new_writes_nothing(tmp_path):
  detections.save_detections(str(tmp_path / 'faces.jsonl'), 'one', {})
  assert not list(tmp_path.iterdir())


def test_detections_at_a_url(tmp_path):
  path = f'memory://{tmp_path}/faces.jsonl'
  detections.save_detections(path, 'one', FOUND)
  assert detections.load_detections(path, 'one') == FOUND


@pytest.mark.parametrize(
  'line',
  [
    '{',
    '[]',
    '{"image": "a"}',
    '{"image": "a", "detector": "d", "face": 3}',
    '{"image": "a", "detector": "d", "face": [1, 2, 3, 4]}',
    '{"image": "a", "detector": "d", "face": [1, 2, 3.5, 4, 0]}',
    '{"image": "a", "detector": "d", "face": [3, 2, 3, 4, 0]}',
    '{"image": "a", "detector": "d", "face": [1, 2, 3, 4, "x"]}',
    '\xff',
  ],
)
def test_a_damaged_file_is_named(tmp_path, line):
  path = tmp_path / 'faces.jsonl'
  good = json.dumps({'image': 'a', 'detector': 'd', 'face': None})
  path.write_bytes(f'{good}\n{line}\n'.encode('latin-1'))
  with pytest.raises(UserError, match=f'damaged file: {path}, line 2: '):
    detections.load_detections(str(path), 'd')
