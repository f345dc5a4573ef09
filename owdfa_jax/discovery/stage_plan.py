"""The stages of a staged run, and the config of each of them.

A config of `configs/staged.py` is that of its method with a section `stages`.
"""

import dataclasses
import enum
import os

import ml_collections
from etils import epath

from input_pipeline.errors import UsageError, check_choice
from owdfa_jax.configs import staged
from owdfa_jax.setting_checks import (
  WHITENINGS,
  check_config,
  check_fields,
  flatten_settings,
)
from owdfa_jax.settings import RunInputs, check_run

# What labels the unlabelled images of a round; `labelling.LABELLERS` has the
# functions. Only names here, so that settings are checked without jax.
LABEL_BY = ('head', 'clusters')
# The folder of the supervised stage in the workdir.
FIRST_STAGE = '1-supervised'
# The folders of which the first stage has one.
FIRST_STAGES = (FIRST_STAGE, *(f'2-{name}' for name in staged.STAGED_METHODS))
# Settings (as a workdir records them) that a stage gets from the stage before,
# so that they are unknown until that has finished.
SETTINGS_FROM_STAGE_BEFORE = (
  'model.init',
  'data.pseudo_labels',
  'pseudo_labels',
)


class StageKind(enum.Enum):
  """What a stage trains.

  Attributes:
    SUPERVISED: cross entropy on the labelled images.
    METHOD: the run's method, from the network of the supervised stage.
    ROUND: the run's method, with pseudo-labels of the stage before.
  """

  SUPERVISED = 'supervised'
  METHOD = 'method'
  ROUND = 'round'


@dataclasses.dataclass(frozen=True)
class Stage:
  """One stage of a staged run.

  Attributes:
    name: the stage's folder in the workdir, such as '3-round1'.
    kind: what it trains.
    epochs: how many epochs it trains.
    is_last: whether its network is the result of the run.
  """

  name: str
  kind: StageKind
  epochs: int
  is_last: bool

  def config(
    self,
    run_config: ml_collections.ConfigDict,
    *,
    init: str = '',
    pseudo_labels: str = '',
  ) -> ml_collections.ConfigDict:
    """Returns the config of this stage, that of an ordinary run.

    Args:
      run_config: the config of all stages; it is not changed.
      init: the weights to start from (`model.init`); '' for new ones.
      pseudo_labels: the file of pseudo-labels; '' for none.
    """
    config = ml_collections.ConfigDict(run_config.to_dict())
    settings = run_config.stages
    del config['stages']
    config.model.init = init
    config.data.pseudo_labels = pseudo_labels
    config.epochs = self.epochs
    match self.kind:
      case StageKind.SUPERVISED:
        config.method.name = 'supervised'
        config.method.params = ml_collections.ConfigDict()
        config.pseudo.rule = ''
        config.data.supervision = 'labelled'
      case StageKind.METHOD:
        # The supervised stage only pushed the novel outputs down, all in the
        # same way, so its head cannot tell novel sources apart.
        config.model.init_head &= not settings.pretrain_epochs
      case StageKind.ROUND:
        # Recorded with the run: other labels make another run.
        config.data.label_by = settings.label_by
        config.data.whitening = settings.whitening
        config.data.keep_share = settings.keep_share
        config.data.keep_confidence = settings.keep_confidence
        config.optimizer.learning_rate *= settings.round_learning_rate_factor
    if not self.is_last and config.eval.selection == 'test':
      # Otherwise the test split would select the network that makes the
      # pseudo-labels of the next stage.
      config.eval.selection = 'last'
    return config.lock()


def plan_stages(config: ml_collections.ConfigDict) -> tuple[Stage, ...]:
  """Returns the stages of a run in the order of their training.

  Args:
    config: the run's config, with `stages`.

  Raises:
    UserError: settings of the stages are out of range.
  """
  check_stage_settings(config)
  settings = config.stages
  stages = [
    (f'2-{config.method.name}', StageKind.METHOD, config.epochs),
  ]
  if settings.pretrain_epochs:
    supervised = StageKind.SUPERVISED, settings.pretrain_epochs
    stages.insert(0, (FIRST_STAGE, *supervised))
  stages += [
    (f'3-round{n}', StageKind.ROUND, settings.round_epochs)
    for n in range(1, settings.rounds + 1)
  ]
  return tuple(
    Stage(*stage, is_last=number == len(stages))
    for number, stage in enumerate(stages, 1)
  )


def first_workdir(config: ml_collections.ConfigDict, workdir: str) -> str:
  """Returns the folder of a run, or of its first stage if it has stages."""
  if 'stages' not in config:
    return workdir
  return os.path.join(workdir, plan_stages(config)[0].name)


def check_stages(
  config: ml_collections.ConfigDict, workdir: str
) -> list[RunInputs]:
  """Checks all stages, without what each gets from the stage before.

  Args:
    config: the run's config, with `stages`.
    workdir: the run's folder.

  Raises:
    UserError: settings of a stage or the data do not fit.
  """
  return [
    check_run(stage.config(config), str(epath.Path(workdir) / stage.name))
    for stage in plan_stages(config)
  ]


def check_stage_settings(config: ml_collections.ConfigDict) -> None:
  """Raises `UserError` if settings of the stages are out of range.

  Args:
    config: the run's config, with `stages`.
  """
  check_config(config)
  settings = flatten_settings({'stages': config.stages.to_dict()})
  usual = staged.get_config('cpl,folder').stages.to_dict()
  check_fields(settings, flatten_settings({'stages': usual}))
  if config.eval.checkpoint.isdecimal():
    raise UsageError(
      'stages have different steps: --config.eval.checkpoint='
      f"{config.eval.checkpoint}; use 'best' or 'latest'"
    )
  if config.data.pseudo_labels:
    raise UsageError(
      'stages make their own pseudo-labels: --config.data.pseudo_labels='
      f'{config.data.pseudo_labels}; leave it out'
    )
  for name, choices in (('label_by', LABEL_BY), ('whitening', WHITENINGS)):
    field = f'stages.{name}'
    check_choice(f'--config.{field}', settings[field], choices)
