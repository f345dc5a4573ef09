"""Checkpoints of which something is missing, cut, flipped or not a file."""

import json
import shutil

from bad_input.case import Case, Make, together
from bad_input.inputs import (
  directory,
  edited,
  fifo,
  file,
  json_edited,
  link,
  photos,
  removed,
  trained,
)
from bad_input.tables.commands import ATTRIBUTE, EVAL, TRAIN

_STEP = 'run/checkpoints/6'
_RESUME = f'{TRAIN} --config.epochs=2'


def _flip(data: bytes) -> bytes:
  changed = bytearray(data)
  changed[len(changed) // 2] ^= 1
  return bytes(changed)


def _largest(part: str, edit) -> Make:
  """Changes the largest file of a part of the checkpoint."""

  def make(folder):
    files = [x for x in (folder / _STEP / part).rglob('*') if x.is_file()]
    path = max(files, key=lambda file: file.stat().st_size)
    edit(path)

  return make


def _copied_in_part(folder) -> None:
  """Copies the checkpoint to a later step, without half of its files."""
  later = folder / 'run' / 'checkpoints' / '12'
  shutil.copytree(folder / _STEP, later)
  for number, path in enumerate(sorted(later.rglob('*'))):
    if path.is_file() and number % 2:
      path.unlink()


def _manifest(edit) -> Make:
  return json_edited(f'{_STEP}/manifest.json', edit)


def _evaluated(name: str, make: Make) -> Case:
  return Case(
    f'checkpoint, eval: {name}',
    EVAL,
    ('run/checkpoints/6', 'no other checkpoint is sound'),
    together(trained, make),
    trained=True,
  )


def _resumed(name: str, make: Make, *words: str) -> Case:
  return Case(
    f'checkpoint, resume: {name}',
    _RESUME,
    words or ('run/checkpoints/6', 'no other checkpoint is sound'),
    together(trained, make),
    leaves=('run/.lock',),
    trained=True,
  )


_EMPTY_STEP = directory('run/checkpoints/12')
_DAMAGED = (
  ('an empty step', together(removed(_STEP), directory(_STEP))),
  ('a step that is a file', together(removed(_STEP), file(_STEP))),
  ('no model', removed(f'{_STEP}/model')),
  ('no metadata', removed(f'{_STEP}/_CHECKPOINT_METADATA')),
  ('metadata is empty', file(f'{_STEP}/_CHECKPOINT_METADATA')),
  ('no metadata of the model', removed(f'{_STEP}/model/_METADATA')),
  (
    'the metadata of the model is cut',
    edited(f'{_STEP}/model/_METADATA', lambda x: x[:99]),
  ),
  ('no manifest of the model', removed(f'{_STEP}/model/manifest.ocdbt')),
  (
    'the largest file of the model is flipped',
    _largest('model', lambda p: p.write_bytes(_flip(p.read_bytes()))),
  ),
  (
    'the largest file of the model is cut',
    _largest('model', lambda p: p.write_bytes(p.read_bytes()[:-9])),
  ),
  (
    'the largest file of the model is empty',
    _largest('model', lambda p: p.write_bytes(b'')),
  ),
  (
    'the largest file of the model is gone',
    _largest('model', lambda p: p.unlink()),
  ),
  ('metrics are flipped', edited(f'{_STEP}/metrics/metrics', _flip)),
  ('checksums are empty', file(f'{_STEP}/manifest.json')),
  ('checksums are not JSON', file(f'{_STEP}/manifest.json', '{')),
  ('checksums are a list', file(f'{_STEP}/manifest.json', '[1]')),
  ('checksums are deep', file(f'{_STEP}/manifest.json', '[' * 200_000)),
  ('checksums are a folder', directory(f'{_STEP}/manifest.json')),
  ('checksums are a FIFO', fifo(f'{_STEP}/manifest.json')),
  ('checksums are endless', link(f'{_STEP}/manifest.json', '/dev/zero')),
  (
    'checksums name a file outside',
    _manifest(lambda c: _rename_first(c, '../../../packed/description.json')),
  ),
  ('checksums of nothing', file(f'{_STEP}/manifest.json', json.dumps({}))),
)


def _rename_first(content: dict, name: str) -> None:
  files = content.get('files', content)
  files[name] = files.pop(next(iter(files)))


_FLIPPED = edited(f'{_STEP}/metrics/metrics', _flip)
_LATER = ('run/checkpoints/12', 'sound steps: 6', 'on_damage=fall_back')

CASES = (
  *(_evaluated(*damaged) for damaged in _DAMAGED),
  *(_resumed(*damaged) for damaged in _DAMAGED[::3]),
  _resumed('a later step that is empty', _EMPTY_STEP, *_LATER),
  _resumed('a later step that is a file', file('run/checkpoints/12'), *_LATER),
  _resumed('a later step, copied in part', _copied_in_part, *_LATER),
  _resumed(
    'the state of the optimiser is flipped',
    _largest('train', lambda p: p.write_bytes(_flip(p.read_bytes()))),
  ),
  Case(
    'checkpoint, eval: a later step that is empty is left out',
    EVAL,
    ('checkpoint: step 6',),
    together(trained, _EMPTY_STEP),
    is_error=False,
    leaves=('run/report.json', 'run/attributions.csv'),
    trained=True,
  ),
  Case(
    'checkpoint, eval: the centres are no such file',
    f'{EVAL} --config.eval.classify_by=centres',
    ('damaged centres', 'run/centres-6.npz', 'remove it'),
    together(trained, file('run/centres-6.npz', 'centres')),
    trained=True,
  ),
  Case(
    'checkpoint, attribute: metrics are flipped',
    ATTRIBUTE,
    ('run/checkpoints/6',),
    together(trained, photos, _FLIPPED),
    trained=True,
  ),
  Case(
    'checkpoint, init: metrics are flipped',
    f'{TRAIN} --config.model.init=run --workdir=other',
    ('run/checkpoints/6',),
    together(trained, _FLIPPED),
    leaves=('other', 'other/*'),
    trained=True,
  ),
)
