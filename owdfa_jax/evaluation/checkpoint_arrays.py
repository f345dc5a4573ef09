"""Files of named arrays that belong to a checkpoint, KIND-STEP.npz in its run.

A file is written complete or not at all. A digest of the arrays shows damage.
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from etils import epath

from input_pipeline import files, npz
from input_pipeline.errors import UserError

_DIGEST = 'sha256'


@dataclasses.dataclass(frozen=True)
class CheckpointArrays:
  """A kind of file.

  Attributes:
    kind: what the arrays are, such as 'centres': the beginning of the file's
      name, and a word for errors.
    names: of the arrays that each file has.
    later: of further arrays, which files of earlier versions lack.
  """

  kind: str
  names: tuple[str, ...]
  later: tuple[str, ...] = ()

  def path(self, workdir: epath.Path, step: int) -> epath.Path:
    """Returns the path of the file for a checkpoint of a run.

    Args:
      workdir: the run's folder.
      step: the step of the checkpoint.
    """
    return workdir / f'{self.kind}-{step}.npz'

  def write(
    self, workdir: epath.Path, step: int, content: Mapping[str, np.ndarray]
  ) -> None:
    """Writes the arrays of a checkpoint.

    Args:
      workdir: the run's folder.
      step: the step of the checkpoint.
      content: the arrays by their names.

    Raises:
      UserError: the file cannot be written.
    """
    members: dict[str, Any] = dict(content)
    members[_DIGEST] = np.array(digest_arrays(content))
    path = self.path(workdir, step)
    with files.write_whole(path, what=f'the {self.kind}') as file:
      np.savez(file, **members)

  def read(
    self, workdir: epath.Path, step: int
  ) -> dict[str, np.ndarray] | None:
    """Returns the arrays of a checkpoint; None if there is no file of them.

    Args:
      workdir: the run's folder.
      step: the step of the checkpoint.

    Raises:
      UserError: the file is damaged or cannot be read.
    """
    path = self.path(workdir, step)
    advice = 'remove it, so that the evaluation makes it anew'
    try:
      content = npz.read_npz(path, (*self.names, _DIGEST), (), self.later)
    except FileNotFoundError:
      return None
    except OSError as error:
      raise UserError(
        f'cannot read the {self.kind}: {path} ({error.strerror or error}); '
        f'{advice}'
      ) from error
    except npz.Damaged as error:
      raise UserError(
        f'damaged {self.kind}: {path} ({error}); {advice}'
      ) from error
    if str(content.pop(_DIGEST)) != digest_arrays(content):
      raise UserError(
        f'damaged {self.kind}: {path} (changed since it was written); {advice}'
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
