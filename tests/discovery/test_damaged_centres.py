"""Trace in rounds, with damaged, missing or foreign files beside its networks.

Each ends in an error of one line, or the file is made anew with the same bits.
"""

import json
import shutil

import numpy as np
import pytest

from helpers.staged_runs import tiny_stages
from helpers.waves import pack_waves
from input_pipeline.errors import UserError
from owdfa_jax.discovery.stages import evaluate_stages, train_stages
from owdfa_jax.soak.differences import first_difference

# Trains two stages, and evaluates copies of them.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('quick_compile')]
FIRST, LAST = '2-cpl', '3-round1'


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  """The config and the workdir of a complete run."""
  packed = pack_waves(tmp_path_factory.mktemp('waves'))
  config = tiny_stages(
    packed,
    'trace,folder64',
    stages__pretrain_epochs=0,
    stages__rounds=1,
    log__page=False,
  )
  workdir = tmp_path_factory.mktemp('staged')
  assert train_stages(config, str(workdir)) == 0
  return config, workdir


@pytest.fixture
def copied(whole, tmp_path):
  shutil.copytree(whole[1], tmp_path / 'run')
  return whole[0], tmp_path / 'run'


def the_file(workdir, stage, beginning):
  (path,) = (workdir / stage).glob(f'{beginning}-*.npz')
  return path


def halve(path):
  path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(path):
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(content)


def empty(path):
  path.write_bytes(b'')


def change_a_number(path):
  """A sound archive whose digest is of other numbers."""
  content = dict(np.load(path))
  content['mean'] = content['mean'] + 1
  np.savez(path, **content)


@pytest.mark.parametrize('damage', [halve, flip_a_bit, empty, change_a_number])
@pytest.mark.parametrize('beginning', ['centres', 'sources'])
def test_damage_is_an_error_of_one_line(copied, damage, beginning):
  config, workdir = copied
  path = the_file(workdir, FIRST, beginning)
  damage(path)
  with pytest.raises(UserError, match=f'{path}.*; remove it') as error:
    train_stages(config, str(workdir))
  assert '\n' not in str(error.value)


def test_damage_of_the_last_stage_is_an_error_of_an_evaluation(copied):
  config, workdir = copied
  path = the_file(workdir, LAST, 'centres')
  halve(path)
  with pytest.raises(UserError, match=f'damaged centres: {path}.*; remove it'):
    evaluate_stages(config, str(workdir))


@pytest.mark.parametrize(
  ('stage', 'beginning'), [(FIRST, 'centres'), (LAST, 'sources')]
)
def test_a_missing_file_is_made_anew_with_the_same_bits(
  copied, whole, stage, beginning
):
  config, workdir = copied
  the_file(workdir, stage, beginning).unlink()
  evaluate_stages(config, str(workdir))
  assert not first_difference(str(workdir), str(whole[1]))


def test_files_of_another_network_are_made_anew(copied, whole):
  """Those of the first stage, under the names of those of the last."""
  config, workdir = copied
  for beginning in ('centres', 'sources'):
    shutil.copy(
      the_file(workdir, FIRST, beginning), the_file(workdir, LAST, beginning)
    )
  evaluate_stages(config, str(workdir))
  assert not first_difference(str(workdir), str(whole[1]))


def test_without_files_and_reports_training_ends_with_the_same_bits(
  copied, whole
):
  config, workdir = copied
  for stage in (FIRST, LAST):
    for path in (workdir / stage).glob('*.npz'):
      if not path.name.startswith('pseudo_labels'):
        path.unlink()
    (workdir / stage / 'report.json').unlink()
  (workdir / 'report.json').unlink()
  assert train_stages(config, str(workdir)) == 0
  assert not first_difference(str(workdir), str(whole[1]))
  assert json.loads((workdir / 'report.json').read_text())['stages'].keys() == {
    FIRST,
    LAST,
  }
