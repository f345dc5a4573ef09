"""Builds the parts of a run from its config and checks that they fit."""

import dataclasses
from collections.abc import Callable

import jax
import ml_collections
import numpy as np
from flax import nnx
from ml_collections.config_flags import config_path

from input_pipeline import pseudo_labels
from input_pipeline.errors import UserError
from input_pipeline.machine import memory_bytes
from owdfa_jax import parallel
from owdfa_jax.losses.pseudo_label_rules.by_name import RULES
from owdfa_jax.losses.pseudo_label_rules.parameters import RULE_PARAMETERS
from owdfa_jax.methods.base import Method
from owdfa_jax.methods.by_name import METHODS
from owdfa_jax.methods.with_pseudo_labels import WithPseudoLabels
from owdfa_jax.models import classifier
from owdfa_jax.models.create import create_classifier
from owdfa_jax.settings import RunInputs, check_run, count_classes

# A process that makes batches takes about twice as much.
_WORKER_BYTES = 2**27

Build = Callable[[nnx.Rngs], classifier.Classifier]


@dataclasses.dataclass(frozen=True)
class Experiment(RunInputs):
  """The parts of a run that training and evaluation share.

  Attributes:
    placement: the devices, and how arrays are spread over them.
    method: the training method with its parameters.
    num_outputs: width of the head: the number of known and novel classes, or
      more for a method that finds out how many there are.
    build: makes the network from its random streams.
  """

  placement: parallel.Placement
  method: Method
  num_outputs: int
  build: Build


def set_up(config: ml_collections.ConfigDict, workdir: str) -> Experiment:
  """Checks a config, opens its data, and builds the parts of the run.

  Raises:
    UserError: see `settings.check_run` and `build_experiment`.
  """
  return build_experiment(check_run(config, workdir))


def build_experiment(inputs: RunInputs, *, trains: bool = True) -> Experiment:
  """Builds the parts of a run whose inputs have been checked.

  Nothing is written, and no network is initialised.

  Args:
    inputs: of the run.
    trains: whether the run is to train here. A trained one may have a batch
      that does not fit the devices of this machine.

  Raises:
    UserError: the batch or the state cannot be spread evenly over the devices,
      the images are too small for the network, or the memory is too small for
      the run.
  """
  config, dataset = inputs.config, inputs.dataset
  method = make_method(config)
  num_outputs = method.num_outputs(dataset.num_known)
  if num_outputs is None:
    num_outputs = count_classes(config, dataset)
  placement = parallel.make_placement()
  if trains:
    parallel.check_batch_size(config.batch_size, placement)
    group = config.method.params.get('pair_within', 0)
    parallel.check_groups(group, config.batch_size, placement)
    parallel.check_state_shards(config.state_shards, placement)
    placement = dataclasses.replace(placement, state_shards=config.state_shards)

  build = network_builder(config, method, num_outputs, dataset.image_size)
  # Tracing finds sizes that do not fit before anything is written.
  shapes = nnx.state(nnx.eval_shape(lambda: build(nnx.Rngs(0))), nnx.Param)
  check_memory(
    config, dataset.image_size, sum(x.size for x in jax.tree.leaves(shapes))
  )
  return Experiment(
    config=config,
    workdir=inputs.workdir,
    dataset=dataset,
    placement=placement,
    method=method,
    num_outputs=num_outputs,
    build=build,
  )


def network_builder(
  config: ml_collections.ConfigDict,
  method: Method,
  num_outputs: int,
  image_size: int,
) -> Build:
  """Returns the function that makes the network of a config.

  Args:
    config: the settings of the run.
    method: asks for branches of the network.
    num_outputs: width of the head.
    image_size: S, of images of S x S pixels.
  """
  network = config.model.to_dict()
  # These two say where the weights come from, not what the network is.
  del network['init'], network['init_head']

  def build(rngs: nnx.Rngs) -> classifier.Classifier:
    return create_classifier(
      **network,
      num_outputs=num_outputs,
      image_size=image_size,
      branches=method.branches,
      rngs=rngs,
    )

  return build


def check_memory(
  config: ml_collections.ConfigDict, image_size: int, num_parameters: int
) -> None:
  """Raises `UserError` if this machine has too little memory for a run.

  Counts only what every run needs, so one that passes may still fail.

  Args:
    config: the settings of the run.
    image_size: S, of images of S x S pixels.
    num_parameters: of the network.
  """
  memory = memory_bytes()
  image = 3 * image_size**2
  needs = {
    # float32, and Adam's two moments of each.
    'model.width': 12 * num_parameters,
    # uint8, and float32 in the network.
    'batch_size': 5 * image * config.batch_size,
    'eval.batch_size': 5 * image * config.eval.batch_size,
    # Each thread has two batches waiting.
    'data.num_threads': 2 * image * config.batch_size * config.data.num_threads,
    # Python, with the libraries that a worker imports.
    'data.num_workers': _WORKER_BYTES * config.data.num_workers,
  }
  for field, need in needs.items():
    if need > memory:
      raise UserError(
        f'too little memory: --config.{field}='
        f'{config_path.get_value(field, config)} needs more than '
        f'{need / 2**30:.0f} GiB, this machine has {memory / 2**30:.0f}; give '
        'a smaller one'
      )


def make_method(config: ml_collections.ConfigDict) -> Method:
  """Returns the method that a checked config names, with its parameters.

  If the config names a pseudo-label rule, the rule's term is added.
  """
  method = METHODS[config.method.name](**config.method.params)
  if not config.pseudo.rule:
    return method
  rule = RULES[config.pseudo.rule]
  # `pseudo.params` holds the parameters of all rules.
  fields = dataclasses.fields(RULE_PARAMETERS[config.pseudo.rule])
  params = {field.name: config.pseudo.params[field.name] for field in fields}
  return WithPseudoLabels(
    method=method, rule=rule(**params), weight=config.pseudo.weight
  )


def read_pseudo_label(experiment: Experiment) -> np.ndarray | None:
  """Returns the classes that unlabelled rows are trained as.

  Returns:
    int32 [N], -1 for rows without one; or None if the config names no file.

  Raises:
    UserError: the file is missing or damaged, or belongs to other images.
  """
  path = experiment.config.data.pseudo_labels
  if not path:
    return None
  return pseudo_labels.read_pseudo_labels(
    path, experiment.dataset, experiment.num_outputs
  )
