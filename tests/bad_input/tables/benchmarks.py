"""Folders of the published datasets, and the options of preparing them."""

from bad_input.case import Case, Make, together
from bad_input.inputs import directory, fifo, file, link, nothing

_OWDFA = 'prepare owdfa --datasets datasets --out out'
_OWDFA40 = 'prepare owdfa40 --datasets datasets --out out'
_LIST = 'datasets/ForgeryNet/Training/image_list.txt'


def _given(title: str, command: str, *words: str, make: Make = nothing) -> Case:
  return Case(
    f'benchmark: {title}', command, words, together(directory('datasets'), make)
  )


def _listed(title: str, make: Make, *words: str) -> Case:
  return _given(
    f'ForgeryNet: {title}',
    f'{_OWDFA} --allow_missing',
    'image_list.txt',
    *words,
    make=make,
  )


CASES = (
  Case('benchmark: no datasets', _OWDFA, ('datasets',)),
  Case(
    'benchmark: datasets are a file', _OWDFA, ('datasets',), file('datasets')
  ),
  Case(
    'benchmark: no folder given', 'prepare owdfa --out out', ('--datasets',)
  ),
  Case('benchmark: no output', 'prepare owdfa --datasets .', ('--out',)),
  _given('empty', _OWDFA, '--datasets'),
  _given('OWDFA-40, empty', _OWDFA40, '--datasets'),
  _given(
    'something else', _OWDFA, '--datasets', make=file('datasets/a/b.png', b'x')
  ),
  _given('scale 0', f'{_OWDFA} --scale 0', '--scale=0'),
  _given('scale 2', f'{_OWDFA} --scale 2', '--scale=2'),
  _given('scale nan', f'{_OWDFA} --scale nan', '--scale=nan'),
  _given('scale -1', f'{_OWDFA} --scale=-1', '--scale=-1'),
  _given('scale as a text', f'{_OWDFA} --scale half', 'half'),
  _given('seed -1', f'{_OWDFA} --seed=-1', '--seed=-1'),
  _given('seed 2^32', f'{_OWDFA} --seed=4294967296', '--seed=4294967296'),
  _given('an unknown split', f'{_OWDFA} --split random', 'random'),
  _given('an unknown size', f'{_OWDFA} --size huge', 'huge'),
  _given('an unknown compression', f'{_OWDFA} --compression c0', 'c0'),
  _given('link and copy', f'{_OWDFA} --link --copy', '--copy'),
  _given('a table for OW-DFA', f'{_OWDFA} --table x', '--table'),
  _given(
    'out is a file', f'{_OWDFA40} --allow_missing', 'out', make=file('out')
  ),
  _listed('the list is a folder', directory(_LIST)),
  _listed('the list is a FIFO', fifo(_LIST)),
  _listed('the list is endless', link(_LIST, '/dev/zero')),
  _listed('the list is not UTF-8', file(_LIST, b'\xff\xfe\xfd\n')),
)
