"""The checks of a command's end find each thing that can be wrong with it."""

import pytest

from bad_input.case import Case, Ended
from bad_input.checks import problems

CASE = Case('a case', 'train', ('seed=-1',), leaves=('run/*',))
SOUND = Ended(1, False, '', 'error: bad: seed=-1; give another\n', [], 5)


def test_a_clear_line_is_no_problem():
  assert not problems(CASE, SOUND)
  assert not problems(CASE, SOUND._replace(changed=['run/config.json']))
  bar = 'pack:  10%|#   | 1/10\r'
  assert not problems(CASE, SOUND._replace(err=bar + SOUND.err))


def test_a_trained_run_may_compile_its_network():
  compiled = SOUND._replace(memory=CASE.memory + 200)
  assert problems(CASE, compiled)
  assert not problems(CASE._replace(trained=True), compiled)
  assert problems(CASE._replace(trained=True), SOUND._replace(memory=999))


@pytest.mark.parametrize(
  'change, problem',
  [
    ({'status': 0}, 'its status is 0'),
    ({'status': -9}, 'its status is -9'),
    ({'timed_out': True}, 'did not end'),
    ({'memory': 999}, 'takes 999 MB'),
    ({'changed': ['out']}, "files: ['out']"),
    ({'err': ''}, '0 lines'),
    ({'err': SOUND.err * 2}, '2 lines'),
    ({'err': f'Warning: x\n{SOUND.err}'}, '2 lines on stderr'),
    ({'err': 'Traceback (most recent call last):\n'}, 'traceback'),
    ({'err': 'error: seed=-1; \x1b[2Jgive another\n'}, 'control characters'),
    ({'err': 'error: seed=-1; give' + 'x' * 2500}, 'characters'),
    ({'err': 'error: bad: seed=-1\n'}, 'what to do'),
    ({'err': 'error: bad: seed; give another\n'}, "no 'seed=-1'"),
  ],
)
def test_a_problem_is_found(change, problem):
  assert any(
    problem in found for found in problems(CASE, SOUND._replace(**change))
  )


def test_a_command_that_carries_on():
  case = CASE._replace(is_error=False, words=('left out',))
  assert not problems(case, Ended(0, False, '1 left out\n', '', [], 5))
  assert problems(case, Ended(0, False, 'done\n', '', [], 5))
  assert problems(case, SOUND)
