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
# The most bytes of three lengths and two tags.
_LENGTHS_BYTES = 17


def find_image(data: bytes) -> tuple[int, int]:
  """Returns where the encoded image of a record begins and ends.

  Args:
    data: a record as `features.encode_record` makes it.

  Raises:
    IndexError: the record ends before an image is found; one of fewer than
      about 100 bytes is not found.
    ValueError: the record is of another form.
  """
  # This runs for every image that is read, so it calls few functions.
  position = 1
  while data[position] >= _ONE_BYTE:
    position += 1
  position += 1
  while data[position] == _TAG[0]:
    length, first = data[position + 1], position + 2
    if length >= _ONE_BYTE:
      while data[first] >= _ONE_BYTE:
        first += 1
      first += 1
      if data.startswith(_IMAGE_KEY, first):
        return _image_of_entry(data, first + len(_IMAGE_KEY))
      length, _ = _read_varint(data, position + 1)
    position = first + length
  raise ValueError('a record of another form')


def _image_of_entry(data: bytes, start: int) -> tuple[int, int]:
  """Returns what `find_image` does, from where the key and a tag end."""
  offset, length = _image_after(data[start : start + _LENGTHS_BYTES])
  first = start + offset
  if first + length > len(data):
    raise ValueError('the record ends within its image')
  return first, first + length


# Images of equal lengths, of one format, have equal ones.
@functools.lru_cache(maxsize=4096)
def _image_after(head: bytes) -> tuple[int, int]:
  """Returns where an image begins after its key, and its length.

  Args:
    head: what follows the key and the tag of its value: the lengths of a
      feature, of a list in it and of the image in that, which all end with the
      image.
  """
  feature_length, end = _read_varint(head, 0)
  # Two tags, and two lengths of mostly as many bytes as this one.
  length = feature_length - 2 - 2 * end
  lengths = _lengths_of(length)
  if not head.startswith(lengths):
    raise ValueError('a record of another form')
  return len(lengths), length


def _lengths_of(length: int) -> bytes:
  """Returns what is between the key `image` and an image of some bytes."""
  in_list = _TAG + _varint(length)
  in_feature = _TAG + _varint(length + len(in_list)) + in_list
  return _varint(length + len(in_feature)) + in_feature


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
