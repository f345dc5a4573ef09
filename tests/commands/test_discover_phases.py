"""The phases of `owdfa discover`: what is done again, and what is not."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from helpers.discoveries import opened, write_images
from helpers.heap_tables import found, write_heap
from helpers.page_runs import write_run
from input_pipeline.packing import write_pack
from owdfa_jax.commands import modes, names
from owdfa_jax.commands.discover_phases import closing_lines, run_phases
from owdfa_jax.commands.discover_plan import Discovery
from owdfa_jax.evaluation import names_file
from owdfa_jax.page import report_command


@pytest.fixture
def images(tmp_path, monkeypatch):
  """Folders `known` and `heap` in the working directory."""
  monkeypatch.chdir(tmp_path)
  write_images(tmp_path)
  return tmp_path


@pytest.fixture
def phases(images, monkeypatch):
  """Phases that do little, but the first; each adds its name to a list."""
  done = []

  def pack(meta_csv, out, options, resources):
    assert meta_csv.exists()
    if not out.exists():
      done.append('pack')
      write_pack(meta_csv, out, options, type(resources)(workers=1))

  def run(mode, inputs, scan, out=None):
    done.append(mode)
    assert (inputs.config.data.path) == str(images / 'run/data/packed')
    if mode == 'train':
      write_run(images / 'run')
    else:
      write_heap(images / 'run', found('a.png', 3))
    return 0

  monkeypatch.setattr('input_pipeline.packing.write_pack', pack)
  monkeypatch.setattr(modes, 'run', run)
  monkeypatch.setattr(
    'owdfa_jax.commands.discover_phases.check_recorded',
    lambda workdir, mode, overrides, writes: [
      training_inputs(images / 'run' / 'data' / 'packed')
    ],
  )
  return done


def training_inputs(packed):
  from helpers.runs import tiny_config
  from owdfa_jax.settings import check_run

  return check_run(tiny_config(packed, data__num_classes=4), 'x')


def test_each_phase_is_done_once(phases, images, capsys):
  discovery = opened(settings=SETTINGS)
  assert run_phases(discovery) == 0
  assert phases == ['pack', 'train', 'attribute']
  assert run_phases(discovery) == 0
  assert phases == ['pack', 'train', 'attribute']
  assert capsys.readouterr().out.count('complete already') == 4
  discovery.heap_table.unlink()
  assert run_phases(discovery) == 0
  assert phases == ['pack', 'train', 'attribute', 'attribute']


def test_ctrl_c_says_that_the_same_command_goes_on(phases, images, monkeypatch):
  def interrupted(*arguments):
    raise KeyboardInterrupt

  with monkeypatch.context() as patch:
    patch.setattr('input_pipeline.packing.write_pack', interrupted)
    with pytest.raises(KeyboardInterrupt, match='the same command goes on'):
      run_phases(opened(settings=SETTINGS))
  assert run_phases(opened(settings=SETTINGS)) == 0
  assert phases == ['pack', 'train', 'attribute']


def give_names(run):
  names.main([str(run), '3=X'])


def split(run):
  names.main([str(run)])
  named = names_file.read_names(run)
  names_file.write_names(run, named._replace(parts={3: ('', '')}))


def train_further(run):
  report = json.loads((run / 'report.json').read_text())
  (run / 'report.json').write_text(json.dumps(report | {'checkpoint_step': 9}))


CHANGES = pytest.mark.parametrize(
  'change, words',
  [
    (give_names, 'the names'),
    (split, 'the parts of split clusters'),
    (train_further, 'the checkpoint'),
  ],
)
SETTINGS = ('data.num_classes=4', 'log.page=False', 'compilation_cache=')


@CHANGES
def test_the_table_of_the_heap_is_made_anew_after_a_change(
  phases, capsys, change, words
):
  discovery = opened(settings=SETTINGS)
  run_phases(discovery)
  change(discovery.folder)
  capsys.readouterr()
  run_phases(discovery)
  assert (
    f'changed since the table of the heap was made: {words}; it is made anew'
    in capsys.readouterr().out
  )
  assert phases == ['pack', 'train', 'attribute', 'attribute']
  # The names of the table are not those of the file, but the record is.
  run_phases(discovery)
  assert phases == ['pack', 'train', 'attribute', 'attribute']


def test_a_table_without_a_record_is_told_by_its_names(phases):
  discovery = opened(settings=SETTINGS)
  run_phases(discovery)
  (discovery.folder / 'heap_attributions.json').unlink()
  run_phases(discovery)
  assert phases.count('attribute') == 1
  give_names(discovery.folder)
  run_phases(discovery)
  assert phases.count('attribute') == 2


@CHANGES
def test_a_table_that_was_begun_before_a_change_is_begun_anew(
  phases, monkeypatch, capsys, change, words
):
  discovery = opened(settings=SETTINGS)
  run_phases(discovery)
  discovery.heap_table.unlink()
  unfinished = discovery.folder / 'heap_attributions.csv.unfinished'

  def stop(*_, **__):
    unfinished.write_text('answers')
    raise KeyboardInterrupt

  with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
    patch.setattr(modes, 'run', stop)
    run_phases(discovery)
  # Without a change it goes on.
  with monkeypatch.context() as patch:
    patch.setattr(modes, 'run', lambda *_, **__: 0)
    run_phases(discovery)
  assert unfinished.exists()
  with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
    patch.setattr(modes, 'run', stop)
    run_phases(discovery)
  change(discovery.folder)
  capsys.readouterr()
  run_phases(discovery)
  assert f'was begun: {words}; it is begun anew' in capsys.readouterr().out
  assert not unfinished.exists()


def test_the_page_is_drawn_with_the_heap(phases, monkeypatch):
  drawn = []
  monkeypatch.setattr(report_command, 'report_page', drawn.append)
  discovery = opened(settings=('data.num_classes=4', 'compilation_cache='))
  page = discovery.folder / 'report.html'
  run_phases(discovery)
  assert drawn == [discovery.folder]
  page.write_text('')
  run_phases(discovery)
  assert len(drawn) == 1
  os.utime(page, (1, 1))
  run_phases(discovery)
  assert len(drawn) == 2


def test_a_training_that_is_stopped_ends_the_phases(
  phases, monkeypatch, images
):
  monkeypatch.setattr(modes, 'run', lambda *words: phases.append('x') or 143)
  settings = ('data.num_classes=4', 'compilation_cache=')
  assert run_phases(opened(settings=settings)) == 143
  assert phases == ['pack', 'x']


def test_commands_at_the_end_can_be_copied(images):
  discovery = opened()
  folder = pathlib.Path('/home/me/owdfa runs')
  last = closing_lines(Discovery(folder, discovery.record, discovery.heap))
  commands = [line for line in last if line.startswith('  owdfa ')]
  assert len(commands) == 3
  assert all("'/home/me/owdfa runs'" in command for command in commands)


def test_nothing_slow_is_loaded_before_the_first_line():
  code = (
    'import sys, owdfa_jax.commands.discover_phases as _; '
    'print({"jax", "matplotlib"} & {*sys.modules})'
  )
  ran = subprocess.run(
    [sys.executable, '-c', code], capture_output=True, text=True, check=True
  )
  assert ran.stdout == 'set()\n'
