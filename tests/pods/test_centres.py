"""Two processes find and use centres; one process gets the same answers."""

import json
import shutil
import sys

import numpy as np
import pytest

from helpers.csv_files import read_csv
from helpers.pod_runs import PodRun

# Trains in a pod, and evaluates twice.
pytestmark = pytest.mark.slow
SETTINGS = (
  '--config.eval.classify_by=centres',
  '--config.eval.whitening=within_class',
  '--config.epochs=1',
  '--config.passes_per_epoch=1',
)


def test_centres_and_sources_of_a_pod_are_those_of_one_process(
  packed, tmp_path
):
  pod, alone = tmp_path / 'pod', tmp_path / 'alone'
  # As on TPUs, where a mesh passes each process several times.
  mixed = [(sys.executable, 'tests/helpers/mixed_mesh.py')] * 2
  PodRun(packed, pod, 2, mixed, more=SETTINGS).complete()
  shutil.copytree(pod, alone)
  for name in ('*.npz', 'report.json', 'attributions.csv'):
    for path in alone.glob(name):
      path.unlink()
  PodRun(packed, alone, 1, more=(*SETTINGS, '--mode=eval')).complete()
  for name in ('centres', 'sources'):
    (here,), (there,) = (list(x.glob(f'{name}-*.npz')) for x in (pod, alone))
    with np.load(here) as one, np.load(there) as other:
      assert one.files == other.files
      for array in one.files:
        if one[array].dtype.kind == 'f':
          np.testing.assert_allclose(
            one[array], other[array], rtol=1e-3, atol=1e-3, err_msg=array
          )
  reports = [json.loads((x / 'report.json').read_text()) for x in (pod, alone)]
  for name in ('all_acc', 'novel_nmi', 'per_class', 'centres'):
    assert reports[0][name] == reports[1][name]
  lines = [read_csv(x / 'attributions.csv') for x in (pod, alone)]
  for one, other in zip(*lines, strict=True):
    for column in ('image', 'source', 'output'):
      assert one[column] == other[column]
    score = [float(x['unseen_score']) for x in (one, other)]
    assert score[0] == pytest.approx(score[1], abs=2e-3)
  # Another pod uses the files as they are.
  kept = {path: path.stat().st_mtime_ns for path in pod.glob('*.npz')}
  PodRun(packed, pod, 2, more=(*SETTINGS, '--mode=eval')).complete()
  assert kept == {path: path.stat().st_mtime_ns for path in kept}
  assert json.loads((pod / 'report.json').read_text()) == reports[0]
