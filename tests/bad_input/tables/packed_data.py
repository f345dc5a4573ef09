"""Packed data: its description, its indices and its shards."""

import struct
import zipfile

import numpy as np

from bad_input.case import Case, Make, together
from bad_input.inputs import (
  directory,
  edited,
  fifo,
  file,
  json_edited,
  link,
  npz_edited,
  packed,
  removed,
)
from bad_input.tables.commands import TRAIN

_DESCRIPTION = 'packed/description.json'
_INDEX = 'packed/train.index.npz'
_TEST_INDEX = 'packed/test.index.npz'
_SHARD = 'packed/owdfa-train.tfrecord-00000-of-00001'


def _data(name: str, make: Make, *words: str, memory: int = 200) -> Case:
  return Case(
    f'packed data: {name}', TRAIN, words, together(packed, make), memory=memory
  )


def _described(name: str, edit, *words: str) -> Case:
  return _data(name, json_edited(_DESCRIPTION, edit), _DESCRIPTION, *words)


def _indexed(name: str, **columns) -> Case:
  return _data(name, npz_edited(_INDEX, **columns), _INDEX)


def _header_of(shape: str, dtype: str = '<i4') -> bytes:
  """Returns an `.npy` file of a header that claims a shape, and no data."""
  text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
  return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(text)) + text.encode()


def _zip_with(column: bytes) -> Make:
  """Replaces the column `label` of the index by other bytes."""

  def make(folder):
    path = folder / _INDEX
    with zipfile.ZipFile(path) as archive:
      parts = {name: archive.read(name) for name in archive.namelist()}
    parts['label.npy'] = column
    with zipfile.ZipFile(path, 'w') as archive:
      for name, part in parts.items():
        archive.writestr(name, part)

  return make


def _bomb(folder) -> None:
  """Makes an index whose column `label` unpacks to 200 MB."""
  name = folder / _INDEX
  with zipfile.ZipFile(name) as archive:
    parts = {part: archive.read(part) for part in archive.namelist()}
  parts['label.npy'] = _header_of('(50000000,)') + bytes(200_000_000)
  with zipfile.ZipFile(name, 'w', zipfile.ZIP_DEFLATED, True, 1) as archive:
    for part, content in parts.items():
      archive.writestr(part, content)


def _with_groups(first: int) -> Make:
  """Adds groups to the index: that of the first row, and 0 for the others."""

  def make(folder):
    path = folder / _INDEX
    with np.load(path) as content:
      arrays = dict(content)
    arrays['group'] = np.zeros(len(arrays['label']), np.int32)
    arrays['group'][0] = first
    np.savez(path, **arrays)

  return make


def _of_classes(change):
  return lambda content: content['classes'][0].update(change)


CASES = (
  Case('packed data: none', TRAIN, ('packed',)),
  Case('packed data: a file', TRAIN, ('packed',), file('packed')),
  Case('packed data: a FIFO', TRAIN, ('packed',), fifo('packed')),
  Case('packed data: empty', TRAIN, ('packed',), directory('packed')),
  Case(
    'packed data: photos', TRAIN, ('description.json',), file('packed/a.png')
  ),
  Case(
    'packed data: no path',
    f"{TRAIN} --config.data.path=''",
    ('data.path',),
    packed,
  ),
  Case(
    'packed data: a meta CSV',
    f'{TRAIN} --config.data.path=meta.csv',
    ('meta.csv',),
    file('meta.csv', 'img_name,label\n'),
  ),
  Case(
    'packed data: an unknown kind of URL',
    f'{TRAIN} --config.data.path=nosuch://bucket/data',
    ('nosuch://bucket/data',),
  ),
  Case(
    'packed data: a URL without a bucket',
    f'{TRAIN} --config.data.path=memory://nothing/here',
    ('memory://nothing/here',),
  ),
  _data('no description', removed(_DESCRIPTION), 'description.json'),
  _data('description is empty', file(_DESCRIPTION), _DESCRIPTION),
  _data(
    'description is cut', edited(_DESCRIPTION, lambda x: x[:99]), _DESCRIPTION
  ),
  _data('description is a list', file(_DESCRIPTION, '[]'), _DESCRIPTION),
  _data('description is null', file(_DESCRIPTION, 'null'), _DESCRIPTION),
  _data(
    'description is of another thing', file(_DESCRIPTION, '{}'), _DESCRIPTION
  ),
  _data(
    'description is not UTF-8', file(_DESCRIPTION, b'\xff\xff'), _DESCRIPTION
  ),
  _data('description is deep', file(_DESCRIPTION, '[' * 200_000), _DESCRIPTION),
  _data('description is a folder', directory(_DESCRIPTION), 'description.json'),
  _data('description is a FIFO', fifo(_DESCRIPTION), 'description.json'),
  _data(
    'description is endless',
    link(_DESCRIPTION, '/dev/zero'),
    'description.json',
  ),
  _data(
    'description is a link to nothing',
    link(_DESCRIPTION, 'nowhere'),
    'description.json',
  ),
  _described('format_version 99', lambda c: c.update(format_version=99), '99'),
  _described('format_version a text', lambda c: c.update(format_version='1')),
  _described('no classes', lambda c: c.pop('classes')),
  _described('classes are empty', lambda c: c.update(classes=[])),
  _described('classes are a number', lambda c: c.update(classes=3)),
  _described('classes are numbers', lambda c: c.update(classes=[1, 2])),
  _described('a class without a name', lambda c: c['classes'][0].pop('name')),
  _described('a class with a number as name', _of_classes({'name': 3})),
  _described('two classes of one name', _of_classes({'name': 'm1'})),
  _described('a class with another label', _of_classes({'label': 7})),
  _described('a class with a list as label', _of_classes({'label': [0]})),
  _described('a class that is not known', _of_classes({'known': False})),
  _described('num_known is negative', lambda c: c.update(num_known=-1)),
  _described('num_known is too large', lambda c: c.update(num_known=99)),
  _described('num_known is a text', lambda c: c.update(num_known='two')),
  _described(
    'num_known is infinite', lambda c: c.update(num_known=float('inf'))
  ),
  _described('num_known is 0', lambda c: c.update(num_known=0)),
  _described('no num_known', lambda c: c.pop('num_known')),
  _described('no image_size', lambda c: c.pop('image_size')),
  _described('image_size 0', lambda c: c.update(image_size=0)),
  _described('image_size -32', lambda c: c.update(image_size=-32)),
  _described('image_size 10^7', lambda c: c.update(image_size=10**7)),
  _described('image_size is infinite', lambda c: c.update(image_size=1e999)),
  _described('image_size is a list', lambda c: c.update(image_size=[32])),
  _described('no splits', lambda c: c.pop('splits')),
  _described('no test split', lambda c: c['splits'].pop('test')),
  _described('splits are a list', lambda c: c.update(splits=[1])),
  _described(
    '10^7 shards', lambda c: c['splits']['train'].update(shards=10**7)
  ),
  _described(
    '10^18 shards', lambda c: c['splits']['train'].update(shards=10**18)
  ),
  _described(
    'infinite shards', lambda c: c['splits']['train'].update(shards=1e999)
  ),
  _described(
    'nan records', lambda c: c['splits']['train'].update(records=float('nan'))
  ),
  _described('-1 shards', lambda c: c['splits']['train'].update(shards=-1)),
  _described('-1 records', lambda c: c['splits']['train'].update(records=-1)),
  _described('no made', lambda c: c.pop('made')),
  _described('made is a list', lambda c: c.update(made=[])),
  _described('no meta_sha256', lambda c: c['made'].pop('meta_sha256')),
  _described(
    'meta_sha256 is a number', lambda c: c['made'].update(meta_sha256=3)
  ),
  _described('no novel_count_known', lambda c: c.pop('novel_count_known')),
  _data('no index', removed(_INDEX), _INDEX),
  _data('no test index', removed(_TEST_INDEX), _TEST_INDEX),
  _data('index is empty', file(_INDEX), _INDEX),
  _data('index is not a zip file', file(_INDEX, b'PK\3\4' * 99), _INDEX),
  _data('index is cut', edited(_INDEX, lambda x: x[: len(x) // 2]), _INDEX),
  _data('index is a folder', directory(_INDEX), _INDEX),
  _data('index is a FIFO', fifo(_INDEX), _INDEX),
  _data('index is endless', link(_INDEX, '/dev/zero'), _INDEX),
  _data('index claims 10^15 rows', _zip_with(_header_of('(10**15,)')), _INDEX),
  _data(
    'index claims 10^18 rows',
    _zip_with(_header_of('(1' + '0' * 18 + ',)')),
    _INDEX,
  ),
  _data('index claims 2 GB', _zip_with(_header_of('(500000000,)')), _INDEX),
  _data(
    'index claims a negative shape', _zip_with(_header_of('(-5,)')), _INDEX
  ),
  _data(
    'index claims a deep shape',
    _zip_with(_header_of('(' * 99 + ')' * 99)),
    _INDEX,
  ),
  _data('index claims objects', _zip_with(_header_of('(48,)', '|O')), _INDEX),
  _data('a column unpacks to 200 MB', _bomb, _INDEX, memory=99),
  _indexed('labels beyond the classes', label=lambda x: x + 9),
  _indexed('labels below -1', label=lambda x: x - 9),
  _indexed('labels as numbers with a point', label=lambda x: x / 2),
  _indexed('labels as texts', label=lambda x: x.astype(str)),
  _indexed('fewer labels', label=lambda x: x[:-1]),
  _indexed('labels in two dimensions', label=lambda x: x[:, None]),
  _indexed('a tag of 7', tag=lambda x: x + 5),
  _indexed('negative offsets', offset=lambda x: x - 10**6),
  _data(
    'offsets beyond the shard',
    npz_edited(_INDEX, offset=lambda x: x + 10**6),
    _SHARD,
  ),
  _indexed(
    'offsets that wrap around', offset=lambda x: x + np.int64(2**63 - 10**6)
  ),
  _indexed('negative lengths', length=lambda x: -x),
  _indexed('a shard that is not there', shard=lambda x: x + 1),
  _data('groups beyond the rows', _with_groups(10**6), _INDEX),
  _data('groups below 0', _with_groups(-1), _INDEX),
  _indexed('ids that overlap', id_end=lambda x: x[::-1].copy()),
  _indexed(
    'ids with control characters',
    id_bytes=lambda x: np.where(x == 47, 10, x).astype(np.uint8),
  ),
  _data(
    'no row of a known class is labelled',
    npz_edited(_INDEX, tag=lambda x: np.full_like(x, 2)),
    'm0',
  ),
  _data(
    'no row of a class',
    npz_edited(_INDEX, label=lambda x: np.minimum(x, 2)),
    'm3',
  ),
  _data('no shard', removed(_SHARD), _SHARD),
  _data('shard is empty', file(_SHARD), _SHARD),
  _data('shard is cut', edited(_SHARD, lambda x: x[:-9]), _SHARD),
  _data('shard is longer', edited(_SHARD, lambda x: x + b'more'), _SHARD),
  _data('shard is a folder', directory(_SHARD), _SHARD),
  _data('shard is a FIFO', fifo(_SHARD), _SHARD),
  _data('shard is a link to nothing', link(_SHARD, 'nowhere'), _SHARD),
)
