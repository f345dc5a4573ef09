"""Tests of what a save prints that the file system refuses."""

import asyncio
import subprocess
import sys

import pytest

from helpers.paths import ROOT
from owdfa_jax.training.save_errors import silence_save_errors, storage_reason

# Saves once the space is reserved, and then finds that files may not be larger
# than eight kilobytes, as if another program had filled the disk. It runs in a
# process of its own, because TensorStore reports the writes that end after the
# first one failed whenever they end.
PROGRAM = """
import gc, os, resource, signal, sys
import jax, jax.numpy as jnp, numpy as np
from etils import epath
from input_pipeline.errors import UserError, one_line_errors
from owdfa_jax import parallel
from owdfa_jax.library_logs import silence_libraries
from owdfa_jax.training.checkpoints import Checkpoints
from owdfa_jax.training.state import TrainState
from owdfa_jax.training.writers import JsonLines

silence_libraries()
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
workdir, ends = epath.Path(sys.argv[1]), sys.argv[2]
metrics = JsonLines(workdir / 'metrics.jsonl', 0)
try:
  with one_line_errors(), Checkpoints(workdir) as checkpoints:
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, -1))
    checkpoints.save(1, state)
    while ends == 'metrics':
      metrics.write(1, {f'train/{i}': 1.0 for i in range(100)})
    if ends == 'divergence':
      raise UserError('diverged')
finally:
  gc.collect()
"""


@pytest.mark.parametrize(
  'ends, message',
  [
    (
      'save',
      'cannot write the checkpoint: {}/checkpoints (File too large); free '
      'some space or choose another --workdir, then run the same command again '
      'to resume',
    ),
    (
      'metrics',
      'cannot write the metrics: {}/metrics.jsonl (File too large); free some '
      'space, then run the same command again to resume',
    ),
    ('divergence', 'diverged'),
  ],
)
def test_disk_that_fills_up_while_saving_is_one_line(tmp_path, ends, message):
  """Whatever ends the run first: the save in progress adds nothing to it."""
  done = subprocess.run(
    [sys.executable, '-c', PROGRAM, tmp_path, ends],
    cwd=ROOT,
    capture_output=True,
    text=True,
    timeout=120,
  )
  assert done.returncode == 1
  assert done.stdout == ''
  assert done.stderr == f'error: {message.format(tmp_path)}\n'


@pytest.mark.parametrize(
  'error, is_reported',
  [
    (ValueError("Error writing [os_error_code='27']"), False),
    (OSError(28, 'No space left on device'), False),
    (ValueError('a defect'), True),
  ],
)
def test_write_that_nobody_waits_for(caplog, error, is_reported):
  silence_save_errors()
  loop = asyncio.new_event_loop()
  write = loop.create_future()
  write.set_exception(error)
  del write
  loop.close()
  assert ('never retrieved' in caplog.text) == is_reported


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


def test_reason_of_a_store():
  of_tensorstore = ValueError(
    'Error opening "zarr" driver: Error writing gs://bucket/run/a:\n  403'
  )
  assert storage_reason(of_tensorstore).endswith('gs://bucket/run/a: 403')
  of_client = type('Forbidden', (Exception,), {'__module__': 'google.api'})
  assert storage_reason(of_client('403 no\n access')) == '403 no access'
  assert storage_reason(ValueError('no such mode: gs')) is None
