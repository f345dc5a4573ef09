"""The files of an export: their names, and the check of their checksums."""

import hashlib
import os
import pathlib
from typing import Any

from input_pipeline import strict_json
from input_pipeline.errors import UserError
from input_pipeline.files import read_regular

PROGRAM_FILE = 'network.jax_export'
DESCRIPTION_FILE = 'export.json'
CARD_FILE = 'MODEL_CARD.md'
FORMAT, FORMAT_VERSION = 'owdfa-jax export', 1
# The most bytes of a program: ten times the largest network here.
_PROGRAM_LIMIT = 2 << 30
_PROGRAM_VARIABLE = 'OWDFA_MAX_WEIGHTS_MB'
_REMEDY = 'copy the export again, or export the run anew'


def read_description(folder: str | os.PathLike[str]) -> dict[str, Any]:
  """Returns the content of `export.json`.

  Args:
    folder: of the export.

  Raises:
    UserError: it is missing or damaged, or of a later version.
  """
  path = pathlib.Path(folder) / DESCRIPTION_FILE
  try:
    content = strict_json.loads(read_regular(path))
    if content['format'] != FORMAT:
      raise ValueError(f'format is not {FORMAT!r}')
    version = int(content['format_version'])
  except OSError as error:
    raise UserError(
      f'no export: cannot read {path} ({error.strerror}); give the folder that '
      'owdfa export wrote'
    ) from error
  except (KeyError, TypeError, ValueError) as error:
    raise UserError(f'a damaged file: {path} ({error}); {_REMEDY}') from error
  if version > FORMAT_VERSION:
    raise UserError(
      f'of a later version: {path} has format_version {version}, this program '
      f'reads {FORMAT_VERSION}; use a later owdfa-jax'
    )
  return content


def read_program(
  folder: str | os.PathLike[str], description: dict[str, Any]
) -> bytes:
  """Returns the bytes of the program, as they were written.

  Args:
    folder: of the export.
    description: its `export.json`.

  Raises:
    UserError: the file is missing, or changed since it was written.
  """
  path = pathlib.Path(folder) / PROGRAM_FILE
  try:
    content = read_regular(path, _PROGRAM_LIMIT, _PROGRAM_VARIABLE)
    wanted = description['files'][PROGRAM_FILE]['sha256']
  except OSError as error:
    raise UserError(
      f'cannot read {path}: {error.strerror}; {_REMEDY}'
    ) from error
  except (KeyError, TypeError) as error:
    raise UserError(
      f'a damaged file: {path.parent / DESCRIPTION_FILE} (no checksum of '
      f'{PROGRAM_FILE}); {_REMEDY}'
    ) from error
  if hashlib.sha256(content).hexdigest() != wanted:
    raise UserError(
      f'a damaged file: {path} (changed since it was written); {_REMEDY}'
    )
  return content


def file_facts(content: bytes) -> dict[str, Any]:
  """Returns the size and the checksum of a file, for `export.json`.

  Args:
    content: its bytes.
  """
  return {
    'bytes': len(content),
    'sha256': hashlib.sha256(content).hexdigest(),
  }
