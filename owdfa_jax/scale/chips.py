"""The devices that a step is compiled for, whether they are there or not."""

import os
import re
from typing import Any

import jax
from jax.experimental import topologies

from input_pipeline.errors import UsageError, UserError
from owdfa_jax.parallel import Placement, make_placement
from owdfa_jax.scale.gpus import GPUS, PER_MACHINE

# The name of the devices of this machine.
LOCAL = 'local'
# What the compiler for TPUs would else ask of the machine that it runs on.
_NO_TPU = {
  'TPU_SKIP_MDS_QUERY': '1',
  'TPU_ACCELERATOR_TYPE': 'v5litepod-4',
  'TPU_WORKER_HOSTNAMES': 'localhost',
  'TPU_WORKER_ID': '0',
}
# A kind of TPU chips and their arrangement.
_TPUS = re.compile('[A-Za-z0-9 ]+:[0-9]+(x[0-9]+)+(_twisted)?')
# Of these, JAX has one device for the two cores of a chip.
_ONE_DEVICE_A_CHIP = {'v4': {'chip_config_name': 'megacore'}}
# The longest side of a pod. For larger ones the compiler ends the process.
_LONGEST_SIDES = {'TPU v5 lite': 16}
_GPUS = re.compile(f'({"|".join(GPUS)}):([1-9][0-9]{{0,5}})')
_EXAMPLES = f'use one such as v5e:16x16 or h100:8, or {LOCAL}'


def placement_of(topology: str, count: int = 0) -> Placement:
  """Returns a placement over the chips of a topology.

  Args:
    topology: the name of TPU chips and their arrangement, such as 'v5e:16x16',
      or of GPUs and their number, such as 'h100:8', for which a compiler must
      be installed but no chip be there; or `LOCAL`.
    count: the number of chips, the first ones; 0 for all.

  Raises:
    UserError: the compiler is not installed, does not know the topology, or it
      has fewer chips; or the first chips do not fill a rectangle.
  """
  if topology == LOCAL:
    devices = jax.devices()
  elif is_gpu(topology):
    devices = _gpus(topology)
  else:
    devices = _tpu_chips(topology)
  if count > len(devices):
    raise UserError(
      f'too few devices: --devices={count} (--topology={topology} has '
      f'{len(devices)}); give a smaller number'
    )
  try:
    return make_placement(devices[: count or None])
  except AssertionError as error:  # The only error that JAX raises here.
    raise UserError(
      f'no arrangement: --devices={count} (the first {count} chips of '
      f'--topology={topology} fill no rectangle); give 1, 0 for all, or a '
      'topology of as many chips'
    ) from error


def kept_name(topology: str, placement: Placement) -> str:
  """Returns what the rows of a file call the chips of a topology.

  Devices of this machine are named by their kind, since the file may be read
  on another machine.

  Args:
    topology: see `placement_of`.
    placement: what it returned.
  """
  if topology != LOCAL:
    return topology
  return f'{LOCAL}, {placement.mesh.devices.flat[0].device_kind}'


def is_gpu(topology: str) -> bool:
  """Returns whether a topology names GPUs, such as 'h100:8'."""
  return topology.partition(':')[0] in GPUS


def chip_options(topology: str) -> dict[str, Any]:
  """Returns the options of the compiler for a topology."""
  # It would choose algorithms by trying them on a GPU.
  return {'xla_gpu_autotune_level': 0} if is_gpu(topology) else {}


def _gpus(topology: str) -> list[jax.Device]:
  """Returns GPUs that are not there, on machines of `PER_MACHINE` each."""
  match = _GPUS.fullmatch(topology)
  number = int(match[2]) if match else 0
  machines, rest = divmod(number, PER_MACHINE)
  if match is None or (machines and rest):
    raise UsageError(
      f'not a topology: --topology={topology} (after the colon comes a number '
      f'of GPUs, up to {PER_MACHINE} or a multiple of it); {_EXAMPLES}'
    )
  shape = f'1x{machines}x{PER_MACHINE}' if machines else f'1x1x{number}'
  try:
    return list(
      topologies.get_topology_desc(
        platform='cuda',
        target_config=GPUS[match[1]].target_config(),
        topology=shape,
      ).devices
    )
  except (RuntimeError, KeyError) as error:
    raise UserError(
      f'no compiler for GPUs: --topology={topology} needs the CUDA plugin of '
      f"JAX; run `pip install 'owdfa-jax[cuda-compiler]'`, or give "
      f'--topology={LOCAL}'
    ) from error


def _tpu_chips(topology: str) -> list[jax.Device]:
  if not _TPUS.fullmatch(topology):
    raise UsageError(
      f'not a topology: --topology={topology} (a kind of chips, a colon and '
      f'their arrangement); {_EXAMPLES}'
    )
  for name, value in _NO_TPU.items():
    os.environ.setdefault(name, value)
  try:
    chips = list(
      topologies.get_topology_desc(
        platform='tpu',
        topology_name=topology,
        **_ONE_DEVICE_A_CHIP.get(topology.partition(':')[0], {}),
      ).devices
    )
  except RuntimeError as error:
    reason = str(error).splitlines()[0]
    if 'not installed' in reason:
      raise UserError(
        f'no compiler for TPUs: --topology={topology} needs libtpu; run `pip '
        f"install 'owdfa-jax[tpu]'`, or give --topology={LOCAL}"
      ) from error
    raise UsageError(
      f'not a topology: --topology={topology} ({reason}); {_EXAMPLES}'
    ) from error
  longest = _LONGEST_SIDES.get(chips[0].device_kind)
  if longest and max(max(chip.coords) for chip in chips) >= longest:
    raise UsageError(
      f'too large: --topology={topology} (a pod of {chips[0].device_kind} has '
      f'at most {longest} chips along a side); {_EXAMPLES}'
    )
  return chips
