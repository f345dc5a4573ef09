"""Files of named arrays with a digest, which shows damage.

A file is written complete or not at all.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath

from input_pipeline import files, npz
from input_pipeline.errors import UserError

_DIGEST = 'sha256'


def write_digested(
  path: epath.Path, content: Mapping[str, np.ndarray], what: str
) -> None:
  """Writes named arrays.

  Args:
    path: of the `.npz` file.
    content: the arrays.
    what: what they are, for errors: 'the centres'.

  Raises:
    UserError: the file cannot be written.
  """
  digest = np.array(digest_arrays(content))
  members: dict[str, Any] = {**content, _DIGEST: digest}
  with files.write_whole(path, what=what) as file:
    np.savez(file, **members)


def read_digested(
  path: epath.Path, names: Sequence[str], what: str
) -> dict[str, np.ndarray] | None:
  """Returns the arrays of a file; None if there is no file.

  Args:
    path: of the `.npz` file.
    names: of the arrays that it must have.
    what: what they are, for errors: 'centres'.

  Raises:
    UserError: the file is damaged or cannot be read.
  """
  advice = 'remove it, so that the evaluation makes it anew'
  try:
    content = npz.read_npz(path, (*names, _DIGEST))
  except FileNotFoundError:
    return None
  except OSError as error:
    raise UserError(
      f'cannot read the {what}: {path} ({error.strerror or error}); {advice}'
    ) from error
  except npz.Damaged as error:
    raise UserError(f'damaged {what}: {path} ({error}); {advice}') from error
  if str(content.pop(_DIGEST)) != digest_arrays(content):
    raise UserError(
      f'damaged {what}: {path} (changed since it was written); {advice}'
    )
  return content


def digest_arrays(content: Mapping[str, np.ndarray]) -> str:
  """Returns the SHA-256 of named arrays, hexadecimal.

  Args:
    content: the arrays.
  """
  sha256 = hashlib.sha256()
  for name in sorted(content):
    array = np.asarray(content[name])
    sha256.update(f'{name} {array.dtype} {array.shape}\n'.encode())
    sha256.update(array.tobytes())
  return sha256.hexdigest()
