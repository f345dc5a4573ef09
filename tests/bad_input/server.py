"""Runs the cases in forked processes, which start in milliseconds.

`python -m bad_input.server BASE` imports the program once. It then reads the
name of a case and a folder from each line of stdin, runs the case there in a
child process, and writes how it ended as a line of JSON to stdout.
"""

import fcntl
import gc
import json
import os
import pathlib
import resource
import select
import shlex
import signal
import sys
import traceback
from collections.abc import Callable

import bad_input.preload  # noqa: F401
from bad_input.case import Case, Ended
from bad_input.inputs import set_base
from bad_input.tables.all import CASES
from bad_input.tables.commands import TRAIN
from helpers import imagesets
from owdfa_jax.commands import owdfa

SECONDS = 120  # a guard against hangs; a case takes far less than a second
_MEGABYTE = 2**20
# Virtual memory beyond what the server has: keeps the machine alive.
_MOST_MEMORY = 6 * 2**30
_MAKE_FAILED = 99


def main() -> None:
  """Serves until stdin ends."""
  answers = os.fdopen(os.dup(1), 'w')
  os.dup2(2, 1)
  base = pathlib.Path(sys.argv[1])
  set_base(base)
  base.mkdir(parents=True, exist_ok=True)
  make_once(base, 'packed', make_data)
  cases = {case.name: case for case in CASES}
  # Otherwise each child would copy the memory that its collector walks over.
  gc.freeze()
  for line in sys.stdin:
    name, where = json.loads(line)
    if cases[name].trained:
      make_once(base, 'run', make_run)
    ended = run_case(cases[name], pathlib.Path(where))
    print(json.dumps(ended), file=answers, flush=True)


def make_once(
  base: pathlib.Path, name: str, make: Callable[[pathlib.Path], None]
) -> None:
  """Makes a sound input in a child process, so that this one stays idle.

  Servers of several test processes may share the folder.
  """
  with open(base / f'{name}.lock', 'a') as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    done = base / f'{name}.done'
    if not done.exists():
      _in_child(lambda: make(base))
      done.touch()


def make_data(base: pathlib.Path) -> None:
  """Makes `images`, with a meta CSV, and `packed`."""
  imagesets.write_set(base / 'images', known=2, novel=2, per_class=30, size=32)
  _owdfa(
    f'pack --meta {base}/images/meta.csv --out {base}/packed --size 64 '
    '--workers 1'
  )


def make_run(base: pathlib.Path) -> None:
  """Makes `run`, which is trained for one epoch on `packed`."""
  os.chdir(base)
  _owdfa(TRAIN)


def _owdfa(command: str) -> None:
  sys.argv = ['owdfa', *shlex.split(command)]
  try:
    owdfa.main()
  except SystemExit as stop:
    if _status_of(stop):
      raise


def _in_child(function: Callable[[], None]) -> None:
  """Runs a function in a child process."""
  pid = os.fork()
  if pid == 0:
    status = 1
    try:
      function()
      status = 0
    except BaseException:
      traceback.print_exc()
    finally:
      os._exit(status)
  _, status = os.waitpid(pid, 0)
  if status:
    raise RuntimeError('the sound inputs could not be made')


def run_case(case: Case, where: pathlib.Path) -> Ended:
  """Runs a case in a child process.

  Args:
    case: the case.
    where: an empty folder for what the command prints; it runs in a folder
      inside.
  """
  place = where / 'here'
  place.mkdir()
  pid = os.fork()
  if pid == 0:
    _run_in_child(case, where, place)
  timed_out, status, memory = _wait(pid)
  code = os.waitstatus_to_exitcode(status)
  err = _read(where / 'err')
  if code == _MAKE_FAILED:
    raise RuntimeError(f'the input of {case.name!r} was not made: {err}')
  before = json.loads((where / 'before').read_text())
  files, after = before['files'], _snapshot(place)
  changed = [
    path
    for path in sorted(files.keys() | after.keys())
    if files.get(path) != after.get(path)
  ]
  return Ended(
    code,
    timed_out,
    _read(where / 'out'),
    err,
    changed,
    memory - before['memory'],
  )


def _run_in_child(case: Case, where: pathlib.Path, place: pathlib.Path) -> None:
  """Makes the input, runs the command, and ends the process."""
  status = _MAKE_FAILED
  try:
    # A group of its own, so that its children can be ended with it.
    os.setpgid(0, 0)
    os.chdir(place)
    for number, name in (0, os.devnull), (1, where / 'out'), (2, where / 'err'):
      flags = os.O_RDWR | (os.O_CREAT if number else 0)
      os.dup2(os.open(name, flags), number)
    case.make(place)
    before = {'files': _snapshot(place), 'memory': _memory_now()}
    (where / 'before').write_text(json.dumps(before))
    # Forgets the memory that making the input took.
    pathlib.Path('/proc/self/clear_refs').write_text('5')
    _limit_memory()
    sys.argv = ['owdfa', *case.arguments]
    status = 1
    owdfa.main()
    status = 0
  except SystemExit as stop:
    status = _status_of(stop)
  except BaseException:
    traceback.print_exc()
  finally:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _status_of(stop: SystemExit) -> int:
  """Returns the exit status as the interpreter would."""
  if stop.code is None:
    return 0
  if isinstance(stop.code, int):
    return stop.code & 0xFF
  print(stop.code, file=sys.stderr)
  return 1


def _wait(pid: int) -> tuple[bool, int, int]:
  """Waits for a child: whether it was killed, its status, and its peak."""
  handle = os.pidfd_open(pid)
  try:
    in_time, _, _ = select.select([handle], [], [], SECONDS)
  finally:
    os.close(handle)
  if not in_time:
    os.killpg(pid, signal.SIGKILL)
  _, status, usage = os.wait4(pid, 0)
  return not in_time, status, usage.ru_maxrss // 1024


def _limit_memory() -> None:
  pages = int(pathlib.Path('/proc/self/statm').read_text().split()[0])
  limit = pages * resource.getpagesize() + _MOST_MEMORY
  resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _memory_now() -> int:
  """Returns the resident megabytes of this process."""
  pages = int(pathlib.Path('/proc/self/statm').read_text().split()[1])
  return pages * resource.getpagesize() // _MEGABYTE


def _snapshot(place: pathlib.Path) -> dict[str, list[int]]:
  """Returns the type, size and time of change of every file below a folder."""
  found = {}
  for folder, folders, files in os.walk(place):
    for name in folders + files:
      path = os.path.join(folder, name)
      stat = os.lstat(path)
      # A hidden file made beside a target changes the time of its folder.
      facts = [stat.st_mode, stat.st_size, stat.st_mtime_ns]
      is_folder = name in folders
      found[os.path.relpath(path, place)] = facts[: 1 if is_folder else 3]
  return found


def _read(path: pathlib.Path) -> str:
  return path.read_text(errors='backslashreplace') if path.exists() else ''


if __name__ == '__main__':
  main()
