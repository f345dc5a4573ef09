"""Two processes train in stages; one process finds the same labels."""

import json
import shutil

import numpy as np
import pytest

from helpers.pod_runs import PodRun, last_line, read_losses
from owdfa_jax.soak.differences import first_difference

# Trains several stages in pods.
pytestmark = pytest.mark.slow
STAGED = 'configs/staged.py:cpl,folder64'
SETTINGS = (
  '--config.epochs=1',
  '--config.passes_per_epoch=1',
  '--config.stages.pretrain_epochs=1',
  '--config.stages.rounds=1',
  '--config.stages.round_epochs=1',
  '--config.stages.keep_confidence=0',
)
STAGES = ('1-supervised', '2-cpl', '3-round1')


def pod(packed, workdir, num_processes):
  return PodRun(packed, workdir, num_processes, more=SETTINGS, config=STAGED)


def test_stages_of_a_pod(packed, tmp_path):
  whole, killed, alone = (tmp_path / x for x in ('whole', 'killed', 'alone'))
  pod(packed, whole, 2).complete()
  report = json.loads((whole / 'report.json').read_text())
  assert [*report['stages']] == list(STAGES)
  # Killed in the round, the pod goes on to the same bits.
  run = pod(packed, killed, 2)
  run.signal_when(lambda x: (x / '3-round1' / 'metrics.jsonl').exists(), 1)
  statuses, errors = run.end()
  assert sorted(statuses) == [-9, 75], errors
  assert 'a process of the pod is lost' in last_line(errors[0])
  pod(packed, killed, 2).complete()
  for stage in STAGES:
    assert not first_difference(str(killed / stage), str(whole / stage))
  # One process labels with the network that the pod has trained.
  shutil.copytree(whole, alone)
  shutil.rmtree(alone / '3-round1')
  ((labels,),) = ([*alone.glob('2-cpl/pseudo_labels-*.npz')],)
  labels.unlink()
  pod(packed, alone, 1).complete()
  with np.load(labels) as one, np.load(whole / '2-cpl' / labels.name) as other:
    np.testing.assert_array_equal(one['label'], other['label'])
    assert (one['label'] >= 0).any()
  losses, expected = (read_losses(x / '3-round1') for x in (alone, whole))
  assert losses[1] == pytest.approx(expected[1], rel=1e-5)
