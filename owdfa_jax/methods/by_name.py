"""The methods by their names in configs.

A new method has a file of its own, its parameters in `parameters.py`, and a
line in each module's table.
"""

from owdfa_jax.methods.base import Method
from owdfa_jax.methods.cal import CAL
from owdfa_jax.methods.cpl import CPL
from owdfa_jax.methods.mpsl import MPSL
from owdfa_jax.methods.orca import ORCA
from owdfa_jax.methods.simgcd import SimGCD
from owdfa_jax.methods.supervised import Supervised

METHODS: dict[str, type[Method]] = {
  'cal': CAL,
  'cpl': CPL,
  'mpsl': MPSL,
  'orca': ORCA,
  'simgcd': SimGCD,
  'supervised': Supervised,
}
