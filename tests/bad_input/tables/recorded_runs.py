"""Runs that their folder alone describes, and tables of attributions."""

from bad_input.case import Case, Make, together
from bad_input.inputs import (
  directory,
  edited,
  fifo,
  file,
  json_edited,
  photos,
  removed,
  trained,
)

_ATTRIBUTE = 'attribute --workdir=run --images=photos'


def _case(
  title: str,
  command: str,
  words: tuple[str, ...],
  *makes: Make,
  leaves: tuple[str, ...] = (),
) -> Case:
  return Case(
    f'run alone: {title}',
    command,
    words,
    together(trained, photos, *makes),
    leaves=leaves,
    trained=True,
  )


def _described(title: str, make: Make, *words: str) -> Case:
  return _case(
    f'data.json {title}', _ATTRIBUTE, ('run/data.json', *words), make
  )


CASES = (
  _described('empty', file('run/data.json')),
  _described('cut off', edited('run/data.json', lambda data: data[:-100])),
  _described('a list', file('run/data.json', '[]')),
  _described('a folder', directory('run/data.json')),
  _described('a FIFO', fifo('run/data.json')),
  _described(
    'of too many known classes',
    json_edited('run/data.json', lambda data: data.update(num_known=99)),
    'num_known=99',
  ),
  _described(
    'of huge images',
    json_edited('run/data.json', lambda data: data.update(image_size=10**9)),
    'image_size',
  ),
  _case(
    'no record',
    _ATTRIBUTE,
    ('no run: run has no config.json',),
    removed('run/config.json'),
  ),
  _case(
    'a record that is cut off',
    _ATTRIBUTE,
    ('run/config.json',),
    edited('run/config.json', lambda data: data[:-100]),
  ),
  _case(
    'a record without a method',
    'eval --workdir=run',
    ('run/config.json', 'method'),
    json_edited('run/config.json', lambda data: data.pop('method')),
  ),
  _case(
    'a record of a later version',
    'eval --workdir=run',
    ('run/config.json', 'invented'),
    json_edited('run/config.json', lambda data: data.update(invented=1)),
  ),
  _case(
    'the data is gone',
    'eval --workdir=run',
    ('/gone', '--config.data.path'),
    json_edited('run/config.json', lambda x: x['data'].update(path='/gone')),
  ),
  _case(
    'a setting of the training',
    'eval --workdir=run --config.model.width=2',
    ('--config.model.width',),
  ),
  _case(
    'a setting that there is not',
    'eval --workdir=run --config.eval.invented=2',
    ('--config.eval.invented=2',),
  ),
  _case(
    'a checkpoint that there is not',
    f'{_ATTRIBUTE} --config.eval.checkpoint=77',
    ('step 77',),
  ),
  _case(
    'no such image', 'attribute --workdir=run nowhere.png', ('nowhere.png',)
  ),
  _case(
    'no match', "attribute --workdir=run 'photos/*.jpg'", ('photos/*.jpg',)
  ),
  _case(
    'a text alone',
    'attribute --workdir=run run/config.json',
    ('run/config.json',),
  ),
  _case('faces of whole images', f'{_ATTRIBUTE} --faces', ('--faces',)),
  _case('a table of no kind', f'{_ATTRIBUTE} --out=a.txt', ('--out=a.txt',)),
  _case('a table without a name', f"{_ATTRIBUTE} --out=''", ('--out',)),
  _case(
    'a table in a bucket',
    f'{_ATTRIBUTE} --out=gs://bucket/a.csv',
    ('gs://bucket/a.csv',),
  ),
  _case(
    'a table that is there',
    f'{_ATTRIBUTE} --out=a.csv',
    ('--out=a.csv',),
    file('a.csv', 'mine'),
  ),
  _case(
    'a table below a file',
    f'{_ATTRIBUTE} --out=photos/a.png/a.csv',
    ('photos/a.png',),
  ),
  _case(
    'unfinished answers of something else',
    f'{_ATTRIBUTE} --out=a.csv',
    ('a.csv.unfinished',),
    file('a.csv.unfinished', '{"made_by": {}}\n'),
  ),
  _case(
    'unfinished answers that are damaged',
    f'{_ATTRIBUTE} --out=a.csv',
    ('a.csv.unfinished',),
    file('a.csv.unfinished', '[1]\n'),
  ),
)
