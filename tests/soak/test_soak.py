"""Tests that a soak finds what a kill loses, and else passes."""

import random
import subprocess
import sys

import numpy as np
import pytest

from input_pipeline.errors import UserError
from owdfa_jax.soak import kinds
from owdfa_jax.soak.__main__ import main
from owdfa_jax.soak.differences import first_difference
from owdfa_jax.soak.loop import KEY, Soak
from owdfa_jax.soak.moments import (
  Life,
  Moment,
  Watch,
  draw_moment,
  wait_for,
)

# Makes four files, each in 50 ms, and leaves those that are there alone.
SOUND = """
import os, time
os.makedirs('out', exist_ok=True)
for i in range(4):
  if not os.path.exists(f'out/{i}'):
    with open(f'out/{i}.part', 'w') as file:
      file.write('ab')
      time.sleep(0.05)
    os.rename(f'out/{i}.part', f'out/{i}')
"""
# Leaves a file behind when it is killed.
LEFTOVERS = SOUND.replace('{i}.part', '{i}.{os.getpid()}')
# Takes a file that has only been begun for a complete one.
HALF = (
  SOUND.replace('.part', '')
  .replace("file.write('ab')", "file.write('a'); file.flush()")
  .replace('time.sleep(0.05)', "time.sleep(0.05); file.write('b')")
  .replace("    os.rename(f'out/{i}', f'out/{i}')\n", '')
)
# Fails when it is started again.
FAILS = "import os; os.mkdir('out')\n" + SOUND


@pytest.fixture
def toy(monkeypatch):
  """Returns a function that lets a soak run a program in place of ours."""

  def use(program):
    monkeypatch.setattr(kinds, 'INPUTS', ())
    monkeypatch.setattr(kinds, 'KINDS', {'toy': ()})
    monkeypatch.setattr(
      kinds, 'command', lambda *_: [sys.executable, '-c', program]
    )

  return use


def test_sound_program_passes(toy, tmp_path, capsys):
  toy(SOUND)
  assert Soak(str(tmp_path), seed=1).run(['toy'], 8) == 0
  out = capsys.readouterr().out
  assert 'no result differs' in out
  assert out.startswith(KEY)
  (row,) = [line for line in out.splitlines() if line.startswith('all ')]
  _, runs, kills, at_random, at_a_file, *ways = row.split()
  assert sum(map(int, ways)) == int(kills)
  assert int(kills) >= 8 and int(runs) >= 2
  assert int(at_random) + int(at_a_file) == int(kills)
  # The results that were equal are removed.
  assert sorted(path.name for path in tmp_path.iterdir()) == ['toy']


@pytest.mark.parametrize('program', [HALF, LEFTOVERS])
def test_loss_is_named(toy, tmp_path, capsys, program):
  toy(program)
  assert Soak(str(tmp_path), seed=1).run(['toy'], 40) == 1
  error = capsys.readouterr().err
  assert error.startswith('error: results differ: ')
  assert '(out/' in error


def test_program_that_cannot_be_started_again_is_named(toy, tmp_path):
  toy(FAILS)
  with pytest.raises(UserError, match=r'exit status 1 \(FileExistsError'):
    Soak(str(tmp_path), seed=1).run(['toy'], 40)


@pytest.mark.parametrize(
  'chosen',
  [
    'simulate,pack',
    # A minute: the network is compiled, and training starts several times.
    pytest.param('train,cal', marks=pytest.mark.slow),
  ],
)
def test_real_commands(tmp_path, capsys, chosen):
  """A short soak; `owdfa soak` is the long one."""
  with pytest.raises(SystemExit) as ended:
    main([f'--workdir={tmp_path}', f'--kinds={chosen}', '--kills=3'])
  captured = capsys.readouterr()
  assert not ended.value.code, captured.err
  assert 'no result differs' in captured.out


def test_moments_are_within_the_life():
  life = Life(2.0, {'save': 3, 'rename': 1})
  draws = random.Random(0)
  moments = [draw_moment(life, draws) for _ in range(300)]
  at_events = [moment for moment in moments if moment.event]
  assert {m.event for m in at_events} == {'save', 'rename'}
  assert {m.count for m in at_events if m.event == 'save'} == {1, 2, 3}
  times = [moment.seconds for moment in moments if not moment.event]
  assert 90 < len(times) < 150
  assert min(times) < 0.2 and 1.8 < max(times) <= 2.2


@pytest.mark.parametrize(
  'moment, words',
  [
    (Moment(1.5), '1.50 s after its start'),
    (Moment(0.017, 'out/#', 2), '17 ms after file 2 named out/#'),
  ],
)
def test_moment_in_words(moment, words):
  assert moment.describe() == words


def test_missing_option_is_one_line(capsys):
  with pytest.raises(SystemExit):
    main([])
  assert capsys.readouterr().err == (
    'error: missing: --workdir; see `python -m owdfa_jax.soak --help`\n'
  )


def test_waits_for_a_file_to_appear(tmp_path):
  watch = Watch(str(tmp_path))
  work = 'import sys, pathlib, time; time.sleep(0.1)\n' + (
    '[(pathlib.Path(sys.argv[1], f"{i}.part").touch(), time.sleep(0.05))'
    ' for i in range(9)]'
  )
  with subprocess.Popen([sys.executable, '-c', work, tmp_path]) as process:
    assert wait_for(Moment(0, '#.part', 2), watch, process)
    process.kill()
  assert 2 <= len(list(tmp_path.iterdir())) < 9


def test_process_that_ends_before_is_not_killed(tmp_path):
  with subprocess.Popen([sys.executable, '-c', '']) as process:
    assert not wait_for(Moment(0, 'x', 1), Watch(str(tmp_path)), process)


@pytest.mark.parametrize(
  'name, here, there, difference',
  [
    ('a.csv', 'x', 'x', ''),
    ('a.csv', 'xy', 'xz', 'a.csv: 2 and 2 bytes, which differ from byte 1'),
    ('a.csv', 'xy', 'x', 'a.csv: 2 and 1 bytes, which differ from byte 1'),
    ('a.csv', 'x', None, 'a.csv is only in {}'),
    ('metrics.jsonl', '{"a": 1, "time/b": 2}', '{"a": 1, "time/b": 3}', ''),
    (
      'metrics.jsonl',
      '{"a": 1}',
      '{"a": 2}',
      'metrics.jsonl: line 1: a=1 and 2',
    ),
    (
      'metrics.jsonl',
      '{"a": 1}\n{"a": 1}',
      '{"a": 1}',
      'metrics.jsonl: 2 and 1 lines',
    ),
    ('log.txt', 'x', 'y', ''),
    ('.lock', 'x', None, ''),
  ],
)
def test_difference(tmp_path, name, here, there, difference):
  folders = tmp_path / 'here', tmp_path / 'there'
  for folder, text in zip(folders, (here, there), strict=True):
    folder.mkdir()
    if text is not None:
      (folder / name).write_text(text)
  found = first_difference(*map(str, folders))
  assert found == difference.format(folders[0])


def test_sources_of_a_checkpoint_are_compared_without_their_digests(tmp_path):
  for name, digest, number in (('a', 'x', 1), ('b', 'y', 1), ('c', 'x', 2)):
    (tmp_path / name).mkdir()
    np.savez(
      tmp_path / name / 'sources-6.npz', belongs_to=digest, mean=np.ones(number)
    )
  paths = [str(tmp_path / name) for name in 'abc']
  assert not first_difference(paths[0], paths[1])
  assert 'mean' in first_difference(paths[0], paths[2])
