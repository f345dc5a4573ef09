"""What must hold of a command that was given a bad input."""

import fnmatch
import re

from bad_input.case import Case, Ended

# Characters of the error's line, see `escape.message`.
LONGEST = 2000 + len('error: ')
# Megabytes that a command may take besides if it has a trained run, since it
# may evaluate the network, and compiles it unless a program was kept.
COMPILING = 400
# A progress bar, as tqdm draws it.
_BAR = re.compile(r'\d+%\|')


def problems(case: Case, ended: Ended) -> list[str]:
  """Returns what is wrong with the way a command ended; [] if nothing is."""
  found = []
  if ended.timed_out:
    found.append('it did not end')
  if 'Traceback (most recent call last)' in ended.err:
    found.append('it shows a traceback')
  if ended.memory > case.memory + COMPILING * case.trained:
    found.append(f'it takes {ended.memory} MB')
  left = [
    path
    for path in ended.changed
    if not any(fnmatch.fnmatch(path, pattern) for pattern in case.leaves)
  ]
  if left:
    found.append(f'it leaves or changes files: {left[:9]}')
  found += _error(case, ended) if case.is_error else _success(case, ended)
  return found


def _success(case: Case, ended: Ended) -> list[str]:
  """Returns what is wrong with a command that should have carried on."""
  found = []
  if ended.status != 0:
    found.append(f'its status is {ended.status}, not 0')
  everything = ended.out + ended.err
  found += [f'no word of {w!r}' for w in case.words if w not in everything]
  return found


def _error(case: Case, ended: Ended) -> list[str]:
  """Returns what is wrong with the line of an error."""
  found = []
  # 1: the work cannot be done; 2: the command line is wrong.
  if ended.status not in (1, 2):
    found.append(f'its status is {ended.status}, not 1 or 2')
  # A progress bar overwrites its line.
  lines = [
    line
    for line in ended.err.replace('\r', '\n').split('\n')
    if line.strip() and not _BAR.search(line)
  ]
  errors = [line for line in lines if line.startswith('error: ')]
  if len(errors) != 1:
    return [*found, f'it has {len(errors)} lines that start with "error: "']
  if len(lines) > 1:
    found.append(f'it has {len(lines)} lines on stderr')
  (line,) = errors
  if not line.isprintable():
    found.append('the line has control characters')
  if len(line) > LONGEST:
    found.append(f'the line has {len(line)} characters')
  if not re.search(r'; \w|: give ', line):
    found.append('the line does not say what to do')
  found += [f'the line has no {w!r}' for w in case.words if w not in line]
  return found
