"""What the table of a heap was made by: `heap_attributions.json` beside it.

The table says nothing of the checkpoint and the names that its answers come
from. When these change, it has to be made anew.
"""

import contextlib
import json
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from etils import epath

from input_pipeline import strict_json
from input_pipeline.errors import UserError
from input_pipeline.files import file_sha256, read_text, write_whole
from owdfa_jax.evaluation.names_checks import entries
from owdfa_jax.evaluation.names_file import clusters_of, read_names
from owdfa_jax.evaluation.report_files import HEAP_RECORD_FILE

_VERSION = 1
# What may have changed, by the fields that say so.
_WORDS = {
  'step': 'the checkpoint',
  'checkpoint': 'the checkpoint',
  'classified_by': 'what names the sources',
  'centres': 'the clusters',
  'names': 'the names',
  'parts': 'the parts of split clusters',
  'sources': 'the parts of split clusters',
}


class HeapRecord(NamedTuple):
  """What the answers for a heap were made by, see `made_by`.

  Attributes:
    table: those of the table that is complete; None without a record of it.
    begun: those of the table that is under way; None if none is.
  """

  table: dict[str, Any] | None = None
  begun: dict[str, Any] | None = None


def made_by(
  workdir: str | os.PathLike[str], step: int, classified_by: str
) -> dict[str, Any]:
  """Returns what the answers of a run for a heap depend on, for JSON.

  Args:
    workdir: the run's folder, or that of its last stage.
    step: the step of the checkpoint.
    classified_by: 'head' or 'centres'.

  Raises:
    UserError: a file is damaged or cannot be read.
  """
  found = read_names(workdir)
  named = {} if found is None else found.names
  parts = {} if found is None else found.parts
  # Parts are groups of the training images in the file of the sources.
  sources = epath.Path(workdir) / f'sources-{step}.npz'
  return {
    **clusters_of(workdir, step, classified_by)._asdict(),
    'names': {label: name for label, _, name in entries(named, {}) if name},
    'parts': {label: name for label, _, name in entries({}, parts)},
    'sources': file_sha256(sources) if parts and sources.exists() else '',
  }


def what_changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
  """Returns in words what has changed, such as 'the checkpoint, the names'.

  Args:
    before: what `made_by` returned.
    now: what it returns today. A checkpoint whose files are gone is known by
      its step alone.

  Returns:
    '' if nothing has.
  """
  changed = [
    words
    for field, words in _WORDS.items()
    if before.get(field) != now.get(field)
    and not (field == 'checkpoint' and '' in (before.get(field), now[field]))
  ]
  return ', '.join(dict.fromkeys(changed))


@contextlib.contextmanager
def errors_of_heap_file(path: pathlib.Path, what: str) -> Iterator[None]:
  """Says what is wrong with a file about a heap that the block reads.

  A file that does not exist is left to the caller.

  Args:
    path: of the file.
    what: it is, such as 'the table of the heap'.

  Raises:
    UserError: the file is damaged or cannot be read.
  """
  try:
    yield
  except FileNotFoundError:
    raise
  except OSError as error:
    raise UserError(
      f'cannot read {what}: {path} ({error.strerror}); check its permissions'
    ) from error
  except (KeyError, TypeError, ValueError) as error:
    raise UserError(
      f'damaged file: {path} ({error}); remove it, and give the command '
      '`owdfa discover` of the run again'
    ) from error


def read_heap_record(folder: pathlib.Path) -> HeapRecord:
  """Returns the record of a heap's table; an empty one without the file.

  Args:
    folder: of the run, or of all stages.

  Raises:
    UserError: the file is damaged or cannot be read.
  """
  path = folder / HEAP_RECORD_FILE
  try:
    with errors_of_heap_file(path, 'the record of the heap'):
      content = strict_json.loads(read_text(path))
      parts = [content['table'], content['begun']]
      if content['version'] != _VERSION or not all(
        part is None or isinstance(part, dict) for part in parts
      ):
        raise ValueError('a wrong field')
      return HeapRecord(*parts)
  except FileNotFoundError:
    return HeapRecord()


def write_heap_record(folder: pathlib.Path, record: HeapRecord) -> None:
  """Writes the record of a heap's table, complete or not at all.

  Args:
    folder: of the run, or of all stages.
    record: its content.

  Raises:
    UserError: the file cannot be written.
  """
  text = json.dumps({'version': _VERSION, **record._asdict()}, indent=2)
  with write_whole(
    folder / HEAP_RECORD_FILE, text=True, what='the record of the heap'
  ) as file:
    file.write(text + '\n')
