"""A compiled step that takes the run's seed as an argument."""

import dataclasses
import functools
from typing import Any

import jax
import numpy as np

from owdfa_jax.parallel import DeviceBatch, Placement
from owdfa_jax.training.state import TrainState
from owdfa_jax.training.step_report import StepReport


@dataclasses.dataclass(frozen=True)
class SeededStep:
  """Takes steps with a program that several seeds share.

  As a constant of the program, each seed would make another one, which the
  cache of compiled programs does not have.

  Attributes:
    program: (state, batch, seed) -> (state, report), jitted or compiled; the
      seed is uint32 [].
    seed: below 2**32.
    placement: the devices, which need not be there before the first step.
  """

  program: Any
  seed: int
  placement: Placement

  def __call__(
    self, state: TrainState, batch: DeviceBatch
  ) -> tuple[TrainState, StepReport]:
    """Takes a step; the state is donated."""
    return self.program(state, batch, self._on_devices)

  def lower(self, state: Any, batch: Any) -> Any:
    """Returns the program, traced but not compiled: a `jax.stages.Lowered`.

    Args:
      state: arrays, or `jax.ShapeDtypeStruct` leaves.
      batch: likewise.
    """
    seed = jax.ShapeDtypeStruct(
      (), np.uint32, sharding=self.placement.replicated
    )
    return self.program.lower(state, batch, seed)

  def with_program(self, program: Any) -> 'SeededStep':
    """Returns a step that runs another program, such as a compiled one."""
    return dataclasses.replace(self, program=program)

  @functools.cached_property
  def _on_devices(self) -> jax.Array:
    """The seed on every device, put there once."""
    # The training loop forbids transfers from the host; this one is intended.
    with jax.transfer_guard_host_to_device('allow'):
      # Unlike `device_put`, this does not compare the seeds of all processes.
      return jax.make_array_from_callback(
        (), self.placement.replicated, lambda _: np.array(self.seed, np.uint32)
      )
