"""Checks that a checkpoint fits on the disk before it is written."""

import errno
import os
from collections.abc import Iterable
from typing import Any

import jax
from etils import epath

from owdfa_jax.parallel import largest_of_processes

# The temporary file that allocates the space.
SPACE_FILE = '.space'
# The files of one process, and their folders.
_OWN_BYTES = 512 << 10


def check_fits(folder: epath.Path, items: Iterable[Any]) -> None:
  """Raises `OSError` on every process if a checkpoint does not fit on disk.

  Without this, Orbax would notice a full disk in the background: late, and with
  the checkpoint half written.

  Args:
    folder: a folder on that disk.
    items: the items of the checkpoint, see `space_needed`.
  """
  # The processes of a pod share one file system, so the first one allocates
  # all of the space. Each may have a limit or a quota of its own.
  needed = space_needed(items) if jax.process_index() == 0 else _OWN_BYTES
  # If one process stopped alone, the others would wait for it in Orbax.
  if error_number := largest_of_processes(_try_to_allocate(folder, needed)):
    raise OSError(error_number, os.strerror(error_number))


def _try_to_allocate(folder: epath.Path, size: int) -> int:
  """Allocates space for a moment; returns the system's error number, or 0.

  Args:
    folder: where the space is needed.
    size: in bytes.
  """
  probe = folder / SPACE_FILE
  if jax.process_index():
    probe = folder / f'{SPACE_FILE}-{jax.process_index()}'
  try:
    with open(probe, 'wb') as file:
      # Removed before it grows, so that a kill leaves nothing.
      probe.unlink()
      os.posix_fallocate(file.fileno(), 0, size)
  except OSError as error:
    return error.errno or errno.EIO
  return 0


def space_needed(items: Iterable[Any]) -> int:
  """Returns an upper bound of the bytes that a checkpoint takes on disk.

  Args:
    items: the pytrees of arrays that are saved, each with an index of its own.
  """
  total = _OWN_BYTES * (1 + jax.process_count())
  for item in items:
    leaves = jax.tree.leaves(item)
    arrays = sum(leaf.nbytes for leaf in leaves)
    # What cannot be compressed grows by less than a hundredth. Names, types and
    # shardings take less than 4 KiB for each array. The index of the arrays is
    # written anew whenever some are complete, at worst after each of them, and
    # has 60 bytes or so for each.
    total += arrays + arrays // 100
    total += 4096 * len(leaves) + 128 * len(leaves) ** 2
  return total
