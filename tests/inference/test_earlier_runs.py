"""A run by an earlier version answers as the command does, without writing."""

import dataclasses
import shutil

import pytest
from etils import epath

import owdfa_jax
from helpers import imagesets
from owdfa_jax.commands import modes
from owdfa_jax.commands.recorded_run import check_recorded
from owdfa_jax.evaluation.new_images import find_new_images
from owdfa_jax.evaluation.restore import restore_network
from owdfa_jax.evaluation.seen_sources import ensure_sources
from owdfa_jax.evaluation.sources_file import read_sources, write_sources

pytestmark = pytest.mark.usefixtures('quick_compile')


def earlier(folder, trained):
  """Makes a copy of a run, as an earlier version left it."""
  evaluated = shutil.ignore_patterns('*.npz', 'data.json')
  shutil.copytree(trained.workdir, folder, ignore=evaluated)
  copy = dataclasses.replace(trained, workdir=epath.Path(folder))
  ensure_sources(copy)
  where = copy.workdir, restore_network(copy).folder, copy.config
  seen = read_sources(*where)
  write_sources(*where, seen._replace(calibration=None, sample=None))
  return folder


# It fits sources three times; test_current_sources.py has what is fitted when.
@pytest.mark.slow
def test_an_earlier_run_has_the_answers_of_the_command(
  trained, tmp_path, capsys
):
  """Its sources are made anew, by the command in a file."""
  folder = earlier(tmp_path / 'run', trained)
  imagesets.write_set(tmp_path / 'photos', per_class=1, size=48)
  photos = sorted((tmp_path / 'photos').rglob('*.png'))[:3]
  before = {path: path.stat().st_mtime_ns for path in folder.rglob('*')}
  capsys.readouterr()
  loaded = owdfa_jax.load(folder)
  told = capsys.readouterr()
  assert not told.out and not told.err
  assert {p: p.stat().st_mtime_ns for p in folder.rglob('*')} == before
  assert loaded.calibration is not None and not loaded.remark
  found = loaded.predict(photos)
  (inputs,) = check_recorded(str(folder), 'attribute', {})
  scan = find_new_images([str(path) for path in photos])
  assert modes.run('attribute', inputs, scan, out=str(tmp_path / 'a.csv')) == 0
  found.to_csv(tmp_path / 'b.csv')
  written = [(tmp_path / name).read_bytes() for name in ('a.csv', 'b.csv')]
  assert written[0] == written[1]
