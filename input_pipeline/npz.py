"""Reads `.npz` files that may be damaged or come from others.

NumPy's own reader allocates whatever a header claims, unpacks compressed
members of any size, and reports damage in many ways. Here a member is at most
as large as the file: `np.savez` does not compress.
"""

import io
import math
import os
import zipfile
from collections.abc import Iterable
from typing import BinaryIO

import numpy as np

from input_pipeline import files
from input_pipeline.escape import shortened


class Damaged(ValueError):
  """The content is not what `np.savez` writes; the message says why."""


def read_npz(
  path: str | os.PathLike,
  required: Iterable[str],
  optional: Iterable[str] = (),
  further: Iterable[str] = (),
) -> dict[str, np.ndarray]:
  """Reads arrays of an uncompressed `.npz` file, without pickle.

  Args:
    path: the file.
    required: the names of arrays that must be there.
    optional: further names; if one of them is there, all must be.
    further: further names; each of them may be there or not.

  Raises:
    OSError: the file cannot be read, is not a regular file or is too large.
    Damaged: an array is missing or damaged.
    UserError: `$OWDFA_MAX_FILE_MB` holds no number.
  """
  raw = io.BytesIO(files.read_regular(path, files.LIST_LIMIT))
  try:
    return _read_arrays(raw, [*required], [*optional], [*further])
  # A damaged file makes zipfile and NumPy raise almost anything, such as
  # NotImplementedError for an unknown compression, SyntaxError for a header or
  # RecursionError for a deep one.
  except Exception as error:
    why = str(error).splitlines() or [type(error).__name__]
    raise Damaged(shortened(why[0], 200)) from error


def _read_arrays(
  raw: BinaryIO, required: list[str], optional: list[str], further: list[str]
) -> dict[str, np.ndarray]:
  with zipfile.ZipFile(raw) as archive:
    _check_number_of_members(raw, archive)
    present = set(archive.namelist())
    names = required
    if not present.isdisjoint(f'{name}.npy' for name in optional):
      names = required + optional
    names = names + [name for name in further if f'{name}.npy' in present]
    return {name: _read_array(archive, name) for name in names}


def _check_number_of_members(raw: BinaryIO, archive: zipfile.ZipFile) -> None:
  """Raises `BadZipFile` if the archive lists fewer members than it has.

  A damaged length in the list hides the members behind it, and an index whose
  ids are hidden would be taken for an older one, without ids.
  """
  # A zip file ends with the number of members (2 bytes), the size and the place
  # of their list (4 bytes each) and the length of a comment (2 bytes).
  raw.seek(-12, os.SEEK_END)
  number = int.from_bytes(raw.read(2), 'little')
  if number != len(archive.infolist()):
    raise zipfile.BadZipFile('its list of arrays is damaged')


def _read_array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
  info = archive.getinfo(f'{name}.npy')
  if info.compress_type != zipfile.ZIP_STORED:
    raise Damaged(f'array {name!r} is compressed')
  with archive.open(info) as member:
    version = np.lib.format.read_magic(member)
    if version == (1, 0):
      header = np.lib.format.read_array_header_1_0(member)
    else:
      header = np.lib.format.read_array_header_2_0(member)
    shape, columns_first, dtype = header
    if dtype.hasobject:
      raise Damaged(f'array {name!r} holds Python objects')
    # The checksum is compared at the end of the member, so all of it is read.
    content = member.read()
  if len(content) != math.prod(shape) * dtype.itemsize:
    raise Damaged(f'array {name!r} does not have the size that it claims')
  order = 'F' if columns_first else 'C'
  return np.frombuffer(content, dtype).reshape(shape, order=order).copy()
