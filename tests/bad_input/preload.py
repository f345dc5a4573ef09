"""Imports what the commands import late, so that each case need not."""

import owdfa_jax.commands.modes
import owdfa_jax.commands.preflight
import owdfa_jax.commands.startup
import owdfa_jax.leaderboard.compare
import owdfa_jax.leaderboard.runs  # noqa: F401
from input_pipeline import (  # noqa: F401
  features,
  folder,
  loose_images,
  pack_costs,
  packing,
)
from input_pipeline.benchmarks import prepare_benchmark  # noqa: F401
from input_pipeline.simulate import simulated_dataset  # noqa: F401
from owdfa_jax.evaluation import overview_picture  # noqa: F401
