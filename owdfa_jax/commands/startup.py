"""Prepares what every command needs: memory errors, the cache, the pod."""

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import jax

from input_pipeline.errors import UserError
from input_pipeline.files import cache_folder
from owdfa_jax.commands.pod_agreement import check_agreement
from owdfa_jax.parallel import coordination
from owdfa_jax.pods.worker import PodProcess

# The key under which process 0 publishes the address of its supervisor.
_KEY = 'owdfa/supervisor'
# That under which it publishes the facts of its work.
_WORK = 'owdfa/work'
_SHARE_MILLISECONDS = 60_000
# Programs that compile faster are not kept. JAX's own limit of a second leaves
# out the one that draws the initial weights.
_LEAST_SECONDS = 'jax_persistent_cache_min_compile_time_secs'
_LEAST_SECONDS_TO_KEEP = 0.1


@contextlib.contextmanager
def one_line_out_of_memory() -> Iterator[None]:
  """Turns the errors of a lack of memory into a `UserError`."""
  try:
    yield
  except MemoryError as error:
    raise _out_of_memory('this machine') from error
  except jax.errors.JaxRuntimeError as error:
    if 'RESOURCE_EXHAUSTED' not in str(error):
      raise
    raise _out_of_memory('a device') from error


def _out_of_memory(where: str) -> UserError:
  return UserError(
    f'out of memory: {where} has too little for this run; give a smaller '
    '--config.batch_size, --config.eval.batch_size or --config.model.width, or '
    'use more devices'
  )


def use_compilation_cache(folder: str) -> None:
  """Lets JAX keep compiled programs in a folder, for later runs.

  Must come before the first program is compiled.

  Args:
    folder: 'auto' for one in the user's cache folder; '' keeps no programs.
  """
  if folder == 'auto':
    cache = cache_folder()
    folder = cache and os.path.join(cache, 'compiled')
  # If an entry is damaged (after a full disk, say), JAX warns, compiles the
  # program again, and leaves the entry as it is. Removing the folder ends the
  # warnings.
  if folder:
    jax.config.update('jax_compilation_cache_dir', os.path.expanduser(folder))
    # Unless the user has chosen another limit.
    if getattr(jax.config, _LEAST_SECONDS) == 1:
      jax.config.update(_LEAST_SECONDS, _LEAST_SECONDS_TO_KEEP)


def join_pod(
  pod: PodProcess,
  coordinator: str | None,
  num_processes: int | None,
  process_id: int | None,
) -> None:
  """Connects to the other processes of a pod.

  Must come before anything asks for devices. Slurm, Kubernetes and TPU pods are
  recognised; there, all arguments may be None.

  Args:
    pod: this process, whose supervisor then watches the others.
    coordinator: host:port of process 0.
    num_processes: number of processes.
    process_id: number of this process, from 0.

  Raises:
    UserError: the other processes are not found.
  """
  try:
    jax.distributed.initialize(
      coordinator,
      num_processes,
      process_id,
      # JAX aborts with pages of logs. The supervisors notice earlier.
      heartbeat_timeout_seconds=max(100, 2 * pod.timeout),
    )
  except ValueError as error:
    raise UserError(
      f'the other processes cannot be found: --distributed ({error}); '
      'give --coordinator, --num_processes and --process_id'
    ) from error
  state = coordination()
  if state.process_id == 0:
    state.client.key_value_set(_KEY, f'{pod.port} {secrets.token_hex(16)}')
  shared = state.client.blocking_key_value_get(_KEY, _SHARE_MILLISECONDS)
  port, token = shared.split()
  host = state.coordinator_address.rpartition(':')[0].strip('[]')
  pod.joined(state.process_id, state.num_processes, host, int(port), token)
  # On CPUs, kept programs fit process 0 alone. It would begin its first step
  # while the others still compile, and Gloo waits for them for 30 s only.
  if jax.process_count() > 1 and jax.default_backend() == 'cpu':
    jax.config.update('jax_compilation_cache_dir', None)


def check_same_work(facts: Mapping[str, Any]) -> None:
  """Raises `UserError` unless all processes of a pod were given the same work.

  Args:
    facts: see `pod_agreement.facts_of_work`.
  """
  state = coordination()

  def share(text: str) -> str:
    if state.process_id == 0:
      state.client.key_value_set(_WORK, text)
    # The others may begin later.
    return state.client.blocking_key_value_get(_WORK, _SHARE_MILLISECONDS)

  check_agreement(facts, state.process_id, share)
  # Process 0, which agrees with itself, must not begin before the others do.
  state.client.wait_at_barrier(_WORK, _SHARE_MILLISECONDS)
