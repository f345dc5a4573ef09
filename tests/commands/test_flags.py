"""Mistakes in the words of a command line, told in one process."""

import functools

import pytest
from absl.testing import flagsaver
from ml_collections import config_flags

from input_pipeline.errors import UserError
from owdfa_jax.commands import flags

CONFIG = '--config=cpl:folder64'


@pytest.fixture
def parsed():
  """Returns a function that parses arguments and returns the config."""
  # Takes the flags away again, --config and those of its fields.
  with flagsaver.flagsaver():
    holder = config_flags.DEFINE_config_file(
      'config', None, 'What to run.', sys_argv=flags.ARGUMENTS
    )
    parse = functools.partial(
      flags.parse,
      config=holder,
      example='cpl:folder',
      needs='method',
      description='Runs.',
    )

    def parsed(*arguments):
      assert parse(['command', *arguments]) == ['command']
      return holder.value

    yield parsed


@pytest.mark.parametrize(
  'arguments, message',
  [
    (
      ['--config', 'no:a'],
      'no such config file: --config=no:a; give --config=',
    ),
    (['--config='], 'no config given: give --config=cpl:folder'),
    (['-config='], 'no config given: give --config=cpl:folder'),
    (['--config'], 'no config given: give --config=cpl:folder'),
    (['--config.epochs=3'], 'no config given: give --config=cpl:folder'),
    ([CONFIG, '--config.=1'], 'no such config field: --config.=1 '),
    (
      [CONFIG, '--config.seed=1', '--config.epochs.x=1'],
      'no such config field: --config.epochs.x=1 ',
    ),
    ([CONFIG, '--config.0=1'], 'no such config field: --config.0=1 '),
    ([CONFIG, '--flagfile=/no'], 'wrong --flagfile: Unable to open flagfile'),
    ([CONFIG, '--flagfile'], 'wrong --flagfile: --flagfile with no argument'),
    (
      [CONFIG, '--config', 'b', '--config.data.path=x'],
      f'--config is given more than once: {CONFIG} --config=b; give one',
    ),
  ],
)
def test_mistakes(parsed, tmp_path, monkeypatch, arguments, message):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(UserError) as caught:
    parsed(*arguments)
  assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
  'arguments',
  [
    ['--config.epochs=3', CONFIG],
    [CONFIG, '--config.epochs=3'],
    ['-config.epochs', '3', '-config', 'cpl:folder64'],
    ['--flagfile=words'],
  ],
)
def test_an_override_may_stand_anywhere(
  parsed, tmp_path, monkeypatch, arguments
):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'words').write_text(f'--config.epochs=3\n{CONFIG}\n')
  config = parsed(*arguments)
  assert config.epochs == 3 and config.method.name == 'cpl'


@pytest.mark.parametrize('word', ['--help', '--helpfull', '--helpshort', '-?'])
def test_help(parsed, capsys, word):
  with pytest.raises(SystemExit) as ended:
    parsed(CONFIG, word)
  assert ended.value.code == 0
  assert capsys.readouterr().out.startswith('Runs.\n\nflags:\n  --config=')


def test_an_error_of_the_config_file_is_not_one_of_a_flag(parsed, tmp_path):
  path = tmp_path / 'mine.py'
  path.write_text('def get_config():\n  return open("missing.json")\n')
  message = 'mine.py failed: FileNotFoundError: .*missing.json.* .line 2 of '
  with pytest.raises(UserError, match=message):
    parsed(f'--config={path}', '--config.epochs=3')
