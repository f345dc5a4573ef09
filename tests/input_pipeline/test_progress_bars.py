"""Progress on stderr: a bar on a terminal, else a line at times."""

import io
import sys

import pytest

from input_pipeline import progress_bars
from input_pipeline.argument_parser import ArgumentParser
from input_pipeline.progress_bars import progress_bar, with_progress


@pytest.fixture
def clock(monkeypatch):
  """The seconds that a clock shows, which stands still otherwise."""
  seconds = [0.0]
  monkeypatch.setattr(progress_bars.time, 'monotonic', lambda: seconds[0])
  return seconds


@pytest.fixture(autouse=True)
def not_quiet(monkeypatch):
  monkeypatch.setattr(progress_bars._Quiet, 'quiet', False)


def run(clock, steps, **options):
  with progress_bar('pack', 1000, 'image', **options) as bar:
    for _ in range(steps):
      clock[0] += 40
      bar.update(100)
  return bar


def test_without_a_terminal_there_is_a_line_at_times(clock, capsys):
  run(clock, 3)
  assert capsys.readouterr().err == 'pack: 200 of 1,000 images, 05:20 left\n'


def test_the_time_left_is_that_of_what_was_done_here(clock, capsys):
  run(clock, 2, initial=700)
  assert capsys.readouterr().err == 'pack: 900 of 1,000 images, 00:40 left\n'


def test_a_short_job_prints_nothing(capsys):
  assert [*with_progress('abc', 'fetch', 3, 'file')] == ['a', 'b', 'c']
  assert capsys.readouterr() == ('', '')


@pytest.mark.parametrize('how', ['quiet', 'hidden'])
def test_no_progress_but_it_counts(clock, capsys, how):
  if how == 'quiet':
    progress_bars.be_quiet()
  assert run(clock, 10, shown=how != 'hidden').n == 1000
  assert capsys.readouterr().err == ''


def test_a_terminal_gets_a_bar(monkeypatch):
  terminal = io.StringIO()
  terminal.isatty = lambda: True
  monkeypatch.setattr(sys, 'stderr', terminal)
  with progress_bar('pack', 2, 'image') as bar:
    bar.update(2)
  assert 'pack: 100%' in terminal.getvalue()


def test_a_line_of_progress(capsys):
  progress_bars.progress_line('round 1 of \x1b5')
  assert capsys.readouterr() == ('', 'round 1 of \\x1b5\n')
  progress_bars.be_quiet()
  progress_bars.progress_line('round 2')
  assert capsys.readouterr() == ('', '')


@pytest.mark.parametrize('words', [['-q', 'one'], ['one', '--quiet']])
def test_parsers_and_their_subcommands_take_q(words):
  parser = ArgumentParser('owdfa')
  parser.add_subparsers(dest='command').add_parser('one')
  assert not progress_bars.is_quiet()
  assert vars(parser.parse_args(words)) == {'command': 'one'}
  assert progress_bars.is_quiet()
