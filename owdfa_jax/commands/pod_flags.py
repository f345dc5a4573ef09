"""Checks the flags of a command that is one of several processes."""

import re

from input_pipeline.errors import UsageError
from input_pipeline.number_ranges import whole

PROCESSES = whole(1, 10**5)
TIMEOUT = whole(5, 86_400, 'a day')


def check_pod_flags(
  *,
  distributed: bool,
  coordinator: str | None,
  num_processes: int | None,
  process_id: int | None,
  timeout: int,
) -> None:
  """Raises `UserError` for flags of a pod that are wrong or contradictory.

  Args:
    distributed: whether the command is one of several processes.
    coordinator: host:port of process 0; None if not given.
    num_processes: number of processes; None if not given.
    process_id: number of this process; None if not given.
    timeout: seconds without a sign of life after which one counts as lost.
  """
  given = {
    'coordinator': coordinator,
    'num_processes': num_processes,
    'process_id': process_id,
  }
  for name, value in given.items():
    # Each process would train alone, in the same workdir.
    if value is not None and not distributed:
      raise UsageError(
        f'--{name}={value} without --distributed; add --distributed, or leave '
        f'--{name} out'
      )
  TIMEOUT.check('--pod_timeout', timeout)
  if num_processes is not None:
    PROCESSES.check('--num_processes', num_processes)
  if process_id is not None:
    last = (PROCESSES.greatest if num_processes is None else num_processes) - 1
    whole(0, int(last)).check('--process_id', process_id)
  if coordinator is not None and not _is_address(coordinator):
    raise UsageError(
      f'not an address: --coordinator={coordinator}; give HOST:PORT, the same '
      'for all processes, with a port from 1 to 65535'
    )


def _is_address(text: str) -> bool:
  """Returns whether a text is a host and a port."""
  found = re.fullmatch(
    r'(\[[0-9A-Fa-f:.%\w]+\]|[^\s:/\[\]]+):([0-9]{1,5})', text
  )
  return found is not None and 1 <= int(found[2]) <= 65535
