"""The lines at the start and at the end of a training."""

import resource
import sys
from typing import Any

import jax

from owdfa_jax.experiment import Experiment
from owdfa_jax.method_titles import method_title
from owdfa_jax.training.setup import Training
from owdfa_jax.training.state import Params

_GIB = 2**30


def start_line(
  experiment: Experiment, training: Training, params: Params, start: int
) -> str:
  """Returns what trains on what, how long, and where it writes.

  Args:
    experiment: the run.
    training: its length.
    params: the network's parameters, or their shapes.
    start: steps taken before.
  """
  config, mesh = experiment.config, experiment.placement.mesh
  kind = mesh.devices.flat[0].device_kind
  count = sum(x.size for x in jax.tree.leaves(params))
  done = f' from step {start} on' if start else ''
  return (
    f'training {method_title(config.to_dict())} on {mesh.size} x {kind}: '
    f'{config.model.backbone}, {count:,} parameters, {config.batch_size} '
    f'images a step, {training.num_steps:,} steps, '
    f'{training.steps_per_epoch:,} an epoch{done}; writes to '
    f'{experiment.workdir}'
  )


def memory_line() -> str:
  """Returns the most memory that this process has taken so far.

  Beside that of the host it has that of the fullest device, where the device
  counts it; CPUs do not.
  """
  line = f'most memory: {peak_host_bytes() / _GIB:.1f} GiB of this process'
  peaks = [
    stats['peak_bytes_in_use']
    for device in jax.local_devices()
    if 'peak_bytes_in_use' in (stats := memory_stats(device))
  ]
  if peaks:
    line += f', {max(peaks) / _GIB:.1f} GiB of a device'
  return line


def peak_host_bytes() -> int:
  """Returns the largest resident size that this process has had, in bytes."""
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  # Linux counts in KiB, macOS in bytes.
  return peak if sys.platform == 'darwin' else peak * 1024


def memory_stats(device: jax.Device) -> dict[str, Any]:
  """Returns what a device says of its memory; {} if it does not count it.

  Args:
    device: one of this process.
  """
  return device.memory_stats() or {}
