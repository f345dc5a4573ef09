"""Mistakes in the words of a command line, told in one process."""

import functools
import os

import pytest
from absl.testing import flagsaver
from ml_collections import config_flags

from input_pipeline.errors import UsageError, UserError
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
    (['--config', '--config.epochs=3'], 'no config given: give --config='),
    (['--config.epochs=3'], 'no config given: give --config=cpl:folder'),
    ([CONFIG, '--config.=1'], 'no such config field: --config.=1; docs/'),
    (
      [CONFIG, '--config.seed=1', '--config.epochs.x=1'],
      'no such config field: --config.epochs.x=1; ',
    ),
    ([CONFIG, '--config.0=1'], 'no such config field: --config.0=1; docs/'),
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
  'arguments, message',
  [
    (['--confg=x'], 'unknown flag: --confg=x; did you mean --config?'),
    (['-confg', 'x'], 'unknown flag: -confg; did you mean --config?'),
    ([CONFIG, '--xyzzy'], 'unknown flag: --xyzzy; see --help'),
    ([CONFIG, '--noconfig'], 'unknown flag: --noconfig; did you mean'),
  ],
)
def test_a_misspelt_flag_is_named_before_a_missing_one(
  parsed, arguments, message
):
  with pytest.raises(UsageError) as caught:
    parsed(*arguments)
  assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
  'arguments',
  [
    ['--config.epochs', '-3'],
    ['--noconfig.log.page'],
    ['--showprefixforinfo', '--noshowprefixforinfo'],
    ['--', '--confg=x'],
    ['a-file', '-'],
  ],
)
def test_words_that_are_no_unknown_flags(arguments):
  flags.check_flag_names(arguments)


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


def test_flag_files(parsed, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'a').write_text(
    f'# A comment\n\n{CONFIG}\n//\n--flagfile=b\n--config.seed=2\n'
  )
  (tmp_path / 'b').write_text('--config.epochs=7\n--config.seed=1\n')
  config = parsed('--flagfile', 'a', '--config.batch_size=4')
  assert (config.epochs, config.seed, config.batch_size) == (7, 2, 4)


def test_flag_files_that_are_none(parsed, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  os.mkfifo('pipe')
  (tmp_path / 'binary').write_bytes(b'\xff\xfe\x00')
  (tmp_path / 'loop').write_text('--flagfile=back\n')
  (tmp_path / 'back').write_text('--flagfile=loop\n')
  for name, message in {
    'pipe': 'it is a named pipe, not a regular file.; give a text file',
    '/dev/zero': 'it is a device, not a regular file.; give a text file',
    'binary': 'it is not a text.; give a text file',
    '.': 'directory.; give a text file',
    'loop': 'loop names itself; take that line out',
  }.items():
    with pytest.raises(UserError, match=f'^wrong --flagfile: .*{message}'):
      parsed(CONFIG, f'--flagfile={name}')


def test_a_section_is_no_setting(parsed):
  message = 'a section, .*: --config.model=x; give --config.model.FIELD=VALUE'
  with pytest.raises(UserError, match=message):
    parsed(CONFIG, '--config.model=x')


def test_a_flag_of_the_libraries(parsed):
  with pytest.raises(
    UserError, match='^wrong flag: --stderrthreshold .*--help'
  ):
    parsed(CONFIG, '--stderrthreshold=x')


def test_a_long_value_is_shortened(parsed):
  with pytest.raises(UserError) as caught:
    parsed(CONFIG, f'--config.epochs={"9" * 10_000}')
  assert len(str(caught.value)) < 300


def test_an_error_of_the_config_file_is_not_one_of_a_flag(parsed, tmp_path):
  path = tmp_path / 'mine.py'
  path.write_text('def get_config():\n  return open("missing.json")\n')
  message = 'mine.py failed: FileNotFoundError: .*missing.json.* .line 2 of '
  with pytest.raises(UserError, match=message):
    parsed(f'--config={path}', '--config.epochs=3')
