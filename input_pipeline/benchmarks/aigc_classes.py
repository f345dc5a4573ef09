"""The classes that OW-DFA++ adds, read from a JSON table.

The paper does not say which classes they are, so that the table can be
replaced by the user.
"""

import pathlib

from input_pipeline import strict_json
from input_pipeline.benchmarks.benchmark_class import DF3, BenchmarkClass
from input_pipeline.benchmarks.owdfa_classes import OWDFA
from input_pipeline.errors import UserError
from input_pipeline.escape import quoted
from input_pipeline.files import read_text
from input_pipeline.forgery_types import FORGERY_LABELS, SYNTHESIS
from input_pipeline.name_rule import is_one_line

# The table that is used unless the user gives one: a guess, which it says.
GUESSED_TABLE = pathlib.Path(__file__).with_name('df3.json')
_REQUIRED = {'method': str, 'folder': str, 'labelled': int, 'unlabelled': int}
_NAMES = {str: 'a text', int: 'a whole number'}
_MOST_IMAGES = 10**7  # of a class
_OPTIONAL = {'forgery_type': str, 'source': str, 'code': str, 'guess': str}


def read_aigc_classes(
  path: pathlib.Path = GUESSED_TABLE,
) -> tuple[BenchmarkClass, ...]:
  """Reads a table of classes: {"classes": [{"method": ...}, ...]}.

  A class needs the fields `method`, `folder` (below its dataset), `labelled`
  and `unlabelled` (counts of images; `labelled` 0 makes the class novel). It
  may have `forgery_type`, `source` (its dataset; default DF^3), `code` and
  `guess`.

  Raises:
    UserError: names the file, the class and the field that is wrong.
  """
  try:
    content = strict_json.loads(read_text(path))
  except OSError as error:
    raise UserError(
      f'cannot read {path}: {error.strerror}; correct --table'
    ) from error
  except ValueError as error:
    raise UserError(
      f'bad table: {path}: not JSON ({error}); compare it with {GUESSED_TABLE}'
    ) from error
  entries = content.get('classes') if isinstance(content, dict) else None
  if not isinstance(entries, list) or not entries:
    raise UserError(
      f'bad table: {path}: no list of classes; write {{"classes": [...]}} with '
      f'one class or more, as in {GUESSED_TABLE}'
    )
  classes = [
    _read_class(path, number, e) for number, e in enumerate(entries, 1)
  ]
  names = [entry.name for entry in (*OWDFA, *classes)]
  for name in names:
    if names.count(name) > 1:
      raise UserError(
        f'bad table: {path}: class {name} (method and source) appears twice, '
        'in this table or in OW-DFA; rename or remove one'
      )
  return tuple(classes)


def _read_class(
  path: pathlib.Path, number: int, entry: object
) -> BenchmarkClass:
  where = f'bad table: {path}, class {number}'
  if not isinstance(entry, dict):
    raise UserError(
      f'{where}: {quoted(entry)} is not an object; write {{"method": ...}}'
    )
  _check_fields(where, entry)
  counts = entry['labelled'], entry['unlabelled']
  if min(counts) < 0 or max(counts) > _MOST_IMAGES or not any(counts):
    raise UserError(
      f'{where}, labelled={quoted(counts[0])}, unlabelled={quoted(counts[1])}: '
      f'out of range; give from 0 to {_MOST_IMAGES} images, and not both 0'
    )
  forgery_type = entry.get('forgery_type', SYNTHESIS)
  if forgery_type not in FORGERY_LABELS:
    raise UserError(
      f'{where}, forgery_type={quoted(forgery_type)}: unknown value; use one '
      f'of {", ".join(FORGERY_LABELS)}'
    )
  return BenchmarkClass(
    entry['method'],
    forgery_type,
    entry.get('source', DF3),
    counts,
    entry['folder'],
    entry.get('code', ''),
    entry.get('guess', ''),
  )


def _check_fields(where: str, entry: dict) -> None:
  fields = _REQUIRED | _OPTIONAL
  for name, value in entry.items():
    kind = fields.get(name)
    if kind is None:
      raise UserError(
        f'{where}: no field is called {quoted(name)}; use one of '
        f'{", ".join(fields)}'
      )
    # A bool is an int to Python, but not a count.
    if not isinstance(value, kind) or isinstance(value, bool):
      raise UserError(
        f'{where}, {name}={quoted(value)}: wrong type; give {_NAMES[kind]}'
      )
    if isinstance(value, str) and not is_one_line(value):
      raise UserError(
        f'{where}, {name}={quoted(value)}: has control characters; remove them'
      )
  folder = pathlib.PurePath(entry.get('folder', ''))
  if folder.is_absolute() or '..' in folder.parts:
    raise UserError(
      f'{where}, folder={quoted(entry["folder"])}: it lies outside of the '
      'dataset; give a folder below it'
    )
  for name in _REQUIRED:
    if entry.get(name) in (None, ''):
      raise UserError(
        f'{where}: {name} is missing; a class needs {", ".join(_REQUIRED)}'
      )
