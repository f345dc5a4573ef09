"""Checks the fields of a description that readers use, one by one.

A description may be damaged or forged. Its numbers are checked before a file is
opened or memory is allocated for them.
"""

import collections
import dataclasses
import re
from typing import Any

from input_pipeline.errors import UserError
from input_pipeline.escape import quoted, shortened
from input_pipeline.meta import ClassInfo
from input_pipeline.pack_options import Options
from input_pipeline.packed_format import MOST_SHARDS, SIZES, SPLITS

_SHA256 = re.compile('[0-9a-f]{64}')
# No packed directory comes near these.
_MOST_RECORDS = 10**10
_MOST_BYTES = 2**62
# What the types of fields are called in errors.
_KINDS = {
  int: 'a whole number',
  str: 'a text',
  bool: 'true or false',
  list: 'a list',
  dict: 'an object',
}


@dataclasses.dataclass(frozen=True)
class SplitSize:
  """The size of a split.

  Attributes:
    num_rows: the number of records.
    num_shards: the number of shards.
  """

  num_rows: int
  num_shards: int


@dataclasses.dataclass(frozen=True)
class Fields:
  """The checked fields of a description.

  Attributes:
    classes: the classes by label, known ones first.
    num_known: the number of known classes.
    novel_count_known: whether the class of every training image is known.
    image_size: S, images are S x S pixels.
    splits: the size of each split.
  """

  classes: tuple[ClassInfo, ...]
  num_known: int
  novel_count_known: bool
  image_size: int
  splits: dict[str, SplitSize]


def read_fields(description: dict) -> Fields:
  """Returns the fields of a description that readers use.

  Args:
    description: the parsed file.

  Raises:
    ValueError: a field is missing, of the wrong type, out of range, or
      contradicts another; the message names it.
  """
  entries = _get(description, '', 'classes', list)
  num_known = _integer(description, '', 'num_known', 1, len(entries))
  classes = tuple(
    _class_info(entry, label, num_known) for label, entry in enumerate(entries)
  )
  names = collections.Counter(entry.name for entry in classes)
  for name, count in names.items():
    if count > 1:
      raise ValueError(f'two classes are called {quoted(name)}')
  splits = _get(description, '', 'splits', dict)
  made = _get(description, '', 'made', dict)
  _check_making(made)
  if 'shards' in description:
    _check_shards(_get(description, '', 'shards', dict))
  return Fields(
    classes=classes,
    num_known=num_known,
    novel_count_known=_get(description, '', 'novel_count_known', bool),
    image_size=_integer(description, '', 'image_size', *SIZES),
    splits={split: _split_size(splits, split) for split in SPLITS},
  )


def _class_info(entry: Any, label: int, num_known: int) -> ClassInfo:
  where = f'classes[{label}]'
  if not isinstance(entry, dict):
    raise ValueError(f'{where} is not an object')
  # Entries hold further fields, such as their counts.
  fields = {
    field.name: _get(entry, where, field.name, field.type)
    for field in dataclasses.fields(ClassInfo)
  }
  info = ClassInfo(**fields)
  if info.label != label or info.known != (label < num_known):
    raise ValueError('its classes are not in the order of the labels')
  _integer(entry, where, 'face_type', 0, 1)
  return info


def _split_size(splits: dict, split: str) -> SplitSize:
  where = f'splits.{split}'
  size = _get(splits, 'splits', split, dict)
  if 'sha256' in size:  # earlier versions wrote none
    _sha256(size, where, 'sha256')
  return SplitSize(
    num_rows=_integer(size, where, 'records', 1, _MOST_RECORDS),
    num_shards=_integer(size, where, 'shards', 1, MOST_SHARDS),
  )


def _check_shards(shards: dict) -> None:
  for name, entry in shards.items():
    where = f'shards[{quoted(name)}]'
    if not isinstance(entry, dict):
      raise ValueError(f'{where} is not an object')
    _integer(entry, where, 'records', 0, _MOST_RECORDS)
    _integer(entry, where, 'bytes', 0, _MOST_BYTES)
    _sha256(entry, where, 'sha256')


def _check_making(made: dict) -> None:
  _sha256(made, 'made', 'meta_sha256')
  # The first packs lack the arguments, and later ones the newer options.
  arguments = made.get('arguments', {})
  if not isinstance(arguments, dict):
    raise ValueError('made.arguments is not an object')
  kinds = {field.name: field.type for field in dataclasses.fields(Options)}
  known = {k: v for k, v in arguments.items() if k in kinds}
  for name, value in known.items():
    kind: Any = int | float if kinds[name] is float else kinds[name]
    if not isinstance(value, kind) or isinstance(value, bool):
      raise ValueError(
        f'made.arguments.{name}={quoted(value)} is of the wrong type'
      )
  try:
    Options(**known)
  except UserError as error:
    raise ValueError(f'made.arguments: {shortened(str(error))}') from error


def _sha256(fields: dict, where: str, name: str) -> None:
  value = _get(fields, where, name, str)
  if not _SHA256.fullmatch(value):
    raise ValueError(f'{_path(where, name)}={quoted(value)} is not a SHA-256')


def _integer(fields: dict, where: str, name: str, low: int, high: int) -> int:
  value = _get(fields, where, name, int)
  if not low <= value <= high:
    raise ValueError(
      f'{_path(where, name)}={quoted(value)} is not from {low} to {high}'
    )
  return value


def _get(fields: dict, where: str, name: str, kind: Any) -> Any:
  """Returns a field of exactly this type; a bool is not taken for an int."""
  if name not in fields:
    raise ValueError(f'it lacks {_path(where, name)}')
  value = fields[name]
  if type(value) is not kind:
    raise ValueError(
      f'{_path(where, name)}={quoted(value)} is not {_KINDS[kind]}'
    )
  return value


def _path(where: str, name: str) -> str:
  return f'{where}.{name}' if where else name
