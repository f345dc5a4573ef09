"""Tests of which errors follow from the loss of another process of a pod."""

import jax
import pytest

from helpers.pod_processes import AGAIN, Pod
from owdfa_jax.pods.worker import is_lost_connection

# What JAX raised in a pod of two processes when the other one was killed, or
# did not start.
CLOSED = 'tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:58058'
OF_JAX = [
  ValueError(f'UNKNOWN: Gloo all-reduce failed: [{CLOSED}'),
  jax.errors.JaxRuntimeError(f'UNKNOWN: Gloo AllGather failed: [{CLOSED}'),
  jax.errors.JaxRuntimeError(
    'UNAVAILABLE: Failed to send RPC to coordination service.\nCheck logs'
  ),
  jax.errors.JaxRuntimeError(
    'DEADLINE_EXCEEDED: Barrier timed out. Id: owdfa::0. # of tasks: 1'
  ),
  # As on GPUs.
  jax.errors.JaxRuntimeError(
    'INTERNAL: Failed to run step 3:\nNCCL operation failed: remote error'
  ),
]
OTHERS = [
  OSError(11, 'Resource temporarily unavailable'),
  FileNotFoundError(2, 'No such file or directory', 'runs/barrier/x'),
  BrokenPipeError(32, 'Broken pipe'),
  RuntimeError('aborted by user'),
  ValueError('unknown: gloo/x.png is no image'),
  KeyError('UNAVAILABLE: '),
  # Their texts hold the program.
  jax.errors.JaxRuntimeError(
    'INVALID_ARGUMENT: shapes differ: %1 = opt-barrier(%0)'
  ),
  jax.errors.JaxRuntimeError(
    'RESOURCE_EXHAUSTED: out of memory: %1 = nccl-all-reduce(%0)'
  ),
]


@pytest.mark.parametrize('error', OF_JAX, ids=str)
def test_lost_connections(error):
  assert is_lost_connection(error)
  outer = ValueError('cannot save')
  outer.__cause__ = error
  assert is_lost_connection(outer)


@pytest.mark.parametrize('error', OTHERS, ids=str)
def test_other_errors(error):
  assert not is_lost_connection(error)


def test_an_error_about_a_file_is_no_lost_connection(tmp_path):
  statuses, errors = Pod(tmp_path, 'open("barrier/x")', 'hang()').end()
  assert statuses == [1, 75]
  assert 'Traceback' in errors[0]
  assert errors[1] == (
    'error: a process of the pod failed: process 0 of 2 (FileNotFoundError: '
    f"[Errno 2] No such file or directory: 'barrier/x'){AGAIN}"
  )
