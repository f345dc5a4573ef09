"""The console command, run in a folder that is not the checkout."""

import os
import re
import subprocess
import sys

import pytest

import owdfa_jax
from helpers.paths import ROOT
from helpers.subprocesses import run_main
from owdfa_jax.commands.mode_help import MODE_HELP
from owdfa_jax.commands.owdfa import COMMANDS, main


def owdfa(folder, *arguments):
  return run_main('owdfa_jax.commands.owdfa', arguments, folder)


@pytest.mark.parametrize('word', ['--help', '-h', 'help'])
def test_help_lists_the_commands(tmp_path, word):
  ended = owdfa(tmp_path, word)
  assert ended.status == 0 and not ended.slow
  for name, command in COMMANDS.items():
    assert f'  {name} ' in ended.out and command.summary in ended.out


def test_no_command_shows_the_help_and_fails(tmp_path):
  ended = owdfa(tmp_path)
  assert ended.status == 2 and 'usage: owdfa COMMAND' in ended.out


def test_version(tmp_path):
  ended = owdfa(tmp_path, '--version')
  assert ended.out == f'owdfa {owdfa_jax.__version__}\n'
  assert ended.status == 0 and not ended.slow


def test_unknown_command(tmp_path):
  ended = owdfa(tmp_path, 'fly')
  assert ended.status == 2 and not ended.slow
  assert ended.err.startswith('error: unknown command: fly; use one of simul')


@pytest.mark.parametrize(
  'arguments, command',
  [
    ('train --mode=eval', 'eval'),
    ('eval --workdir=x -mode train', 'train'),
    ('timing --mode=sleep', 'timing'),
  ],
)
def test_the_command_is_the_mode(monkeypatch, capsys, arguments, command):
  monkeypatch.setattr(sys, 'argv', ['owdfa', *arguments.split()])
  with pytest.raises(SystemExit) as ended:
    main()
  assert ended.value.code == 2
  error = capsys.readouterr().err
  assert error.startswith('error: --mode belongs to main.py, not to `owdfa ')
  assert error.endswith(f'; use `owdfa {command}`\n')


@pytest.mark.parametrize('name', COMMANDS)
def test_help_of_a_command(tmp_path, name):
  ended = owdfa(tmp_path, name, '--help')
  assert ended.status == 0, ended.err
  assert f'owdfa {name} ' in ended.out
  assert '--config=CONFIG' in ended.out or 'usage: owdfa' in ended.out
  assert '-q, --quiet' in ended.out
  assert max(map(len, ended.out.splitlines())) <= 80
  if name != 'pack-timing':  # it times OpenCV and tensorflow-datasets
    assert not ended.slow


def test_a_mode_shows_its_own_flags_alone(tmp_path):
  ended = owdfa(tmp_path, 'attribute', '--help')
  shown = re.findall(r'^  (?:-q, )?--(\w+)', ended.out, re.M)
  # --config.FIELD comes after --config.
  assert shown == ['config', *MODE_HELP['attribute'].flags]
  ended = owdfa(tmp_path, 'train', '--help')
  assert '--images' not in ended.out and '--mode' not in ended.out


@pytest.mark.parametrize('unbuffered', ['', '1'])
@pytest.mark.parametrize('arguments', ['--help', 'train --help', 'pack --help'])
def test_a_reader_that_ends_early_ends_the_command(arguments, unbuffered):
  read, write = os.pipe()
  os.close(read)
  with os.fdopen(write, 'w') as nobody_reads:
    ended = subprocess.run(
      [sys.executable, '-m', 'owdfa_jax.commands.owdfa', *arguments.split()],
      cwd=ROOT,
      env=os.environ | {'PYTHONUNBUFFERED': unbuffered},
      stdout=nobody_reads,
      stderr=subprocess.PIPE,
      text=True,
      timeout=120,
    )
  assert ended.stderr == ''
