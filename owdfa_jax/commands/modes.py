"""What each mode of a run does, once its inputs have been checked."""

from collections.abc import Sequence

import ml_collections

from input_pipeline.image_folders import FolderScan
from input_pipeline.pack_options import LOCAL
from input_pipeline.storage import run_folder
from owdfa_jax.discovery.estimate_from_network import estimate_from_network
from owdfa_jax.discovery.find_centres import evaluate_run
from owdfa_jax.discovery.spectrum_run import run_spectrum
from owdfa_jax.discovery.stages import (
  evaluate_each,
  evaluate_stages,
  train_stages,
)
from owdfa_jax.discovery.unknown_classes import estimate_lines
from owdfa_jax.evaluation.epoch_evaluator import train_with_evaluation
from owdfa_jax.experiment import build_experiment
from owdfa_jax.inference.attribute import attribute
from owdfa_jax.inference.prepare import prepare_run
from owdfa_jax.inference.tables import NUM_NEAREST
from owdfa_jax.page.after_evaluation import draw_after_evaluation
from owdfa_jax.settings import RunInputs
from owdfa_jax.training.timing import time_step


def run(
  mode: str,
  inputs: RunInputs,
  images: FolderScan | None,
  max_pixels: int | None = None,
  out: str | None = None,
  *,
  stability: bool = False,
  nearest: int = NUM_NEAREST,
  frames: bool = False,
  faces: bool = False,
  runner: str = LOCAL,
  beam_options: str = '',
) -> int:
  """Runs one mode and returns the exit status.

  Args:
    mode: 'train', which ends with an evaluation, 'eval', 'attribute',
      'estimate' or 'timing'.
    inputs: the checked config, workdir and data of the run.
    images: the images to attribute.
    max_pixels: the most pixels of one of them; None: as in packing.
    out: the table of their sources; None for one in the workdir.
    stability: whether they are also seen in mild views.
    nearest: how many training images are named beside each.
    frames: whether each frame of a video has a line too.
    faces: whether each face has a line too.
    runner: 'local', or the runner of Apache Beam that attributes.
    beam_options: further options of Beam.

  Raises:
    UserError: the run cannot start, or cannot go on.
  """
  if 'spectrum' in inputs.config:
    run_spectrum(inputs)
    draw_after_evaluation(inputs.config, str(inputs.workdir))
    return 0
  experiment = build_experiment(inputs, trains=mode in ('train', 'timing'))
  if mode == 'timing':
    time_step(experiment)
    return 0
  if mode == 'estimate':
    print('\n'.join(estimate_lines(estimate_from_network(experiment))))
    return 0
  if mode == 'attribute':
    assert images is not None
    return attribute(
      prepare_run(experiment),
      images,
      max_pixels,
      out,
      stability=stability,
      nearest=nearest,
      frames=frames,
      faces=faces,
      runner=runner,
      beam_options=beam_options,
    )
  if mode == 'train' and (status := train_with_evaluation(experiment)):
    return status
  evaluate_run(experiment)
  draw_after_evaluation(inputs.config, str(inputs.workdir))
  return 0


def run_stages(
  mode: str, config: ml_collections.ConfigDict, workdir: str
) -> int:
  """Trains or evaluates all stages of a run and returns the exit status.

  Raises:
    UserError: see `discovery.stages`.
  """
  if mode == 'train':
    if status := train_stages(config, workdir):
      return status
  else:
    evaluate_stages(config, workdir)
  draw_after_evaluation(config, run_folder(workdir))
  return 0


def evaluate_recorded(stages: Sequence[RunInputs]) -> None:
  """Evaluates the stages of a run that its folder describes.

  Args:
    stages: the inputs of its stages, in their order.

  Raises:
    UserError: see `discovery.stages`.
  """
  evaluate_each(
    [build_experiment(part, trains=False) for part in stages],
    stages[0].workdir.parent,
  )
  folder = str(stages[0].workdir.parent)
  draw_after_evaluation(stages[-1].config, folder)
