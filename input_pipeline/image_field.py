"""Finds the image in a serialised record, without parsing the other fields.

A record is a `tf.train.Example`. To parse it takes twice as long and copies
the image.
"""

import functools

# How an entry of the image begins: its key, and the tag of its value.
_IMAGE_KEY = b'\n\x05image\x12'
# The tag of all other fields that lead to the image.
_TAG = b'\n'
# A number below this is stored in one byte.
_ONE_BYTE = 0x80


def find_image(data: bytes) -> memoryview:
  """Returns the encoded image of a record, without copying it.

  Args:
    data: a record as `features.encode_record` makes it.

  Raises:
    IndexError: the record ends first.
    ValueError: the record is of another form.
  """
  position = _end_of_varint(data, 1)
  while data[position] == _TAG[0]:
    length, first = data[position + 1], position + 2
    if length >= _ONE_BYTE:
      first = _end_of_varint(data, position + 1)
    if data.startswith(_IMAGE_KEY, first):
      return _image_of_entry(data, first + len(_IMAGE_KEY))
    if length >= _ONE_BYTE:
      length, _ = _read_varint(data, position + 1)
    position = first + length
  raise ValueError('a record of another form')


def _image_of_entry(data: bytes, start: int) -> memoryview:
  """Returns the image after the key and the tag of its entry."""
  feature_length, end = _read_varint(data, start)
  # Two tags, and two lengths of mostly as many bytes as this one.
  length = feature_length - 2 - 2 * (end - start)
  lengths = _lengths_of(length)
  first = start + len(lengths)
  if not data.startswith(lengths, start) or first + length > len(data):
    raise ValueError('a record of another form')
  return memoryview(data)[first : first + length]


# Images of equal lengths have equal ones.
@functools.lru_cache(maxsize=4096)
def _lengths_of(length: int) -> bytes:
  """Returns what is between the key `image` and an image of some bytes.

  The image is in a list in a feature: messages that all end with the image.
  """
  in_list = _TAG + _varint(length)
  in_feature = _TAG + _varint(length + len(in_list)) + in_list
  return _varint(length + len(in_feature)) + in_feature


def _end_of_varint(data: bytes, position: int) -> int:
  """Returns where a number ends, without reading it."""
  while data[position] >= _ONE_BYTE:
    position += 1
  return position + 1


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
  """Returns a number as protocol buffers store it, and where it ends."""
  number = 0
  for shift in range(0, 35, 7):
    byte = data[position]
    position += 1
    number |= (byte & 0x7F) << shift
    if byte < _ONE_BYTE:
      return number, position
  raise ValueError('a record of another form')


def _varint(number: int) -> bytes:
  """Returns a number as protocol buffers store it."""
  groups = bytearray()
  while number >= _ONE_BYTE:
    groups.append(_ONE_BYTE | number & 0x7F)
    number >>= 7
  return bytes([*groups, number])
