"""Tests of what a save prints that the file system refuses."""

import subprocess
import sys

import pytest

from helpers.paths import ROOT
from owdfa_jax.training.save_errors import storage_reason

# Saves once the space is reserved, and then finds that files may not be larger
# than eight kilobytes, as if another program had filled the disk. It runs in a
# process of its own, because TensorStore reports the writes that end after the
# first one failed whenever they end.
PROGRAM = """
import os, resource, signal, sys
import jax, jax.numpy as jnp, numpy as np
from etils import epath
from input_pipeline.errors import one_line_errors
from owdfa_jax import parallel
from owdfa_jax.commands import startup
from owdfa_jax.training.checkpoints import Checkpoints
from owdfa_jax.training.state import TrainState

startup.silence_orbax()
random = np.random.default_rng(0)  # checkpoints are compressed
state = jax.device_put(
  TrainState(
    step=jnp.int32(1),
    params={f'w{i}': random.normal(size=(100, 100)) for i in range(30)},
    batch_stats={'mean': jnp.zeros(3)},
    opt_state=(),
    method_state={},
  ),
  parallel.make_placement().replicated,
)
os.posix_fallocate = lambda *arguments: None
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with one_line_errors(), Checkpoints(epath.Path(sys.argv[1])) as checkpoints:
  resource.setrlimit(resource.RLIMIT_FSIZE, (8192, -1))
  checkpoints.save(1, state)
"""


def test_disk_that_fills_up_while_saving_is_one_line(tmp_path):
  done = subprocess.run(
    [sys.executable, '-c', PROGRAM, tmp_path],
    cwd=ROOT,
    capture_output=True,
    text=True,
    timeout=120,
  )
  assert done.returncode == 1
  assert done.stdout == ''
  assert done.stderr == (
    f'error: cannot write the checkpoint: {tmp_path}/checkpoints (File too '
    'large); free some space or choose another --workdir, then run the same '
    'command again to resume\n'
  )


@pytest.mark.parametrize(
  'error, reason',
  [
    (OSError(28, 'No space left on device'), 'No space left on device'),
    (PermissionError(), 'PermissionError'),
    (ValueError("INTERNAL [os_error_code='28']"), 'No space left on device'),
    (ValueError('a defect'), None),
    (RuntimeError('Event loop is closed'), None),
  ],
)
def test_reason_of_the_file_system(error, reason):
  assert storage_reason(error) == reason
