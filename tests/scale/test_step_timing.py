"""What the steps of several methods take, in turns."""

import jax
import pytest

from owdfa_jax.parallel import make_placement
from owdfa_jax.scale import step_times, timed_methods
from owdfa_jax.scale.program import Sizes
from owdfa_jax.scale.step_timing import main
from owdfa_jax.scale.timed_methods import (
  TimedMethod,
  overhead,
  prepare_method,
  take_turns,
)
from owdfa_jax.training.timed_step import random_batch

SMALL = (
  '--backbones=small --image_size=32 --width=0.125 --batch=16 --rounds=2 '
  '--steps=1'
).split()


def timed(name, *seconds, wait=None):
  return TimedMethod(
    name=name,
    start_turn=lambda: lambda batch: batch,
    flops=2e12,
    compile_seconds=30.0,
    seconds=list(seconds),
    wait=wait,
  )


def test_rows_of_a_table():
  """Both devices together have 40 Tflop/s; a step of 2 takes 0.1 seconds."""
  rows = step_times.time_rows(
    [
      timed('cpl', 0.2, 0.1, 0.4),
      timed('supervised', 0.1, 0.1, 0.1, wait=0.25),
    ],
    batch=64,
    peak=40.0,
  )
  assert rows == [
    ['cpl', '320', '200.0', '2.000', '2', '25.0', '30.0', '-'],
    ['supervised', '640', '100.0', '1.000', '2', '50.0', '30.0', '25.0'],
  ]


def test_rows_without_a_peak_and_a_reference():
  (row,) = step_times.time_rows([timed('cpl', 0.2)], batch=64, peak=0.0)
  assert row == ['cpl', '320', '200.0', '-', '2', '-', '30.0', '-']


def test_overhead_is_that_of_each_round():
  """Every round is slower than the one before, for both methods."""
  slow, fast = timed('mpsl', 2.0, 4.0, 9.0), timed('supervised', 1.0, 2.0, 3.0)
  assert overhead(slow, fast) == 2.0


def test_methods_take_turns():
  turns = []
  methods = [timed('a'), timed('b')]
  for method in methods:
    method.start_turn = lambda name=method.name: lambda _: turns.append(name)
  take_turns(methods, batch=None, rounds=2, steps=2)
  assert turns == ['a', 'a', 'b', 'b'] * 2
  assert [len(method.seconds) for method in methods] == [2, 2]


@pytest.mark.usefixtures('quick_compile', 'two_blocks')
def test_a_method_has_nothing_on_the_devices_between_its_turns():
  """What fits would otherwise depend on the methods before it."""
  placement = make_placement()
  sizes = Sizes(batch=16, backbone='small', image=32, width=0.125)
  before = {id(array) for array in jax.live_arrays()}
  method = prepare_method('supervised', sizes, placement)
  batch = placement.put_batch(random_batch(16, 32, sizes.known, sizes.outputs))
  take_turns([method], batch, rounds=2, steps=2)
  del batch
  added = [x for x in jax.live_arrays() if id(x) not in before]
  # The seed alone.
  assert sum(array.nbytes for array in added) < 100
  assert len(method.seconds) == 2


@pytest.mark.usefixtures('quick_compile', 'two_blocks')
def test_command_with_and_without_real_batches(packed, capsys):
  main([*SMALL, '--methods=supervised', f'--data={packed}', '--peak=0.01'])
  head, _, row = capsys.readouterr().out.strip().split('\n')[-3:]
  cells = dict(zip(head.split(' | '), row.split(' | '), strict=True))
  assert cells['times supervised'] == '1.000'
  assert float(cells['images/s']) > 0 and float(cells['% of peak']) > 0
  assert 0 <= float(cells['% waiting for input |'].strip(' |')) <= 100


@pytest.mark.parametrize(
  ('arguments', 'status', 'words'),
  [
    ('--methods=cpi', 2, 'cpl'),
    ('--backbones=resnet51', 2, 'resnet50'),
    ('--batch=16,1', 2, '--batch'),
    ('--rounds=0', 2, '--rounds'),
    # Eight devices have one row of each half at least.
    ('--batch=24', 1, ' --batch=24 '),
    ('--methods=cpl --pair_within=3', 1, ' --pair_within=3 '),
    ('--peak=1e-300', 2, '--peak'),
  ],
)
def test_bad_arguments(arguments, status, words, capsys):
  with pytest.raises(SystemExit) as ended:
    main([*SMALL, *arguments.split()])
  assert ended.value.code == status
  assert words in capsys.readouterr().err


def test_a_batch_that_the_machine_cannot_hold(monkeypatch, capsys):
  def refuse(*_):
    raise MemoryError

  for module in (step_times, timed_methods):
    monkeypatch.setattr(module, 'random_batch', refuse)
  main([*SMALL, '--methods=supervised'])
  assert '| supervised | does not fit |' in capsys.readouterr().out


def test_images_of_another_size(packed, capsys):
  with pytest.raises(SystemExit) as ended:
    main([*SMALL, '--image_size=64', f'--data={packed}'])
  assert ended.value.code == 2
  assert 'give --image_size=32' in capsys.readouterr().err


@pytest.mark.parametrize(
  ('arguments', 'status', 'words'),
  [
    ('--methods=cpl', 2, 'name supervised in --methods too'),
    ('--methods=supervised --batch=4096', 1, ', --batch=4096; give --batch=N'),
    # The map of 32 pixels has fewer cells than a grid.
    ('--methods=supervised,mpsl', 1, 'of --backbones=small give a 4 x 4 map'),
  ],
)
def test_nothing_is_compiled_before_all_fits(
  packed, arguments, status, words, capsys
):
  with pytest.raises(SystemExit) as ended:
    main([*SMALL, f'--data={packed}', *arguments.split()])
  assert ended.value.code == status
  printed = capsys.readouterr().err
  assert words in printed and 'compiling' not in printed
