"""What `owdfa attribute` says of a run whose confidences are too high."""

import dataclasses
import shutil

import pytest
from etils import epath

from helpers import imagesets
from owdfa_jax.evaluation.calibration import Calibration
from owdfa_jax.evaluation.new_images import find_new_images
from owdfa_jax.evaluation.restore import restore_network
from owdfa_jax.evaluation.seen_sources import ensure_sources
from owdfa_jax.evaluation.sources_file import read_sources, write_sources
from owdfa_jax.inference.attribute import attribute
from owdfa_jax.inference.run import TrainedRun

pytestmark = pytest.mark.usefixtures('quick_compile')

EARLIER = 'warning: confidences are without a temperature, and no training'
TOO_FEW = 'warning: confidences are too high to be read as the chance of'
FAILED = 'warning: confidences are not the chance of being right, and have no'
AT_AN_END = Calibration(0.02, 0.02, 0.7, 0.7)


@pytest.fixture(scope='module')
def experiment(trained, tmp_path_factory):
  """A copy of a run, with its sources."""
  folder = tmp_path_factory.mktemp('warned') / 'run'
  evaluated = shutil.ignore_patterns('*.npz')
  shutil.copytree(trained.workdir, folder, ignore=evaluated)
  experiment = dataclasses.replace(trained, workdir=epath.Path(folder))
  ensure_sources(experiment)
  return experiment


@pytest.mark.parametrize(
  ('lacks', 'said'),
  [
    ({}, None),
    ({'calibration': None}, TOO_FEW),
    ({'calibration': None, 'sample': None}, EARLIER),
    # By an earlier version, which used it.
    ({'calibration': AT_AN_END}, FAILED),
  ],
)
def test_missing_temperature_is_said(
  experiment, tmp_path, capsys, request, lacks, said
):
  if said == FAILED:
    request.getfixturevalue('fits_can_fail')
  checkpoint = restore_network(experiment).folder
  where = experiment.workdir, checkpoint, experiment.config
  seen = read_sources(*where)
  imagesets.write_set(tmp_path / 'new', known=1, novel=0, per_class=2)
  scan = find_new_images([str(tmp_path / 'new' / '0')])
  try:
    write_sources(*where, seen._replace(**lacks))
    run = TrainedRun(experiment)
    assert run.lacks_temperature == bool(lacks)
    assert run.has_training_images == ('sample' not in lacks)
    assert attribute(experiment, scan, out=str(tmp_path / 'out.csv')) == 0
  finally:
    write_sources(*where, seen)
  out = capsys.readouterr().out
  for warning in (EARLIER, TOO_FEW, FAILED):
    assert (warning in out) == (warning == said)
  # At the start, so that nobody waits for a table that is of no use to them.
  assert said is None or out.startswith(f'warning: {run.remark}\n')
  assert said is not None or not run.remark
