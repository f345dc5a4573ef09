"""The names of a network's outputs, with those that the user gave."""

from input_pipeline.dataset import PackedDataset
from input_pipeline.errors import UserError
from input_pipeline.forgery_types import UNKNOWN_TYPE
from owdfa_jax.evaluation.cluster_parts import ClusterParts, parts_of_names
from owdfa_jax.evaluation.names_file import (
  names_of_clusters,
  names_of_run,
  with_names,
)
from owdfa_jax.evaluation.training_sample import TrainingSample
from owdfa_jax.experiment import Experiment


def source_names(experiment: Experiment, step: int) -> tuple[str, ...]:
  """Returns the name of each output, with those that the user gave.

  Args:
    experiment: the run; its `eval.classify_by` classifies.
    step: the step of the checkpoint.

  Raises:
    UserError: the names file is damaged, or of other clusters.
  """
  names = output_names(experiment)
  given = names_of_clusters(
    experiment.workdir,
    step,
    experiment.config.eval.classify_by,
    names[: experiment.dataset.num_known],
    experiment.num_outputs,
  )
  return with_names(names, given)


def split_clusters(
  experiment: Experiment, step: int, sample: TrainingSample | None
) -> ClusterParts | None:
  """Returns the parts of the clusters that the user split; None without any.

  Args:
    experiment: the run; its `eval.classify_by` classifies.
    step: the step of the checkpoint.
    sample: the training images that the run carries.

  Raises:
    UserError: the names file is damaged, or of other clusters, or a cluster
      cannot be split.
  """
  found = names_of_run(
    experiment.workdir,
    step,
    experiment.config.eval.classify_by,
    output_names(experiment)[: experiment.dataset.num_known],
    experiment.num_outputs,
  )
  if found is None:
    return None
  return parts_of_names(found.parts, sample, experiment.workdir)


def source_names_or_warning(
  experiment: Experiment, step: int
) -> tuple[tuple[str, ...], str]:
  """Returns the names of `source_names`, or those without the user's.

  For an evaluation, whose figures do not depend on names.

  Args:
    experiment: the run.
    step: the step of the checkpoint.

  Returns:
    The names, and why they are not the user's, '' if they are.
  """
  try:
    return source_names(experiment, step), ''
  except UserError as error:
    return tuple(output_names(experiment)), str(error)


def output_names(experiment: Experiment) -> list[str]:
  """Returns a name for each of the network's outputs; see `name_outputs`."""
  return name_outputs(experiment.dataset, experiment.num_outputs)


def name_outputs(dataset: PackedDataset, num_outputs: int) -> list[str]:
  """Returns a name for each of K outputs.

  Known classes have names. A novel output is a cluster of images, and the
  data does not say which source it stands for: it is `novel-<output>`.

  Args:
    dataset: whose known classes come first.
    num_outputs: K.
  """
  known = [entry.name for entry in dataset.classes[: dataset.num_known]]
  novel = range(dataset.num_known, num_outputs)
  return known + [f'novel-{output}' for output in novel]


def real_classes(dataset: PackedDataset) -> list[int]:
  """Returns the known classes of real (not forged) images.

  Only known classes: nothing tells which novel outputs hold real images.
  """
  return [
    entry.label
    for entry in dataset.classes
    if entry.face_type == 1 and entry.known
  ]


def no_real_source(dataset: PackedDataset) -> str:
  """Returns what follows for photographs if no known source is real.

  Args:
    dataset: of the run.

  Returns:
    A sentence without capital and full stop; '' if a known source is real.
  """
  if real_classes(dataset):
    return ''
  known = [entry for entry in dataset.classes if entry.known]
  result = 'a real photograph may get the name of any source'
  if any(entry.forgery_type == UNKNOWN_TYPE for entry in known):
    return (
      'folders do not say which sources are photographs; if none of the known '
      f'ones is, {result}'
    )
  return f'no source of real images was trained, so {result}'
