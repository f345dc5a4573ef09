"""Files of equal content, found by hash."""

import concurrent.futures
import hashlib
from collections.abc import Sequence

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


def sha256(path: str) -> str:
  """The hexadecimal SHA-256 of a file; `UserError` if it cannot be read."""
  try:
    with open(path, 'rb') as file:
      return hashlib.file_digest(file, 'sha256').hexdigest()
  except OSError as error:
    raise UserError(f'cannot read {path}: {error.strerror}') from error
