"""What commands do with a wrong command line, a closed pipe and Ctrl-C."""

import os
import signal
import subprocess
import sys

import pytest

from helpers.paths import ROOT
from input_pipeline import errors, pack, prepare
from input_pipeline.argument_parser import ArgumentParser
from owdfa_jax.page import report_command

COMMANDS = (
  'input_pipeline.pack',
  'input_pipeline.pack_timing',
  'input_pipeline.prepare',
  'input_pipeline.read_timing',
  'input_pipeline.simulate',
  'owdfa_jax.evaluation.overview',
)


@pytest.mark.parametrize('module', COMMANDS)
def test_help_into_a_closed_pipe_ends_quietly(module):
  # Unbuffered, argparse itself would drop what nobody reads.
  env = {k: v for k, v in os.environ.items() if k != 'PYTHONUNBUFFERED'}
  reader, writer = os.pipe()
  os.close(reader)
  try:
    done = subprocess.run(
      [sys.executable, '-m', module, '--help'],
      cwd=ROOT,
      env=env,
      stdout=writer,
      stderr=subprocess.PIPE,
      text=True,
    )
  finally:
    os.close(writer)
  assert done.returncode == 128 + signal.SIGPIPE and not done.stderr


@pytest.mark.parametrize(
  'main, arguments, line',
  [
    (
      pack.main,
      ['--size', 'big'],
      'wrong type: --size=big; give a whole number; see `python',
    ),
    (pack.main, ['--out', 'x'], 'missing: --meta; see `python'),
    (pack.main, ['--out'], 'no value: --out; see `python'),
    (pack.main, ['--quiet=yes'], 'no value belongs to --quiet: yes; see'),
    (pack.main, ['--mta=x'], 'unknown option: --mta=x; did you mean --meta?'),
    (
      pack.main,
      ['--crop=opencw'],
      '--crop=opencw; use one of none, opencv, dlib; did you mean opencv?',
    ),
    (
      prepare.main,
      ['fodler', '--root=x'],
      'unknown command: fodler; use one of folder, owdfa, owdfapp, owdfa40; '
      'did you mean folder? See `python -m input_pipeline.prepare --help`',
    ),
    (prepare.main, ['folder'], 'see `python -m input_pipeline.prepare folder'),
  ],
)
def test_a_wrong_command_line_is_one_line(main, arguments, line, capsys):
  with pytest.raises(SystemExit) as stop:
    main(arguments)
  error = capsys.readouterr().err
  assert stop.value.code == 2
  assert error.startswith('error: ') and error.count('\n') == 1
  assert line in error


def test_a_value_with_a_blank_goes_in_quotes(capsys):
  for words, advice in (['A,phone', 'camera'], True), (['A', '--new'], False):
    with pytest.raises(SystemExit):
      prepare.main(['folder', '--root=r', '--out=o', '--known', *words])
    error = capsys.readouterr().err
    assert ('a value with blanks goes in quotes' in error) == advice


def test_a_wrong_word_cannot_control_the_terminal(capsys):
  with pytest.raises(SystemExit):
    ArgumentParser(prog='command').parse_args(['\x1b[2J'])
  assert 'unknown argument: \\x1b[2J; a value' in capsys.readouterr().err


def test_an_argument_too_many_says_how_many_there_are(capsys):
  with pytest.raises(SystemExit):
    report_command.main(['A', 'B', 'C'])
  error = capsys.readouterr().err
  assert 'unknown argument: C; give at most RUN and RUN2; a value' in error


def test_ctrl_c_says_what_follows(capsys):
  with pytest.raises(SystemExit), errors.one_line_errors():
    raise KeyboardInterrupt('the same command goes on')
  said = capsys.readouterr().err
  assert said == 'interrupted: the same command goes on\n'


def test_ctrl_c_ends_a_command_with_one_word(capsys):
  @errors.one_line_errors()
  def main():
    os.kill(os.getpid(), signal.SIGINT)

  with pytest.raises(SystemExit) as stop:
    main()
  assert stop.value.code == errors.INTERRUPTED == 130
  assert capsys.readouterr().err == 'interrupted\n'
