"""The image is found in a record, however long it is and whatever precedes."""

import numpy as np
import pytest
from tensorflow_datasets.proto import tf_example_pb2

from input_pipeline import features, image_field
from input_pipeline.errors import UserError

KEY = b'\n\x05image\x12'


def record(image, **changes):
  fields = {
    'image': image,
    'label': 1,
    'tag': 2,
    'id': 'a/b.png',
    'method': 'Swap',
    'forgery_type': 'IdentitySwap',
    'image_source': 'src',
    'sha256': 'ab' * 32,
  }
  return features.encode_record(features.Record(**(fields | changes)))


# Lengths around those at which the length itself takes another byte.
@pytest.mark.parametrize(
  'length', [*range(110, 135), *range(16370, 16390), 40000, 2097140, 2097160]
)
def test_images_of_all_lengths(length):
  image = np.random.RandomState(0).bytes(length)
  assert features.encoded_image(record(image)) == image


def test_most_images_are_found_without_parsing():
  for length in 200, 5000, 100000:
    image = (bytes(range(256)) * 500)[:length]
    data = record(image)
    start, stop = image_field.find_image(data)
    assert data[start:stop] == image
    assert features.locate_image(data) == (data, start, stop)


def test_an_image_is_found_again_after_another_id():
  for name in 'a', 'bb', 'x' * 200:
    image = name.encode() * 1000
    data = record(image[:1000], id=name)
    start, stop = image_field.find_image(data)
    assert data[start:stop] == image[:1000]


@pytest.mark.parametrize(
  'name', [KEY.decode(), 'x' * 500, KEY.decode() + '\x08\n\x06\n\x04evil']
)
def test_the_id_may_hold_anything(name):
  image = b'picture' * 100
  assert features.encoded_image(record(image, id=name)) == image


def test_other_writers_are_understood():
  """Their fields have another order, or their image several parts."""
  example = tf_example_pb2.Example()
  example.features.feature['image'].bytes_list.value.extend([b'ab', b'cd'])
  assert features.encoded_image(example.SerializeToString()) == b'abcd'


@pytest.mark.parametrize('data', [b'\xff\xff', KEY, KEY + b'\x80' * 9])
def test_what_is_no_record_is_refused(data):
  with pytest.raises(UserError, match=r'not a tf\.train\.Example'):
    features.encoded_image(data)


def test_a_record_that_ends_early_is_refused():
  with pytest.raises(UserError, match=r'not a tf\.train\.Example'):
    features.encoded_image(record(b'a' * 1000)[:500])


def test_an_image_longer_than_its_record_is_refused():
  data = record(b'a' * 1000)
  image_field.find_image(data)
  with pytest.raises(ValueError, match='ends within its image'):
    image_field.find_image(data[:900])


def test_lengths_that_contradict_each_other_are_refused():
  data = bytearray(record(b'a' * 1000))
  start, _ = image_field.find_image(bytes(data))
  data[start - 1] += 1  # the length of the image alone
  with pytest.raises(ValueError, match='of another form'):
    image_field.find_image(bytes(data))
