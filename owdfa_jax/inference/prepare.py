"""Makes a run ready to attribute images, with or without its own images."""

import jax

from input_pipeline.errors import UserError
from owdfa_jax.discovery.find_centres import ensure_centres
from owdfa_jax.evaluation.centres_file import CENTRES, belongs_to, read_centres
from owdfa_jax.evaluation.restore import restore_network
from owdfa_jax.evaluation.seen_sources import ensure_sources
from owdfa_jax.evaluation.sources_file import SOURCES, read_sources
from owdfa_jax.experiment import Experiment, build_experiment
from owdfa_jax.training.run_data import (
  DATA_OPTION,
  inputs_with_images,
  write_run_data,
)
from owdfa_jax.training.run_record import check_same_network


def prepare_run(
  experiment: Experiment, option: str = DATA_OPTION
) -> Experiment:
  """Writes what a run needs to attribute images, unless it is there.

  That is the file of its centres, where centres classify, that of its sources,
  and `data.json`. Its images are read only for a file that is missing.

  Args:
    experiment: a trained run; its dataset may be without images.
    option: how the user says where the packed directory is.

  Returns:
    The run, with its images if they were read.

  Raises:
    UserError: a file is missing and the images are not there, or it is damaged
      or cannot be written.
  """
  if not experiment.dataset.has_images:
    missing = _missing_file(experiment)
    if not missing:
      return experiment
    try:
      inputs = inputs_with_images(experiment.config, experiment.workdir, option)
    except UserError as error:
      raise UserError(
        f'a file has to be made: {missing} is missing or of other settings, '
        f'and {error}'
      ) from error
    check_same_network(inputs)
    experiment = build_experiment(inputs, trains=False)
  if jax.process_index() == 0:
    write_run_data(experiment)
  ensure_centres(experiment)
  ensure_sources(experiment)
  return experiment


def _missing_file(experiment: Experiment) -> str:
  """Returns which file is missing, of a run's centres or sources; or ''."""
  restored = restore_network(experiment, by_head=True)
  workdir, step, config = experiment.workdir, restored.step, experiment.config
  if config.eval.classify_by == 'centres':
    found = read_centres(workdir, step)
    if found is None or not belongs_to(found, restored.folder, config):
      return str(CENTRES.path(workdir, step))
  if read_sources(workdir, restored.folder, config) is None:
    return str(SOURCES.path(workdir, step))
  return ''
