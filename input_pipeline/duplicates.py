"""Files of equal content: found by hash, reported to the user."""

import concurrent.futures
import hashlib
from collections.abc import Mapping, Sequence

import tqdm

from input_pipeline.errors import UserError


def groups(paths: Sequence[str]) -> list[list[int]]:
  """Positions in `paths` of files with equal bytes, two or more together.

  Raises:
    UserError: a file cannot be read.
  """
  with concurrent.futures.ThreadPoolExecutor() as pool:
    hashes = pool.map(sha256, paths)
    bar = tqdm.tqdm(hashes, 'duplicates', len(paths), unit='file', disable=None)
    digests = list(bar)
  found: dict[str, list[int]] = {}
  for row, digest in enumerate(digests):
    found.setdefault(digest, []).append(row)
  return [rows for rows in found.values() if len(rows) > 1]


def report(kinds: Mapping[str, Sequence[Sequence[str]]]) -> list[str]:
  """Lines on groups of paths, by what they are; none where there is no group.

  Says of each kind how many groups it has, and shows the first ones.
  """
  lines = []
  for what, found in kinds.items():
    if found:
      lines.append(f'duplicates {what}: {len(found)}, such as')
      lines += ['  ' + ' = '.join(paths[:3]) for paths in found[:3]]
  return lines


def sha256(path: str) -> str:
  """The hexadecimal SHA-256 of a file; `UserError` if it cannot be read."""
  try:
    with open(path, 'rb') as file:
      return hashlib.file_digest(file, 'sha256').hexdigest()
  except OSError as error:
    raise UserError(f'cannot read {path}: {error.strerror}') from error
