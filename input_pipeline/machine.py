"""The memory of this machine."""

import os
import pathlib

# Files that hold the limit of a container, if there is one.
_CONTAINER_LIMITS = (
  '/sys/fs/cgroup/memory.max',
  '/sys/fs/cgroup/memory/memory.limit_in_bytes',
)


def memory_bytes() -> int:
  """Returns the bytes of memory that all processes here can use together."""
  memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
  for path in _CONTAINER_LIMITS:
    try:
      limit = pathlib.Path(path).read_text().strip()
    except OSError:
      continue
    if limit.isdigit():  # it may be 'max'
      memory = min(memory, int(limit))
  return memory
