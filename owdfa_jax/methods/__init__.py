"""Methods by name. To add one: write its file, add its line here."""

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
