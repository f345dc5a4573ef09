"""Devices: one mesh axis, `data`; batches are split over it, states copied."""

import dataclasses
from typing import Any

import jax
import numpy as np

from input_pipeline.errors import UserError


@dataclasses.dataclass(frozen=True)
class Placement:
  """Where arrays live.

  Attributes:
    mesh: all devices of all processes along one axis, `data`.
  """

  mesh: jax.sharding.Mesh

  @property
  def replicated(self) -> jax.NamedSharding:
    """The same array on every device."""
    return jax.NamedSharding(self.mesh, jax.P())

  @property
  def by_batch(self) -> jax.NamedSharding:
    """The leading axis split over the devices."""
    return jax.NamedSharding(self.mesh, jax.P('data'))

  def put_batch(self, batch: dict[str, np.ndarray]) -> dict[str, jax.Array]:
    """Makes global arrays of this process's rows of a global batch.

    Args:
      batch: name -> [local rows, ...]; the global array is the concatenation
        over processes.

    Returns:
      name -> [global rows, ...], split over `data`.
    """
    # The one place where data crosses from host to device.
    with jax.transfer_guard_host_to_device('allow'):
      return jax.tree.map(
        lambda rows: jax.make_array_from_process_local_data(
          self.by_batch, rows
        ),
        batch,
      )


def place(devices: list[jax.Device] | None = None) -> Placement:
  """Lays a one-axis mesh over `devices` (default: every device there is).

  The axis is `Auto`: pairing compares all rows with all rows, gathers and
  sorts, which `Explicit` axes (the default of `jax.make_mesh`) reject.
  """
  devices = jax.devices() if devices is None else devices
  mesh = jax.make_mesh(
    (len(devices),),
    ('data',),
    axis_types=(jax.sharding.AxisType.Auto,),
    devices=devices,
  )
  return Placement(mesh)


def check_batch_size(batch_size: int, placement: Placement) -> None:
  """`UserError` unless every device gets the same number of row pairs.

  A labelled and an unlabelled row lie side by side, so half a batch (what
  the lower bound runs on) must divide as well.
  """
  devices = placement.mesh.size
  if batch_size % (2 * devices):
    raise UserError(
      f'the batch cannot be split evenly: --config.batch_size={batch_size} '
      f'over {devices} devices; use a multiple of {2 * devices}'
    )


def round_up(rows: int, placement: Placement) -> int:
  """The smallest multiple of the device count that is at least `rows`."""
  return -(-rows // placement.mesh.size) * placement.mesh.size


def to_host(tree: Any) -> Any:
  """Fetches replicated arrays as numpy, on every process alike."""
  return jax.device_get(tree)
