"""The phases of `owdfa discover`: what is done again, and what is not."""

import os

import pytest

from helpers.discoveries import opened, write_images
from helpers.heap_tables import found, write_heap
from helpers.page_runs import write_run
from input_pipeline.packing import write_pack
from owdfa_jax.commands import discover_phases, modes, names
from owdfa_jax.commands.discover_phases import run_phases
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
      (images / 'run' / 'report.json').write_text('{}')
    else:
      (images / 'run' / 'heap_attributions.csv').write_text('')
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
  settings = ('data.num_classes=4', 'log.page=False', 'compilation_cache=')
  discovery = opened(settings=settings)
  assert run_phases(discovery) == 0
  assert phases == ['pack', 'train', 'attribute']
  assert run_phases(discovery) == 0
  assert phases == ['pack', 'train', 'attribute']
  assert capsys.readouterr().out.count('complete already') == 4
  discovery.heap_table.unlink()
  assert run_phases(discovery) == 0
  assert phases == ['pack', 'train', 'attribute', 'attribute']


def test_names_given_since_are_written_into_the_table_of_the_heap(
  phases, monkeypatch
):
  settings = ('data.num_classes=4', 'log.page=False', 'compilation_cache=')
  discovery = opened(settings=settings)
  run_phases(discovery)
  current = [True, False]
  monkeypatch.setattr(
    discover_phases, 'has_current_names', lambda folder: current.pop()
  )
  run_phases(discovery)
  run_phases(discovery)
  assert phases == ['pack', 'train', 'attribute', 'attribute']


def test_names_that_the_table_of_the_heap_has(tmp_path):
  run = tmp_path / 'run'
  write_run(run)
  write_heap(run, found('a.png', 3))
  assert discover_phases.has_current_names(run)
  names.main([str(run)])
  assert discover_phases.has_current_names(run)
  names.main([str(run), '3=X'])
  assert not discover_phases.has_current_names(run)
  write_heap(run, found('a.png', 3, source='X'))
  assert discover_phases.has_current_names(run)


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
