"""Runs a Python program whose mesh passes every process of a pod several times.

TPU pods have such meshes: their order follows the links between the chips. On
CPUs, JAX would give each process neighbouring places. The words before the
program are the interpreter and this file:

  python tests/helpers/mixed_mesh.py python main.py ...
"""

import runpy
import sys

import jax
import numpy as np


def mixed_mesh(shape, names, *, axis_types, devices):
  """As `jax.make_mesh` for one axis, with devices of even places first."""
  order = np.array([*devices[::2], *devices[1::2]]).reshape(shape)
  return jax.sharding.Mesh(order, names, axis_types=axis_types)


if __name__ == '__main__':
  jax.make_mesh = mixed_mesh
  _, _, program, *arguments = sys.argv
  sys.argv = [program, *arguments]
  sys.path[0] = ''
  runpy.run_path(program, run_name='__main__')
