"""Signed credentials of images: what the column says of them."""

import struct
import sys
import types

import pytest

from helpers.paths import DATA
from owdfa_jax.inference import credentials

MANIFEST = {
  'claim_generator_info': [{'name': 'Editor', 'version': '1.2', 'x': 'y'}],
  'signature_info': {'issuer': 'Example Camera', 'alg': 'Es256'},
  'assertions': [
    {'label': 'c2pa.thumbnail', 'data': None},
    {'label': 'c2pa.actions.v2', 'data': {'actions': [{'action': 'opened'}]}},
  ],
}
GENERATED = {
  'label': 'c2pa.actions',
  'data': {
    'actions': [
      {
        'digitalSourceType': 'http://cv.iptc.org/newscodes/digitalsourcetype/'
        'trainedAlgorithmicMedia'
      }
    ]
  },
}


def store(state='Valid', **changes):
  return {
    'active_manifest': 'a',
    'manifests': {'a': MANIFEST | changes, 'older': {}},
    'validation_state': state,
  }


@pytest.mark.parametrize(
  'content, line',
  [
    (
      store(),
      'signed, signer not verified: issuer Example Camera, made by Editor 1.2',
    ),
    (
      store('Trusted', claim_generator_info=None, claim_generator='Old/1'),
      None,
    ),
    (
      store('Invalid', signature_info=None, claim_generator_info=[]),
      'changed since it was signed',
    ),
    (
      store('Trusted', assertions=[GENERATED]),
      'signed: issuer Example Camera, made by Editor 1.2, says: created by a '
      'trained algorithm',
    ),
    ({}, 'unreadable credentials'),
    ([], 'unreadable credentials'),
    (store(signature_info='x'), 'unreadable credentials'),
    (store(assertions=[{'label': 'c2pa.actions'}]), 'unreadable credentials'),
  ],
)
def test_one_line_for_the_credentials(content, line):
  expected = line or 'signed: issuer Example Camera, made by Old/1'
  assert credentials.describe_credentials(content) == expected


class Error(Exception):
  """The errors of the reader."""


class NotSupported(Error):
  """Of a file that is no image."""


@pytest.fixture
def reader(monkeypatch):
  """A reader that finds, raises or returns what a test puts into the list."""
  found = []

  def try_create(path, context):
    result = found[0]
    if isinstance(result, Exception):
      raise result
    return result

  Error.NotSupported = NotSupported
  module = types.SimpleNamespace(
    Reader=types.SimpleNamespace(try_create=try_create),
    Context=types.SimpleNamespace(from_dict=dict),
    C2paError=Error,
  )
  for cached in (credentials._reader, credentials._context):
    cached.cache_clear()
  monkeypatch.setitem(sys.modules, 'c2pa', module)
  yield found
  for cached in (credentials._reader, credentials._context):
    cached.cache_clear()


@pytest.mark.parametrize(
  'found, line',
  [
    (None, ''),
    (NotSupported('text'), ''),
    (Error('damaged'), 'unreadable credentials'),
    (OSError('gone'), 'unreadable credentials'),
  ],
)
def test_a_file_without_credentials_is_no_error(reader, found, line):
  reader.append(found)
  assert credentials.read_credentials('a.jpg', b'..c2pa..') == line


def test_only_files_with_a_mark_are_read(reader):
  reader.append(AssertionError('the reader was asked'))
  assert credentials.read_credentials('a.jpg', b'an image') == ''
  with pytest.raises(AssertionError, match='was asked'):
    credentials.read_credentials('a.jpg', b'..provenance..')


@pytest.mark.parametrize('kind', [b'caBX', b'iTXt'])
def test_the_pixels_of_a_png_are_not_searched(reader, kind):
  """Their bytes may be a mark by chance; credentials have a chunk."""

  def png(kind, content):
    length = struct.pack('>I', len(content))
    return start + length + kind + content + b'.CRC' + end

  start, end = b'\x89PNG\r\n\x1a\n', b'\0\0\0\0IEND.CRC'
  reader.append(AssertionError('the reader was asked'))
  assert credentials.read_credentials('a.png', png(b'IDAT', b'c2pa')) == ''
  for signed in png(kind, b'..c2pa'), png(b'IDAT', b'x') + b'c2pa':
    with pytest.raises(AssertionError, match='was asked'):
      credentials.read_credentials('a.png', signed)


def read(path):
  return credentials.read_credentials(path, path.read_bytes())


def test_without_the_package_there_are_none(reader, monkeypatch):
  monkeypatch.setitem(sys.modules, 'c2pa', None)
  assert read(DATA / 'signed.jpg') == ''


def test_the_reader_finds_what_was_signed(tmp_path):
  pytest.importorskip('c2pa')
  signed = DATA / 'signed.jpg'
  line = (
    ': issuer Example Camera, made by Example Generator 1.2, says: created by '
    'a trained algorithm'
  )
  found = read(signed)
  assert found == f'signed, signer not verified{line}'
  content = bytearray(signed.read_bytes())
  content[-30] ^= 255
  (tmp_path / 'changed.jpg').write_bytes(content)
  found = read(tmp_path / 'changed.jpg')
  assert found == f'changed since it was signed{line}'
  assert read(DATA / 'face.jpg') == ''
  assert read(DATA / 'README.md') == ''
