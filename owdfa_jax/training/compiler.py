"""Options of XLA for the training step."""

import functools

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


def compiler_options(placement: Placement) -> dict[str, str] | None:
  """Returns the `compiler_options` of `jax.jit` for some devices.

  Args:
    placement: the devices, which need not be there.

  Returns:
    None for XLA's own.
  """
  platform = placement.mesh.devices.flat[0].platform
  return dict(_PROCESSORS) if platform == 'cpu' and _are_known() else None


@functools.cache
def _are_known() -> bool:
  """Says whether the installed XLA has the options; the flag is a new one."""
  program = jax.jit(lambda: 0, compiler_options=_PROCESSORS)
  try:
    program.lower().compile()
  except jax.errors.JaxRuntimeError:
    return False
  return True
