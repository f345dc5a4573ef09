"""Runs without a network."""

from bad_input.case import Case, together
from bad_input.inputs import file, packed, photos
from bad_input.tables.commands import ATTRIBUTE, EVAL, TRAIN

_TRAIN, _EVAL, _ATTRIBUTE = (
  command.replace('cpl:', 'spectrum:') for command in (TRAIN, EVAL, ATTRIBUTE)
)

CASES = (
  Case(
    'spectrum: no component',
    f'{_TRAIN} --config.spectrum.components=0',
    ('spectrum.components=0',),
    packed,
  ),
  Case(
    'spectrum: the labelled images alone',
    f'{_TRAIN} --config.data.supervision=labelled',
    ('supervision=labelled',),
    packed,
  ),
  Case('spectrum: no data', _TRAIN, ('packed',)),
  Case(
    'spectrum: the workdir is a file',
    _EVAL,
    ('run',),
    together(packed, file('run')),
  ),
  Case(
    'spectrum: the workdir is the data',
    _TRAIN.replace('--workdir=run', '--workdir=packed'),
    ('--workdir', 'packed'),
    packed,
  ),
  Case(
    'spectrum: new images to attribute',
    _ATTRIBUTE,
    ('--mode=attribute', 'no network'),
    together(packed, photos),
  ),
  Case(
    'spectrum: a pod',
    f'{_TRAIN} --distributed --coordinator=localhost:1 --num_processes=1 '
    '--process_id=0',
    ('--distributed',),
    packed,
  ),
)
