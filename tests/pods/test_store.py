"""Two processes train in a bucket, are killed, and go on to the same bits."""

import pytest

from helpers.gcs_emulator import NEEDS_STORE, running_store
from helpers.pod_runs import PodRun
from owdfa_jax.soak.differences import first_difference

# Each pod takes half a minute or more.
pytestmark = [pytest.mark.slow, NEEDS_STORE]
SETTINGS = ('--config.epochs=2', '--config.passes_per_epoch=1')
# The last object of the first checkpoint, after an epoch of 6 steps.
FIRST = 'run/checkpoints/6/commit_success.txt'


def test_a_pod_in_a_bucket(packed, tmp_path):
  here, copy = tmp_path / 'here', tmp_path / 'copy'
  PodRun(packed, here, 2, more=SETTINGS).complete()
  with running_store() as store:
    there = f'{store.url}/run'
    pod = PodRun(packed, there, 2, more=SETTINGS)
    pod.signal_when(lambda _: FIRST in store.names('run/checkpoints/6/'), 1)
    statuses, errors = pod.end()
    assert sorted(statuses) == [-9, 75], errors
    pod = PodRun(packed, there, 2, more=SETTINGS)
    pod.complete()
    assert 'resuming after step 6' in pod.printed[0]
    store.copy('run', copy)
  assert not first_difference(str(here), str(copy))
