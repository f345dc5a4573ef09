"""Options of XLA for the training step, and for programs that run once."""

import functools
from collections.abc import Mapping
from typing import Any

import jax

from owdfa_jax.parallel import Placement

# XLA leaves convolutions on processors to one of two libraries, and prefers
# YNNPACK. It takes two to four times as long as Eigen for the gradients of
# kernels, and no less for the others. Sums and products stay with YNNPACK.
_PROCESSORS = {
  'xla_cpu_experimental_ynn_fusion_type': (
    'LIBRARY_FUSION_TYPE_REDUCE,LIBRARY_FUSION_TYPE_DOT,'
    'LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT'
  ),
}
# Without optimisation, the many random draws of a ResNet take a few seconds to
# compile and not half a minute.
_ONCE = {
  'xla_backend_optimization_level': 0,
  'xla_llvm_disable_expensive_passes': True,
}
# The older of XLA's two ways to make machine code of an operation takes half
# the time, for code that is a little slower and gives the same numbers.
_ONCE_ON_PROCESSORS = {'xla_cpu_use_fusion_emitters': False}


def compiler_options(placement: Placement) -> dict[str, str] | None:
  """Returns the `compiler_options` of `jax.jit` for some devices.

  Args:
    placement: the devices, which need not be there.

  Returns:
    None for XLA's own.
  """
  return dict(_PROCESSORS) if _take(placement, _PROCESSORS) else None


def options_to_run_once(placement: Placement) -> dict[str, Any]:
  """Returns the `compiler_options` of a program that runs only once.

  It compiles fast and need not run fast.

  Args:
    placement: the devices.
  """
  options = dict(_ONCE)
  if _take(placement, _ONCE_ON_PROCESSORS):
    options |= _ONCE_ON_PROCESSORS
  return options


def _take(placement: Placement, options: Mapping[str, Any]) -> bool:
  """Says whether devices are processors whose XLA has the options."""
  platform = placement.mesh.devices.flat[0].platform
  return platform == 'cpu' and _are_known(tuple(options.items()))


@functools.cache
def _are_known(options: tuple[tuple[str, Any], ...]) -> bool:
  """Says whether the installed XLA has the options, some of which are new."""
  program = jax.jit(lambda: 0, compiler_options=dict(options))
  try:
    program.lower().compile()
  except jax.errors.JaxRuntimeError:
    return False
  return True
