"""Devices: batches are split over them, everything else is on all of them.

Large networks may be an exception: see `Placement.state_shards`.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from input_pipeline.batches import Batch
from input_pipeline.errors import UserError
from input_pipeline.text_tables import counted

P = ParamSpec('P')
R = TypeVar('R')
# Numbers the functions of `compile_together`: all processes count alike.
_compiled = itertools.count()
_COMPILE_MILLISECONDS = 3_600_000
# Arrays with fewer values are copied to every device: splitting them would cost
# messages and save next to nothing.
LEAST_SPLIT = 4096
# A batch on the devices: arrays by name, [B, ...].
DeviceBatch = dict[str, jax.Array]


@dataclasses.dataclass(frozen=True)
class Placement:
  """Where arrays are stored.

  Attributes:
    mesh: all devices of all processes along one axis, `data`.
    state_shards: how many neighbouring devices share one copy of the parameters
      and the optimiser's state; with 1, each device has a copy.
  """

  mesh: jax.sharding.Mesh
  state_shards: int = 1

  @property
  def replicated(self) -> jax.NamedSharding:
    """A copy of the whole array on every device."""
    return jax.NamedSharding(self.mesh, jax.P())

  @property
  def by_batch(self) -> jax.NamedSharding:
    """The leading axis split over the devices."""
    return jax.NamedSharding(self.mesh, jax.P('data'))

  def of_parameter(self, shape: tuple[int, ...]) -> jax.NamedSharding:
    """Where an array of the parameters or the optimiser's state is stored.

    The longest axis that `state_shards` divides is split over as many devices,
    those along the axis `shard` of a mesh of the same devices with two axes
    (Rajbhandari et al., "ZeRO", SC 2020, stage 3: the program gathers the
    parameters of a layer where it needs them). Small arrays, and those without
    such an axis, are copied.

    Args:
      shape: of the array.
    """
    shards = self.state_shards
    fitting = [axis for axis, size in enumerate(shape) if not size % shards]
    if shards == 1 or math.prod(shape) < LEAST_SPLIT or not fitting:
      return self.replicated
    longest = max(fitting, key=lambda axis: shape[axis])
    mesh = jax.sharding.Mesh(
      self.mesh.devices.reshape(-1, shards),
      ('copy', 'shard'),
      axis_types=(jax.sharding.AxisType.Auto,) * 2,
    )
    return jax.NamedSharding(mesh, jax.P(*[None] * longest, 'shard'))

  def own_rows(self, count: int) -> np.ndarray:
    """Returns which rows of a global batch the devices of this process have.

    On a pod these need not be neighbours: the devices are in an order that
    follows the links between them, which may pass a process several times.

    Args:
      count: B, the rows of the batch, a multiple of the number of devices.

    Returns:
      int64 [b], ascending.
    """
    parts = self.by_batch.addressable_devices_indices_map((count,))
    rows = np.arange(count)
    return np.sort(np.concatenate([rows[part] for part in parts.values()]))

  def own_part(self, batch: Batch) -> Batch:
    """Returns this process's rows of a batch that every process has whole.

    Args:
      batch: arrays [B, ...], B a multiple of the number of devices.
    """
    return {
      name: rows[self.own_rows(len(rows))] for name, rows in batch.items()
    }

  def put_batch(self, batch: Batch) -> DeviceBatch:
    """Copies a batch to the devices.

    Args:
      batch: arrays [b, ...]: the rows of the global batch that `own_rows`
        names, in this order.

    Returns:
      Arrays [B, ...]: the rows of all processes, in the order of the global
      batch, split over the devices.
    """
    # The training loop forbids transfers from the host; this one is intended.
    with jax.transfer_guard_host_to_device('allow'):
      return jax.tree.map(
        lambda rows: jax.make_array_from_process_local_data(
          self.by_batch, rows
        ),
        batch,
      )


def make_placement(devices: list[jax.Device] | None = None) -> Placement:
  """Returns a placement over `devices`; over all devices by default."""
  devices = jax.devices() if devices is None else devices
  mesh = jax.make_mesh(
    (len(devices),),
    ('data',),
    # Losses compare all rows of a batch with all rows, gather and sort. With
    # `Explicit` axes, the default, JAX rejects that; with `Auto` axes the
    # compiler chooses the communication.
    axis_types=(jax.sharding.AxisType.Auto,),
    devices=devices,
  )
  return Placement(mesh)


def check_batch_size(batch_size: int, placement: Placement) -> None:
  """Raises `UserError` unless a batch splits evenly over the devices.

  Each device gets as many labelled as unlabelled rows. The labelled half alone
  must split evenly as well: the lower bound trains on it.

  Args:
    batch_size: rows of a global batch.
    placement: the devices.
  """
  devices = placement.mesh.size
  if batch_size % (2 * devices):
    raise UserError(
      f'the batch cannot be split evenly: --config.batch_size={batch_size} '
      f'over {counted(devices, "device")}; use a multiple of {2 * devices}'
    )


def check_state_shards(state_shards: int, placement: Placement) -> None:
  """Raises `UserError` unless the devices fall into groups of `state_shards`.

  Args:
    state_shards: devices that share one copy of the state.
    placement: the devices.
  """
  devices = placement.mesh.size
  if devices % state_shards:
    raise UserError(
      'the devices cannot share copies of the parameters: --config.'
      f'state_shards={state_shards} of {counted(devices, "device")}; use a '
      f'number that divides {devices}'
    )


def check_groups(size: int, batch_size: int, placement: Placement) -> None:
  """Raises `UserError` unless groups of rows fit the batch and the devices.

  Each group gets as many labelled as unlabelled rows. A device has several
  whole groups, or a group has several whole devices.

  Args:
    size: rows of a group; 0 for the whole batch.
    batch_size: rows of a global batch, which splits evenly over the devices.
    placement: the devices.
  """
  devices = placement.mesh.size
  rows = batch_size // devices
  fits = not size % 2 and not batch_size % max(size, 1)
  if size and not (fits and (rows % size == 0 or size % rows == 0)):
    raise UserError(
      'the batch cannot be paired in groups: --config.method.params.'
      f'pair_within={size} ({counted(devices, "device")} with {rows} of the '
      f'{batch_size} rows each); use an even number that divides {rows}, a '
      f'multiple of {rows} that divides {batch_size}, or 0'
    )


def round_up(rows: int, placement: Placement) -> int:
  """Returns the smallest multiple of the device count that is >= `rows`."""
  return -(-rows // placement.mesh.size) * placement.mesh.size


def from_first_process(value: int) -> int:
  """Returns the `value` of process 0, the same on every process of a pod.

  All processes must call this at the same point of the program.
  """
  return int(_of_all_processes(value)[0])


def first_process_with(value: bool) -> int | None:
  """Returns the lowest number of a process whose `value` is true, or None.

  The result is the same on every process of a pod. All processes must call
  this at the same point of the program.
  """
  found = np.flatnonzero(_of_all_processes(value))
  return int(found[0]) if len(found) else None


def largest_of_processes(value: int) -> int:
  """Returns the largest `value` of all processes of a pod, the same on each.

  All processes must call this at the same point of the program.
  """
  return int(_of_all_processes(value).max())


def _of_all_processes(value: int) -> np.ndarray:
  """Returns the values of all P processes in their order, int32 [P]."""
  own = np.array([value], np.int32)
  if jax.process_count() == 1:
    return own
  # The training loop forbids transfers from the host; this one is intended.
  with jax.transfer_guard_host_to_device('allow'):
    return multihost_utils.process_allgather(own).ravel()


def write_in_first_process(what: str, write: Callable[[], object]) -> None:
  """Writes files in process 0 of a pod, and lets the others wait for them.

  All processes must call this at the same point of the program.

  Args:
    what: is written.
    write: writes it.
  """
  if jax.process_index() == 0:
    write()
  multihost_utils.sync_global_devices(f'written: {what}')


def coordination() -> Any:
  """Returns how the processes of a pod are connected.

  Its `client` has a store of texts and barriers without collectives; beside it
  are `process_id`, `num_processes` and `coordinator_address`.
  """
  # JAX has no public name for it, so only pods import it.
  from jax._src import distributed

  return distributed.global_state


def compile_together(function: Callable[P, R]) -> Callable[P, R]:
  """Returns a jitted function that the processes of a pod first run together.

  Each process compiles by itself. On CPUs, XLA's collectives give up if another
  process starts half a minute later. So every process waits until all have
  compiled. For one process alone, returns the function as it is.

  Args:
    function: what `jax.jit` returned. Its arguments must keep their shapes and
      shardings. All processes must pass their functions in the same order.
  """
  if jax.process_count() == 1:
    return function
  number = next(_compiled)
  programs: list[Callable[P, R]] = []

  def run(*args: P.args, **kwargs: P.kwargs) -> R:
    if not programs:
      jitted: Any = function
      programs.append(jitted.lower(*args, **kwargs).compile())
      coordination().client.wait_at_barrier(
        f'owdfa/compiled/{number}', _COMPILE_MILLISECONDS
      )
    return programs[0](*args, **kwargs)

  return run


def to_host(tree: Any) -> Any:
  """Returns replicated arrays as numpy arrays, the same on every process."""
  return jax.device_get(tree)
