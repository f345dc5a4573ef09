"""Runs and folders that `owdfa export` gets."""

from bad_input.case import Case
from bad_input.inputs import directory, file, trained

_EXPORT = 'export run --out out'

CASES = (
  Case('export: no run', _EXPORT, ('no run', 'run')),
  Case('export: no out', 'export run', ('--out',)),
  Case(
    'export: the folder is there',
    _EXPORT,
    ('the folder exists', '--out='),
    directory('out'),
  ),
  Case('export: a file is there', _EXPORT, ('--out=', 'out'), file('out')),
  Case(
    'export: an unknown platform',
    f'{_EXPORT} --platforms gpu',
    ('--platforms=gpu',),
  ),
  Case(
    'export: a checkpoint that is no step',
    f'{_EXPORT} --checkpoint=-3',
    ('--checkpoint', '-3'),
  ),
  Case(
    'export: a checkpoint that is not there',
    f'{_EXPORT} --checkpoint 99',
    ('99',),
    trained,
    trained=True,
  ),
)
