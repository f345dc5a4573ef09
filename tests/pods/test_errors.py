"""Tests of errors that end one process of a pod, and so all of them."""

import pytest

from helpers.pod_processes import AGAIN, Pod


@pytest.mark.parametrize('error, status', [('UserError', 1), ('UsageError', 2)])
@pytest.mark.parametrize('process', [0, 1])
def test_user_error_of_one_is_shown_by_all(tmp_path, process, error, status):
  works = ['hang()', 'hang()']
  works[process] = f'raise {error}("damaged record: x; pack again")'
  statuses, errors = Pod(tmp_path, *works).end()
  assert statuses == [status, status]
  line = 'error: damaged record: x; pack again'
  assert errors[process] == line
  assert errors[1 - process] == f'{line} (process {process} of 2 of the pod)'


def test_command_line_that_is_wrong_on_all_ends_as_without_a_pod(tmp_path):
  early = 'early:raise UsageError("unknown value: x; use y")'
  statuses, errors = Pod(tmp_path, early, early).end()
  assert statuses == [2, 2]
  assert errors == ['error: unknown value: x; use y'] * 2


@pytest.mark.parametrize('more', ['', ', flush=True'], ids=['end', 'middle'])
@pytest.mark.parametrize(
  'stdout, status, line, why',
  [
    (
      'os.open("/dev/full", os.O_WRONLY)',
      1,
      'error: cannot write to stdout: No space left on device; free some space '
      'or send the output elsewhere',
      'OSError: [Errno 28] No space left on device',
    ),
    # A pipe that nobody reads, as in `| head`.
    (
      '(ends := os.pipe(), os.close(ends[0]))[0][1]',
      141,
      '',
      'BrokenPipeError: [Errno 32] Broken pipe',
    ),
  ],
  ids=['full', 'closed'],
)
def test_stdout_that_takes_nothing(tmp_path, stdout, status, line, why, more):
  work = f'os.dup2({stdout}, 1); print("x"{more})'
  statuses, errors = Pod(tmp_path, work, 'hang()').end()
  assert statuses == [status, 1]
  assert errors[0] == line
  assert errors[1] == (
    f'error: cannot write to stdout: {why} (process 0 of 2 of the pod)'
  )


@pytest.mark.parametrize('process', [0, 1])
def test_exception_of_one_ends_all(tmp_path, process):
  works = ['hang()', 'hang()']
  works[process] = '[][1]'
  statuses, errors = Pod(tmp_path, *works).end()
  assert (statuses[process], statuses[1 - process]) == (1, 75)
  assert 'Traceback' in errors[process]
  assert errors[1 - process] == (
    f'error: a process of the pod failed: process {process} of 2 '
    f'(IndexError: list index out of range){AGAIN}'
  )


def test_text_that_no_terminal_takes(tmp_path):
  work = r'raise ValueError("no \udcff\n \x1b[2J")'
  statuses, errors = Pod(tmp_path, work, 'hang()').end()
  assert statuses == [1, 75]
  assert r'(ValueError: no \udcff \x1b[2J)' in errors[1]
