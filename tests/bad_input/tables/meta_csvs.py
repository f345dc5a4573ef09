"""Meta CSVs, what packing reads, and the options of packing."""

from bad_input.case import Case, Make, together
from bad_input.inputs import (
  directory,
  edited,
  fifo,
  file,
  link,
  rows,
  table,
)
from bad_input.tables.commands import PACK
from input_pipeline.meta import COLUMNS


def _csv(name: str, make: Make, *words: str) -> Case:
  return Case(
    f'meta CSV: {name}',
    PACK,
    words or ('meta.csv',),
    make,
  )


def _row(name: str, *words: str, **fields: object) -> Case:
  return _csv(name, rows(fields), 'meta.csv, line ', *words)


def _grouped(name: str, *changes: dict, where: str) -> Case:
  make = rows(*changes, columns=(*COLUMNS, 'group'))
  return _csv(f'group: {name}', make, 'meta.csv, line ', where)


def _option(options: str, *words: str, make: Make = table) -> Case:
  return Case(f'pack {options}'[:70], f'{PACK} {options}', words, make)


CASES = (
  Case('pack: no meta', 'pack --out out', ('--meta',)),
  Case('pack: no out', 'pack --meta meta.csv', ('--out',)),
  Case('pack: no words', 'pack', ('--meta',)),
  Case('pack: an unknown option', f'{PACK} --sise 3', ('--sise',), table),
  Case('pack: a stray word', f'{PACK} stray', ('stray',), table),
  _csv('none', lambda folder: None),
  _csv('a folder', directory('meta.csv')),
  _csv('a FIFO', fifo('meta.csv')),
  _csv('endless', link('meta.csv', '/dev/zero')),
  _csv('a link to nothing', link('meta.csv', 'nowhere')),
  _csv('a link to itself', link('meta.csv', 'meta.csv')),
  _csv('empty', file('meta.csv')),
  _csv('an image', file('meta.csv', b'\x89PNG\r\n\x1a\n' + bytes(99))),
  _csv('NUL bytes', file('meta.csv', bytes(1000))),
  _csv('not UTF-8', file('meta.csv', 'img_name,étiquette\n'.encode('latin-1'))),
  _csv('UTF-16', file('meta.csv', ','.join(COLUMNS).encode('utf-16'))),
  _csv('a header alone', file('meta.csv', ','.join(COLUMNS) + '\n')),
  _csv('another header', file('meta.csv', 'a,b,c\n1,2,3\n')),
  _csv('a header of 10 MB', file('meta.csv', 'a,' * 5_000_000), 'meta.csv'),
  _csv('semicolons', file('meta.csv', ';'.join(COLUMNS) + '\n')),
  _csv('a field of 1 MB', rows({'method': 'x' * 1_000_000})),
  _csv('group before split', rows(columns=(*COLUMNS, 'group', 'split'))),
  _grouped(
    'a group of two labels', {'group': 'v'}, {}, {}, {'group': 'v'}, where='v'
  ),
  _grouped('an escape sequence', {'group': 'a\x1b[31m'}, where='group='),
  _csv(
    'a group in both splits',
    rows(
      *(
        {'split': split, 'group': 'v' if label == 0 else ''}
        for label in range(3)
        for split in ('train', 'train', 'test')
      ),
      columns=(*COLUMNS, 'split', 'group'),
    ),
    'meta.csv',
    "group 'v'",
  ),
  _csv(
    'a quote that is not closed',
    together(rows(), edited('meta.csv', lambda x: x + b'"abc')),
  ),
  _csv(
    'a row with fewer fields',
    together(rows(), edited('meta.csv', lambda x: x + b'1,2\n')),
    'line 11',
  ),
  _csv(
    'a row with more fields',
    together(rows(), edited('meta.csv', lambda x: x + b',' * 40 + b'\n')),
    'line 11',
  ),
  _row('a label as text', 'label', label='zero'),
  _row('a label with a point', 'label', label='0.0'),
  _row('no label', 'label', label=''),
  _row('a label of -2', 'label', label=-2),
  _row('a label of 2^31', 'label', label=2**31),
  _row('a label of 10000 digits', 'label', label='9' * 10_000),
  _row('a label in other digits', 'label', label='٣'),
  _row('a label with an underscore', 'label', label='1_0'),
  _row('a tag of 3', 'tag', tag=3),
  _row('a tag of -1', 'tag', tag=-1),
  _row('labelled without a label', 'label', label=-1, tag=1, face_type=-1),
  _row('a face type of 2', 'face_type', face_type=2),
  _row('no path', 'img_path', img_path=''),
  _row('a path with a line break', 'img_path', img_path='a\nb.png'),
  _row('a path with an escape sequence', 'img_path', img_path='\x1b[31m.png'),
  _row('a path with a NUL', img_path='a\0b.png'),
  _row('no method', 'method', method=''),
  _row('a method with control characters', 'method', method='\x1b[31m'),
  _row('a method with a line break', 'method', method='a\rb'),
  _csv(
    'a class called as found ones are',
    rows(*[{'method': 'novel-7'}] * 3),
    'meta.csv',
    "label 0 is called 'novel-7'",
  ),
  _csv('a gap in the labels', rows(*[{}] * 6, *[{'label': 5}] * 3)),
  _csv('known classes after novel ones', rows(*[{'tag': 2}] * 3)),
  _csv('no labelled row', rows(*[{'tag': 2}] * 9)),
  _csv('all rows dropped', rows(*[{'tag': 0}] * 9)),
  _csv(
    'two methods of one label',
    rows({'method': 'other'}, {'method': 'another'}),
    'label',
  ),
  _csv('two forgery types of one label', rows({'forgery_type': 'Other'})),
  _csv('one path twice', rows({'img_path': '0/1.png'}), '0/1.png'),
  _csv(
    'a split of its own words',
    rows({'split': 'dev'}, columns=(*COLUMNS, 'split')),
    'split',
  ),
  _csv(
    'no training row',
    rows(*[{'split': 'test'}] * 9, columns=(*COLUMNS, 'split')),
  ),
  _csv('images that are not there', rows(), 'unreadable image: 0/'),
  _option('--size 0', 'size=0'),
  _option('--size -5', 'size'),
  _option('--size 7', 'size=7'),
  _option('--size 100000', 'size=100000'),
  _option('--size big', 'big'),
  _option('--size 1.5', '1.5'),
  _option('--format gif', 'gif'),
  _option('--quality 0', 'quality=0'),
  _option('--quality 101', 'quality=101'),
  _option('--ratio 0', 'ratio=0'),
  _option('--ratio 1', 'ratio=1'),
  _option('--ratio nan', 'ratio=nan'),
  _option('--ratio -inf', 'ratio'),
  _option('--seed -1', 'seed'),
  _option('--seed 4294967296', 'seed=4294967296'),
  _option('--shards 0', 'shards=0'),
  _option('--shards 100000', 'shards=100000'),
  _option('--on_error ignore', 'ignore'),
  _option('--crop face', 'face'),
  _option('--tiles -1', 'tiles=-1'),
  _option('--tiles 5000', 'tiles=5000'),
  _option('--tiles two', 'two'),
  _option('--tiles 2 --tile_grid 0', 'tile_grid=0'),
  _option('--tiles 2 --crop opencv', '--tiles=2', '--crop=opencv'),
  _option('--tiles 2 --format jpeg', '--tiles=2', '--format=jpeg'),
  _option('--tiles 2 --size 64', 'smaller than a tile', '--on_error skip'),
  _option('--margin nan --crop opencv', 'margin=nan'),
  _option('--margin 0.5 --crop opencv', 'margin=0.5'),
  _option('--margin 9 --crop opencv', 'margin=9'),
  _option('--align points.dat', '--crop=dlib'),
  _option('--workers 0', 'workers=0'),
  _option('--workers -1', 'workers'),
  _option('--runner Other', 'Other'),
  _option('--runner FlinkRunner', 'FlinkRunner'),
  _option('--out ""', '--out'),
  _option('--meta ""', '--meta'),
  _option('--out file', 'file', make=together(table, file('file'))),
  _option('--out 0', 'out', make=table),
  _option('--out file/packed', 'file', make=together(table, file('file'))),
  _option('--out gs:/bucket/packed', 'write gs://bucket/packed', make=table),
  _option('--out nosuch://bucket/packed', 'nosuch://bucket/packed'),
  _option('--out /proc/packed', '/proc'),
  _option(f'--out {"x" * 300}', 'xxx'),
  _option('--card nowhere.toml', 'nowhere.toml'),
  _option('--card card', 'card', make=together(table, directory('card'))),
  _option('--card card', 'card', make=together(table, fifo('card')))._replace(
    name='pack: the card is a FIFO'
  ),
  _option('--card /dev/zero', '/dev/zero'),
)
