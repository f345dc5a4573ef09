"""The classes that OW-DFA++ adds, from a JSON table that a user can correct."""

import json
import pathlib

from input_pipeline.benchmarks.tables import DF3, OWDFA, ForgeryClass
from input_pipeline.errors import UserError
from input_pipeline.forgery_types import FORGERY_LABELS, SYNTHESIS

GUESS = pathlib.Path(__file__).with_name('df3.json')
_REQUIRED = {'method': str, 'folder': str, 'labelled': int, 'unlabelled': int}
_OPTIONAL = {'forgery_type': str, 'source': str, 'code': str, 'guess': str}


def read(path: pathlib.Path) -> tuple[ForgeryClass, ...]:
  """Reads a table of classes: {"classes": [{"method": ...}, ...]}.

  Of a class the method, the folder below the source's and the counts of
  labelled (0: a novel class) and unlabelled images are required; forgery_type,
  source (default DF^3), code and guess are not.

  Raises:
    UserError: naming the file, the class and the field that is wrong.
  """
  try:
    content = json.loads(path.read_text(encoding='utf-8'))
  except OSError as error:
    raise UserError(f'cannot read {path}: {error.strerror}') from error
  except ValueError as error:
    raise UserError(f'bad table: {path}: not JSON ({error})') from error
  entries = content.get('classes') if isinstance(content, dict) else None
  if not isinstance(entries, list) or not entries:
    raise UserError(
      f'bad table: {path}: it must be {{"classes": [...]}} with one class or '
      f'more; {GUESS} is an example'
    )
  classes = [_entry(path, number, e) for number, e in enumerate(entries, 1)]
  names = [entry.name for entry in (*OWDFA, *classes)]
  for name in names:
    if names.count(name) > 1:
      raise UserError(
        f'bad table: {path}: class {name} (method and source) appears twice, '
        'here or in OW-DFA'
      )
  return tuple(classes)


def _entry(path: pathlib.Path, number: int, entry: object) -> ForgeryClass:
  where = f'bad table: {path}, class {number}'
  if not isinstance(entry, dict):
    raise UserError(f'{where}: not an object of fields')
  fields = _REQUIRED | _OPTIONAL
  for name, value in entry.items():
    kind = fields.get(name)
    if kind is None:
      raise UserError(f'{where}: no field {name!r}; there are {_list(fields)}')
    if not isinstance(value, kind) or isinstance(value, bool):
      raise UserError(f'{where}, {name}={value!r}: must be {kind.__name__}')
    if isinstance(value, str) and not value.isprintable():
      raise UserError(f'{where}, {name}={value!r}: has control characters')
  for name in _REQUIRED:
    if entry.get(name) in (None, ''):
      raise UserError(f'{where}: {name} is missing; needed: {_list(_REQUIRED)}')
  labelled, unlabelled = entry['labelled'], entry['unlabelled']
  if min(labelled, unlabelled) < 0 or labelled + unlabelled == 0:
    raise UserError(
      f'{where}, labelled={labelled}, unlabelled={unlabelled}: must be 0 or '
      'more, and not both 0'
    )
  forgery_type = entry.get('forgery_type', SYNTHESIS)
  if forgery_type not in FORGERY_LABELS:
    raise UserError(
      f'{where}, forgery_type={forgery_type!r}: use one of '
      f'{_list(FORGERY_LABELS)}'
    )
  return ForgeryClass(
    entry['method'],
    forgery_type,
    entry.get('source', DF3),
    (labelled, unlabelled),
    entry['folder'],
    entry.get('code', ''),
    entry.get('guess', ''),
  )


def _list(names: dict) -> str:
  return ', '.join(names)
