"""Asks for the disk space of a checkpoint before it is written."""

import errno
import os
from collections.abc import Iterable
from typing import Any

import jax
from etils import epath

from owdfa_jax.parallel import from_first_process

# The file that takes the space for a moment.
SPACE_FILE = '.space'


def check_fits(folder: epath.Path, items: Iterable[Any]) -> None:
  """Raises `OSError` on every process if a checkpoint does not fit on disk.

  Without this, Orbax would notice a full disk in the background: late, and with
  the checkpoint half written.

  Args:
    folder: a folder on that disk.
    items: the items of the checkpoint, see `space_needed`.
  """
  error_number = 0
  # The processes of a pod share one file system.
  if jax.process_index() == 0:
    probe = folder / SPACE_FILE
    try:
      with open(probe, 'wb') as file:
        # Removed before it grows, so that a kill leaves nothing.
        probe.unlink()
        os.posix_fallocate(file.fileno(), 0, space_needed(items))
    except OSError as error:
      error_number = error.errno or errno.EIO
  # If process 0 stopped alone, the others would wait for it in Orbax.
  if error_number := from_first_process(error_number):
    raise OSError(error_number, os.strerror(error_number))


def space_needed(items: Iterable[Any]) -> int:
  """Returns an upper bound of the bytes that a checkpoint takes on disk.

  Args:
    items: the pytrees of arrays that are saved, each with an index of its own.
  """
  # The files of each process, and their folders.
  total = (512 << 10) * (1 + jax.process_count())
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
