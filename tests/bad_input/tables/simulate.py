"""Simulated data and its options, and timing of packing."""

from bad_input.case import Case, Make, together
from bad_input.inputs import directory, fifo, file, link, nothing, photos
from bad_input.tables.commands import SIMULATE

_TIMING = 'pack-timing --images photos'


def _case(options: str, *words: str, make: Make = nothing) -> Case:
  return Case(f'simulate {options}', f'{SIMULATE} {options}', words, make)


def _there(title: str, make: Make, *words: str) -> Case:
  return Case(f'simulate: {title}', SIMULATE, ('out', *words), make)


CASES = (
  Case('simulate: no out', 'simulate', ('--out',)),
  _case("--out ''", '--out'),
  _case('--images_per_class 3', '--images_per_class=3'),
  _case('--images_per_class=-1', '--images_per_class=-1'),
  _case('--images_per_class many', 'many'),
  _case('--images_per_class 1000000000000', '1000000000000'),
  _case('--size 31', '--size=31'),
  _case('--size 0', '--size=0'),
  _case('--size 1000000', '--size=1000000'),
  _case('--seed=-1', '--seed=-1'),
  _case('--seed 1.5', '1.5'),
  _case('--faces nowhere', '--faces=nowhere'),
  _case("--faces ''", '--faces'),
  _case('--faces file', '--faces=file', make=file('file')),
  _case('--faces empty', '--faces=empty', make=directory('empty')),
  _case('--faces text', '--faces=text', make=file('text/a.png', b'x')),
  _case('--faces pipe', '--faces=pipe', make=fifo('pipe/a.png')),
  _case('--faces zero', '--faces=zero', make=link('zero/a.png', '/dev/zero')),
  _case('--faces gone', '--faces=gone', make=link('gone/a.png', 'nowhere')),
  _case('--colour red', '--colour'),
  _there('out is a file', file('out')),
  _there('out is a FIFO', fifo('out')),
  _there('out is a link to itself', link('out', 'out')),
  _there('out holds something else', file('out/mine.txt', 'x')),
  _there('the summary is a folder', directory('out/simulation.json')),
  _there('the summary is a FIFO', fifo('out/simulation.json')),
  _there('the summary is endless', link('out/simulation.json', '/dev/zero')),
  _there('the summary is not JSON', file('out/simulation.json', '{')),
  _there('the summary is a list', file('out/simulation.json', '[1]')),
  _there('the summary is deep', file('out/simulation.json', '[' * 200_000)),
  _there(
    'the summary of another seed',
    file(
      'out/simulation.json',
      '{"version": 1, "images_per_class": 4, "size": 32, "seed": 9}',
    ),
  ),
  _there('below a file', file('out'))._replace(
    command=SIMULATE.replace('out', 'out/x', 1)
  ),
  Case('pack-timing: no images', 'pack-timing', ('--images',)),
  Case('pack-timing: none there', _TIMING, ('photos',)),
  Case('pack-timing: empty', _TIMING, ('photos',), directory('photos')),
  Case('pack-timing: a file', _TIMING, ('photos',), file('photos')),
  Case('pack-timing: text', _TIMING, ('a.png',), file('photos/a.png', b'x')),
  Case('pack-timing: limit 0', f'{_TIMING} --limit 0', ('--limit=0',), photos),
  Case(
    'pack-timing: size 0',
    f'{_TIMING} --size 0',
    ('--size=0',),
    together(photos),
  ),
  Case(
    'pack-timing: size 10^6', f'{_TIMING} --size 1000000', ('--size',), photos
  ),
)
