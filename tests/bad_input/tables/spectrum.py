"""Runs without a network."""

import pathlib

from bad_input.case import Case, together
from bad_input.inputs import file, json_edited, packed, photos
from bad_input.tables.commands import ATTRIBUTE, EVAL, TRAIN

_TRAIN, _EVAL, _ATTRIBUTE = (
  command.replace('cpl:', 'spectrum:') for command in (TRAIN, EVAL, ATTRIBUTE)
)


def _others_of_32_pixels(folder: pathlib.Path) -> None:
  """Makes `others` of `packed`."""
  (folder / 'packed').rename(folder / 'others')
  edit = json_edited(
    'others/description.json', lambda d: d.update(image_size=32)
  )
  edit(folder)


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
    ('no network: attribute of a spectrum',),
    together(packed, photos),
  ),
  Case(
    'spectrum: unseen images in a folder',
    f'{_TRAIN} --config.eval.unseen_path=photos',
    ('--config.eval.unseen_path=photos', 'not a packed directory'),
    together(packed, photos),
  ),
  Case(
    'spectrum: unseen images of another size',
    f'{_TRAIN} --config.eval.unseen_path=others',
    ('--config.eval.unseen_path=others', 'has 32 pixels', 'packed has 64'),
    together(packed, _others_of_32_pixels, packed),
  ),
  Case(
    'spectrum: a pod',
    f'{_TRAIN} --distributed --coordinator=localhost:1 --num_processes=1 '
    '--process_id=0',
    ('--distributed',),
    packed,
  ),
)
