"""The sources of a run that is loaded: made anew in memory if need be.

`owdfa attribute` writes a file of sources that is missing or of an earlier
version. Loading a run writes nothing, and gives the same answers.
"""

from input_pipeline.errors import UserError
from input_pipeline.progress_bars import without_progress
from owdfa_jax.evaluation.calibration_report import fit_stopped
from owdfa_jax.evaluation.restore import RestoredNetwork, restore_network
from owdfa_jax.evaluation.seen_sources import fit_sources, is_current
from owdfa_jax.evaluation.sources_file import SeenSources, read_sources
from owdfa_jax.experiment import Experiment, build_experiment
from owdfa_jax.training.run_data import inputs_with_images
from owdfa_jax.training.run_record import check_same_network

# How a user of Python says where the packed directory is.
DATA_ARGUMENT = 'data=DIR'
_EARLIER = (
  'confidences are without a temperature, and no training images are named: '
  'the run was last evaluated by an earlier version; evaluate it again, where '
  'its packed data is'
)
_TOO_FEW_IMAGES = (
  'confidences are too high to be read as the chance of being right: the run '
  'has no temperature, since it had fewer than 20 training images without a '
  'label (of tiles, the images that they were cut from count)'
)
_FAILED = (
  'confidences are not the chance of being right, and have no temperature: {}; '
  'train the run for longer, or on more images'
)


def remark_on(seen: SeenSources | None) -> str:
  """Returns why confidences have no temperature; '' if they have one.

  Args:
    seen: the sources of the run; None if it has none.
  """
  if seen is not None and seen.calibration is not None:
    return ''
  if seen is not None and seen.failed and seen.failed.failed:
    return _FAILED.format(fit_stopped(*seen.failed.failed))
  return _EARLIER if seen is None or seen.sample is None else _TOO_FEW_IMAGES


def current_sources(
  experiment: Experiment, restored: RestoredNetwork
) -> tuple[SeenSources | None, str]:
  """Returns the sources that `prepare.prepare_run` would leave in a run.

  Nothing is written or shown. Training images are read only for sources that
  are missing, or of an earlier version in a run without `data.json`.

  Args:
    experiment: the run; its dataset may be without images.
    restored: its network.

  Returns:
    The sources, and '' or, with None, why there are none.

  Raises:
    UserError: a file is damaged, or the data is of another run.
  """
  where = experiment.workdir, restored.folder, experiment.config
  found, has_images = read_sources(*where), experiment.dataset.has_images
  if found is not None and (is_current(found) or not has_images):
    return found, ''
  if not has_images:
    try:
      inputs = inputs_with_images(
        experiment.config, experiment.workdir, DATA_ARGUMENT
      )
    except UserError as error:
      return None, (
        'no unseen scores and no temperature: the file of sources is missing '
        f'or of other settings, and {error}'
      )
    check_same_network(inputs)
    experiment = build_experiment(inputs, trains=False)
    restored = restore_network(experiment)
  with without_progress():
    return fit_sources(experiment, restored), ''
