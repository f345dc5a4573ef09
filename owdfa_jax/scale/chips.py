"""The devices that a step is compiled for, whether they are there or not."""

import os

import jax
from jax.experimental import topologies

from input_pipeline.errors import UserError
from owdfa_jax.parallel import Placement, make_placement

# The name of the devices of this machine.
LOCAL = 'local'
# What the compiler for TPUs would else ask of the machine that it runs on.
_NO_TPU = {
  'TPU_SKIP_MDS_QUERY': '1',
  'TPU_ACCELERATOR_TYPE': 'v5litepod-4',
  'TPU_WORKER_HOSTNAMES': 'localhost',
  'TPU_WORKER_ID': '0',
}


def placement_of(topology: str, count: int = 0) -> Placement:
  """Returns a placement over the chips of a topology.

  Args:
    topology: the name of TPU chips and their arrangement, such as 'v5e:16x16',
      for which libtpu must be installed but no TPU be there; or `LOCAL`.
    count: the number of chips, the first ones; 0 for all.

  Raises:
    UserError: libtpu is not installed, does not know the topology, or it has
      fewer chips.
  """
  devices = jax.devices() if topology == LOCAL else _tpu_chips(topology)
  if count > len(devices):
    raise UserError(
      f'too few devices: --devices={count} (--topology={topology} has '
      f'{len(devices)}); give a smaller number'
    )
  return make_placement(devices[: count or None])


def _tpu_chips(topology: str) -> list[jax.Device]:
  for name, value in _NO_TPU.items():
    os.environ.setdefault(name, value)
  try:
    return list(
      topologies.get_topology_desc(
        platform='tpu', topology_name=topology
      ).devices
    )
  except RuntimeError as error:
    reason = str(error).splitlines()[0]
    if 'not installed' in reason:
      raise UserError(
        f'no compiler for TPUs: --topology={topology} needs libtpu; run `pip '
        f"install 'owdfa-jax[tpu]'`, or give --topology={LOCAL}"
      ) from error
    raise UserError(
      f'not a topology: --topology={topology} ({reason}); use one such as '
      f'v5e:16x16, or {LOCAL}'
    ) from error
