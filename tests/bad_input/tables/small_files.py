"""Data cards, detected faces, pseudo-labels, and tables of classes."""

import numpy as np

from bad_input.case import Case, Make, together
from bad_input.inputs import (
  directory,
  fifo,
  file,
  link,
  nothing,
  npz,
  packed,
  table,
)
from bad_input.tables.commands import PACK, TRAIN


def _card(name: str, make: Make | str | bytes, *words: str) -> Case:
  bad = make if callable(make) else file('card.toml', make)
  return Case(
    f'card: {name}',
    f'{PACK} --card card.toml',
    ('card.toml', *words),
    together(table, bad),
  )


def _faces(name: str, make: Make | str | bytes, *words: str) -> Case:
  bad = make if callable(make) else file('faces.jsonl', make)
  return Case(
    f'detections: {name}',
    f'{PACK} --crop opencv --detections faces.jsonl',
    ('faces.jsonl', *words),
    together(table, bad),
  )


def _face(face: str) -> str:
  return f'{{"image": "a", "detector": "b", "face": {face}}}\n'


def _labels(name: str, make: Make | bytes, *words: str) -> Case:
  bad = make if callable(make) else file('labels.npz', make)
  return Case(
    f'pseudo-labels: {name}',
    f'{TRAIN} --config.data.pseudo_labels=labels.npz',
    ('labels.npz', *words),
    together(packed, bad),
  )


def _classes(name: str, make: Make | str | bytes, *words: str) -> Case:
  bad = make if callable(make) else file('table.json', make)
  return Case(
    f'table of classes: {name}',
    'prepare owdfapp --datasets datasets --out out --table table.json',
    ('table.json', *words),
    together(directory('datasets'), bad),
  )


def _class(**fields: object) -> str:
  import json

  sound = {'method': 'A', 'folder': 'A', 'labelled': 0, 'unlabelled': 5}
  return json.dumps({'classes': [sound | fields]})


_DEEP = '[' * 200_000

CASES = (
  _card('none', nothing),
  _card('a folder', directory('card.toml')),
  _card('a FIFO', fifo('card.toml')),
  _card('endless', link('card.toml', '/dev/zero')),
  _card('a link to nothing', link('card.toml', 'nowhere')),
  _card('not TOML', 'description\n'),
  _card('binary', bytes(range(256))),
  _card('not UTF-8', b'licence = "\xff"\n'),
  _card('deep', 'licence = ' + _DEEP),
  _card('deep tables', '[' + '.'.join(['a'] * 50_000) + ']\n'),
  _card('an unknown field', 'license = "MIT"\n', 'license'),
  _card('a number', 'licence = 3\n', 'licence'),
  _card('sources as a text', 'sources = "x"\n', 'sources'),
  _card('a source as a text', '[sources]\nx = "y"\n', 'x'),
  _card('a source with an unknown field', '[sources.x]\nurl = "y"\n', 'url'),
  _card('a source with a number', '[sources.x]\ntitle = 3\n', 'title'),
  _card('50 MB', '#' * 50_000_000, 'limit'),
  _card('JSON', '{"licence": "MIT"}'),
  _faces('not JSON', 'face\n', 'line 1'),
  _faces('a list', '[1, 2]\n', 'line 1'),
  _faces('a number', '3\n', 'line 1'),
  _faces('deep', _DEEP + '\n', 'line 1'),
  _faces('not UTF-8', b'\xff\xfe\n', 'line 1'),
  _faces('a box of three', _face('[1, 2, 3]'), 'line 1'),
  _faces('a box of texts', _face('["a", "b", "c", "d", 0]'), 'line 1'),
  _faces('an empty box', _face('[5, 5, 5, 5, 0]'), 'line 1'),
  _faces('a box turned round', _face('[9, 9, 1, 1, 0]'), 'line 1'),
  _faces('an infinite angle', _face('[1, 1, 9, 9, Infinity]'), 'line 1'),
  _faces('an angle nan', _face('[1, 1, 9, 9, NaN]'), 'line 1'),
  _faces('a fraction', _face('[1.5, 1, 9, 9, 0]'), 'line 1'),
  _faces('a huge number', _face(f'[1, 1, {"9" * 5000}, 9, 0]'), 'line 1'),
  _faces('no face', '{"image": "a", "detector": "b"}\n', 'line 1'),
  _faces('the second line', _face('null') + 'x\n', 'line 2'),
  _faces('a folder', directory('faces.jsonl')),
  _faces('a FIFO', fifo('faces.jsonl')),
  _faces('endless', link('faces.jsonl', '/dev/zero')),
  _faces(
    'a link to nothing in a folder that is a file',
    together(file('no'), link('faces.jsonl', 'no/where')),
  ),
  _labels('none', nothing),
  _labels('empty', b''),
  _labels('a folder', directory('labels.npz')),
  _labels('a FIFO', fifo('labels.npz')),
  _labels('endless', link('labels.npz', '/dev/zero')),
  _labels('text', b'label\n1\n2\n'),
  _labels('a pickle', b'\x80\x04\x95' + bytes(99)),
  _labels('a zip file of nothing', b'PK\5\6' + bytes(18)),
  _labels('another array', npz('labels.npz', x=np.arange(3))),
  _labels('no identity', npz('labels.npz', label=np.zeros(96, np.int32))),
  _labels(
    'of other images',
    npz('labels.npz', label=np.zeros(96, np.int32), meta='0' * 64),
  ),
  _labels(
    'objects',
    npz('labels.npz', label=np.array([None, {}], object), meta='0' * 64),
  ),
  _classes('none', nothing),
  _classes('a folder', directory('table.json')),
  _classes('a FIFO', fifo('table.json')),
  _classes('endless', link('table.json', '/dev/zero')),
  _classes('empty', ''),
  _classes('not JSON', 'classes: []'),
  _classes('not UTF-8', b'\xff\xfe'),
  _classes('deep', _DEEP),
  _classes('a list', '[]'),
  _classes('no classes', '{"classes": []}'),
  _classes('a class as a text', '{"classes": ["A"]}', 'class 1'),
  _classes('an unknown field', _class(colour='red'), 'colour'),
  _classes('a count as a text', _class(unlabelled='many'), 'unlabelled'),
  _classes('a count that is true', _class(unlabelled=True), 'unlabelled'),
  _classes('a count of -1', _class(unlabelled=-1), '-1'),
  _classes('a count of 10^400', _class(unlabelled=10**400), 'unlabelled'),
  _classes('an infinite count', _class(unlabelled=float('inf')), 'Infinity'),
  _classes('no images', _class(unlabelled=0), 'labelled'),
  _classes('no method', _class(method=''), 'method'),
  _classes(
    'a method with an escape sequence', _class(method='\x1b[31m'), 'method'
  ),
  _classes('a method of 1 MB', _class(method='x' * 10**6, colour=1), 'colour'),
  _classes('a folder outside', _class(folder='../../etc'), 'folder'),
  _classes('an absolute folder', _class(folder='/etc'), 'folder'),
  _classes('an unknown forgery type', _class(forgery_type='Luck'), 'Luck'),
  _classes(
    'a class of OW-DFA',
    _class(method='Deepfakes', source='FaceForensics++'),
    'table.json',
  ),
)
