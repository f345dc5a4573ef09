"""Folders of images, and the options of `prepare folder`."""

from bad_input.case import Case, Make, together
from bad_input.inputs import (
  classes,
  directory,
  fifo,
  file,
  link,
  removed,
)
from bad_input.tables.commands import PREPARE


def _option(options: str, *words: str, make: Make = classes) -> Case:
  return Case(f'prepare {options}'[:70], f'{PREPARE} {options}', words, make)


def _known(value: str, *words: str) -> Case:
  return Case(
    f'prepare --known {value}',
    f"prepare folder --root faces --out out --known '{value}'",
    words,
    classes,
  )


def _folders(name: str, *words: str, make: Make) -> Case:
  return Case(f'class folders: {name}', PREPARE, words, together(classes, make))


def _grouped(rule: str, *words: str) -> Case:
  rule, option, value = rule.partition(' --')
  return _option(f"--split by_group --group_by '{rule}'{option}{value}", *words)


CASES = (
  Case('prepare: no words', 'prepare', ('command',)),
  Case('prepare: an unknown benchmark', 'prepare owdfa9', ('owdfa9',)),
  Case('prepare: no root', 'prepare folder --out out', ('--root',)),
  Case('prepare: no out', 'prepare folder --root faces', ('--out',), classes),
  Case(
    'prepare: no known classes',
    'prepare folder --root faces --out out',
    ('--known',),
    classes,
  ),
  Case('prepare: no such root', PREPARE, ('faces',)),
  Case('prepare: the root is a file', PREPARE, ('faces',), file('faces')),
  Case('prepare: the root is a FIFO', PREPARE, ('faces',), fifo('faces')),
  Case('prepare: the root is empty', PREPARE, ('faces',), directory('faces')),
  Case(
    'prepare: the root holds images alone',
    PREPARE,
    ('faces',),
    file('faces/a.png', b'x'),
  ),
  _option('--known A,phone camera', 'camera', 'quotes'),
  _option("--root ''", '--root'),
  _option("--out ''", '--out'),
  _known('A,B,C', '--known'),
  _known('A,D', "'D'"),
  _known('A,A', "'A'"),
  _known('a,B', "'a'"),
  _known(',', '--known'),
  _known('A\x1b[31m', 'A'),
  _known('../faces/A,B', '../faces/A'),
  _option('--exclude D', 'D', make=classes),
  _option('--exclude A', "'A'"),
  _option('--exclude C', '--known'),
  _option('--exclude C,C', "'C'"),
  _option('--labelled_fraction 0', 'labelled_fraction=0'),
  _option('--labelled_fraction 1.5', 'labelled_fraction=1.5'),
  _option('--labelled_fraction nan', 'labelled_fraction=nan'),
  _option('--labelled_fraction half', 'half'),
  _option('--labelled_fraction 0.01', 'labelled_fraction=0.01'),
  _option('--seed -1', 'seed'),
  _option('--seed 4294967296', 'seed=4294967296'),
  _option('--seed 1.5', '1.5'),
  _option('--test_root nowhere', 'nowhere'),
  _option('--test_root faces', '--test_root'),
  _option('--test_root faces/A', 'faces/A'),
  _option(
    '--test_root test', 'Z', make=together(classes, file('test/Z/a.png', b'x'))
  ),
  _option('--unlabelled nowhere', 'nowhere'),
  _option('--unlabelled faces/C', '--unlabelled'),
  _option(
    '--unlabelled heap', 'heap', make=together(classes, directory('heap'))
  ),
  _option(
    '--unlabelled heap', 'heap', make=together(classes, file('heap'))
  )._replace(name='prepare: the heap is a file'),
  _option('--split by_class', 'by_class'),
  _option('--split by_group', '--group_by'),
  _option('--group_by file_name', '--split=by_group'),
  _option('--test_share 0.3', '--split=by_group'),
  _grouped('by name', 'by name'),
  _grouped('prefix:_', 'prefix:_', '.png'),
  _grouped('pattern:(', 'pattern:('),
  _grouped('pattern:x', 'pattern:x', '.png'),
  _grouped('pattern:png', 'no split by group'),
  _grouped('file_name --test_share nan', 'test_share=nan'),
  _grouped('file_name --test_root test', '--test_root'),
  _option('--out file', 'file', make=together(classes, file('file'))),
  _option('--out file/x', 'file', make=together(classes, file('file'))),
  _option('--out /proc/x', '/proc/x'),
  _folders('an empty class', 'faces/D', make=directory('faces/D')),
  _folders(
    'a class without images', 'faces/D', make=file('faces/D/a.txt', 'x')
  ),
  _folders(
    'a class with a line break', 'D', make=file('faces/D\nE/a.png', 'x')
  ),
  _folders(
    'a class with an escape sequence',
    'D',
    make=file('faces/D\x1b[31m/a.png', 'x'),
  ),
  _folders(
    'a class that is not UTF-8', 'D', make=file('faces/D\udcff/a.png', 'x')
  ),
  _folders(
    'an image with a line break', 'faces/A', make=file('faces/A/a\nb.png', 'x')
  ),
  _folders(
    'an image whose name is not UTF-8',
    'faces/A',
    make=file('faces/A/a\udcff.png', 'x'),
  ),
  _folders(
    'a link to nothing', 'faces/A/x.png', make=link('faces/A/x.png', 'nowhere')
  ),
  _folders(
    'a link to itself', 'faces/A/x.png', make=link('faces/A/x.png', 'x.png')
  ),
  _folders('a FIFO as image', 'faces/A/x.png', make=fifo('faces/A/x.png')),
  _folders(
    'an endless image', 'faces/A/x.png', make=link('faces/A/x.png', '/dev/zero')
  ),
  _folders('an empty image', 'faces/A/x.png', make=file('faces/A/x.png')),
  _folders('a known class is gone', "'A'", make=removed('faces/A')),
  _folders(
    'meta.csv is a folder', 'out/meta.csv', make=directory('out/meta.csv')
  ),
  _folders('out is a FIFO', 'out', make=fifo('out')),
)
