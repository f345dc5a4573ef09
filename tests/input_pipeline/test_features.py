"""Records: ours, tfds's and tf.train.Example are the same bytes on disk."""

import dataclasses
import io
import struct
import subprocess
import sys

import cv2
import numpy as np
import pytest
from tensorflow_datasets.proto import tf_example_pb2

from helpers.imagesets import image
from helpers.paths import ROOT
from input_pipeline import features
from input_pipeline.errors import UserError


def a_record(encoding='png', **changes):
  picture = image(16, seed=0)
  data = cv2.imencode(f'.{encoding}', picture[..., ::-1])[1].tobytes()
  return features.Record(
    **{
      'image': data,
      'label': 1,
      'tag': 2,
      'id': 'dir/é.png',
      'method': 'Swap',
      'forgery_type': 'IdentitySwap',
      'image_source': 'src',
      'sha256': 'ab' * 32,
    }
    | changes
  )


def large_png():
  """Returns a small PNG whose header claims 32767 x 32767 pixels."""
  data = bytearray(a_record().image)
  data[16:24] = struct.pack('>II', 32767, 32767)
  return bytes(data)


@pytest.mark.parametrize('label', [1, -1])
def test_round_trip(label):
  record = a_record(label=label)
  assert features.decode_record(features.encode_record(record)) == record


def test_the_same_record_has_the_same_bytes():
  code = (
    'from input_pipeline.features import *; import sys;'
    'r = Record(b"x", 1, 2, "a", "b", "c", "d", "e");'
    'sys.stdout.buffer.write(encode_record(r))'
  )
  # Hash randomisation differs from process to process.
  printed = {
    subprocess.run(
      [sys.executable, '-c', code],
      capture_output=True,
      check=True,
      cwd=ROOT,
      env={'PYTHONHASHSEED': seed},
    ).stdout
    for seed in ('1', '2')
  }
  assert len(printed) == 1


@pytest.mark.parametrize('encoding', ['png', 'jpeg', None])
@pytest.mark.parametrize('label', [1, -1])
def test_tfds_encodes_and_decodes_the_same(encoding, label):
  schema = features.schema(16, ['a', 'b'], encoding)
  record = a_record(encoding or 'png', label=label)
  fields = dataclasses.asdict(record) | {'image': io.BytesIO(record.image)}
  theirs = schema.serialize_example(schema.encode_example(fields))
  ours = features.encode_record(record)
  parse = tf_example_pb2.Example.FromString
  assert parse(ours) == parse(theirs)
  back = schema.deserialize_example_np(ours)
  assert back['label'] == label
  assert back['id'].decode() == record.id
  np.testing.assert_array_equal(back['image'], features.decode_image(ours))


def test_images_decode_to_rgb():
  decoded = features.decode_image(features.encode_record(a_record()))
  np.testing.assert_array_equal(decoded, image(16, seed=0))


@pytest.mark.parametrize(
  ('data', 'message'),
  [
    (b'\xff\xff', 'not a tf.train.Example'),
    (b'', 'no readable image'),
    (features.encode_record(a_record(image=b'')), 'no readable image'),
    (features.encode_record(a_record(image=b'abc')), 'no readable image'),
    (features.encode_record(a_record(image=large_png())), 'no readable image'),
  ],
)
def test_a_foreign_record_is_refused(data, message):
  with pytest.raises(UserError, match=message):
    features.decode_image(data)


def test_a_record_without_its_fields_is_refused():
  with pytest.raises(UserError, match='a record lacks a field'):
    features.decode_record(b'')


def test_neither_jax_nor_tensorflow_is_imported():
  code = (
    'import sys, input_pipeline.pack;'
    'sys.exit("jax" in sys.modules or "tensorflow" in sys.modules)'
  )
  subprocess.run([sys.executable, '-c', code], check=True, cwd=ROOT)
