"""The commands `pack`, `prepare` and `pack_timing`: their help and imports."""

import re
import subprocess
import sys

import pytest

from helpers.paths import ROOT
from input_pipeline import pack, pack_timing, prepare

COMMANDS = {'pack': pack, 'prepare': prepare, 'pack_timing': pack_timing}


def help_of(main, capsys, *arguments, **options):
  with pytest.raises(SystemExit) as stop:
    main([*arguments, '--help'], **options)
  assert stop.value.code == 0
  return capsys.readouterr().out


@pytest.mark.parametrize('name', COMMANDS)
def test_help_names_the_command_that_was_called(name, capsys):
  main = COMMANDS[name].main
  text = help_of(main, capsys)
  assert text.startswith(f'usage: python -m input_pipeline.{name} ')
  text = help_of(main, capsys, prog=f'owdfa {name}')
  assert text.startswith(f'usage: owdfa {name} ')


def test_help_shows_each_default_once(capsys, monkeypatch):
  monkeypatch.setenv('COLUMNS', '200')
  text = help_of(pack.main, capsys)
  options = re.split(r'\n  --', text.split('options:')[1])[1:]
  assert len(options) == 20
  for option in options:
    required = option.startswith(('meta', 'out'))
    assert option.count('(default: ') == (not required), option
    assert 'None' not in option
  text = help_of(prepare.main, capsys, 'folder')
  assert text.count('default: 0.75') == text.count('default: 0)') == 1


@pytest.mark.parametrize('name', COMMANDS)
def test_help_loads_nothing_heavy(name):
  code = (
    f'import sys, input_pipeline.{name} as command\n'
    'try: command.main(["--help"])\n'
    'except SystemExit: pass\n'
    'heavy = {"cv2", "grain", "jax", "sklearn", "tensorflow_datasets"}\n'
    'sys.exit(", ".join(sorted(heavy & sys.modules.keys())) or None)'
  )
  done = subprocess.run(
    [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True
  )
  assert done.returncode == 0, done.stderr
