"""What the words of a command line say before they are parsed."""

import pytest

from owdfa_jax.commands.words import asks_for_help, take_flag


@pytest.mark.parametrize(
  'word',
  ['-h', '--help', '-help', '--helpfull', '--helpshort', '-?', '--help=1'],
)
def test_words_that_ask_for_help(word):
  assert asks_for_help(['--workdir=x', word])


@pytest.mark.parametrize(
  'word', ['help', '--helpless', '--workdir=--help', '?']
)
def test_other_words(word):
  assert not asks_for_help([word])


def test_the_values_of_a_flag():
  words = ['--a=1', '-config', 'x', '--config=y=z', '--config.a', '--config']
  assert take_flag(words, 'config') == (
    ['x', 'y=z', ''],
    ['--a=1', '--config.a'],
  )
