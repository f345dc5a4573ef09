"""File names of a packed directory, and the check of its description."""

import os
import re

from input_pipeline import strict_json
from input_pipeline.errors import BY_PACK, UserError
from input_pipeline.escape import quoted

NAME = 'owdfa'
FORMAT = 'owdfa-packed'
# Unchanged by the ids and the groups in the index: older readers ignore columns
# that they do not know. This reader falls back on the records of a pack without
# ids, and takes each row of a pack without groups for a group of its own.
FORMAT_VERSION = 1
DESCRIPTION = 'description.json'
SPLITS = ('train', 'test')
# The least and the largest width and height of the images, in pixels.
SIZES = 8, 4096
# Of a split: their names have five digits.
MOST_SHARDS = 99999

_SPLIT = '|'.join(SPLITS)
# What packing writes itself, and what tensorflow-datasets writes for it.
_FILE_NAME = re.compile(
  rf'{NAME}-({_SPLIT})\.tfrecord-\d{{5,}}-of-\d{{5,}}(\.(spec|result)\.json)?'
  rf'|({_SPLIT})\.index\.npz|{re.escape(DESCRIPTION)}'
  r'|features\.json|dataset_info\.json|label\.labels\.txt|README\.md|LICENSE'
)


def shard_name(split: str, shard: int, num_shards: int) -> str:
  """Returns the file name of a shard, as tensorflow-datasets expects it."""
  return f'{NAME}-{split}.tfrecord-{shard:05d}-of-{num_shards:05d}'


def index_name(split: str) -> str:
  """Returns the file name of a split's index."""
  return f'{split}.index.npz'


def is_packed_name(name: str) -> bool:
  """Returns whether packing writes files of this name."""
  return _FILE_NAME.fullmatch(name) is not None


def parse_description(content: bytes, directory: str | os.PathLike) -> dict:
  """Parses the description of a packed directory.

  Args:
    content: the content of the description file.
    directory: named in errors, a local path or a URL.

  Raises:
    UserError: the description is damaged, foreign or of another version.
  """
  name = f'{directory}/{DESCRIPTION}'
  try:
    description = strict_json.loads(content)
  except ValueError as error:
    raise damaged_file(name, str(error)) from error
  if not isinstance(description, dict) or description.get('format') != FORMAT:
    raise UserError(
      f'not a packed dataset: {name} lacks format={FORMAT!r}; make one with '
      f'{BY_PACK}'
    )
  version = description.get('format_version')
  if version != FORMAT_VERSION:
    raise UserError(
      f'unknown format: {name}, format_version={quoted(version)}, this code '
      f'reads {FORMAT_VERSION}; pack the data again'
    )
  return description


def damaged_file(path: str | os.PathLike, why: str) -> UserError:
  """Returns the error for a damaged file of a packed directory."""
  return UserError(f'damaged file: {path}: {why}; copy it again or pack again')
