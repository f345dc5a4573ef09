"""What a command prints when it fails."""

import os
import subprocess
import sys

import pytest

from helpers.paths import ROOT


def run(body, **options):
  """Runs `body` as a command does."""
  code = (
    'from input_pipeline.errors import UserError, one_line_errors\n'
    f'with one_line_errors():\n  {body}'
  )
  return subprocess.run(
    [sys.executable, '-c', code],
    stderr=subprocess.PIPE,
    cwd=ROOT,
    text=True,
    **options,
  )


def test_an_error_is_one_line_without_control_characters():
  result = run(r"raise UserError('no \x1b[2J\n  a  b \u202e; remove it')")
  assert result.returncode == 1
  assert result.stderr == 'error: no \\x1b[2J a  b \\u202e; remove it\n'


@pytest.mark.parametrize('lines', [1, 10000])
def test_a_full_disk_under_stdout_is_one_line(lines):
  with open('/dev/full', 'w') as full:
    result = run(f"print('x' * 99 * {lines})", stdout=full)
  assert result.returncode == 1
  assert result.stderr.startswith(
    'error: cannot write to stdout: No space left'
  )
  assert result.stderr.count('\n') == 1


def test_an_error_of_the_program_keeps_its_traceback():
  result = run("open('/none')", stdout=subprocess.PIPE)
  assert 'Traceback' in result.stderr
  assert 'cannot write to stdout' not in result.stderr


def test_letters_that_the_terminal_lacks_are_shown_as_escapes():
  result = run(
    r"print('\xe9')",
    stdout=subprocess.PIPE,
    env=os.environ | {'PYTHONIOENCODING': 'ascii'},
  )
  assert (result.returncode, result.stdout) == (0, '\\xe9\n')
