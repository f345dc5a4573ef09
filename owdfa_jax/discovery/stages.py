"""Staged training, the papers' paradigm: pre-train, discover, then iterate.

1. Supervised training on the labelled rows.
2. The method, from there.
3. Rounds: the unlabelled rows are labelled by what the network makes of them,
   the sure ones join the labelled rows, and the method goes on from there.

Each stage is an ordinary run in a folder of its own, with an ordinary config,
so each can be resumed, evaluated and looked at like any other.
"""

import itertools
import json
import os
from typing import Any

import jax
import ml_collections
from etils import epath

from input_pipeline.errors import UserError
from owdfa_jax.discovery.labelling import LABELLERS, label_unlabelled
from owdfa_jax.evaluation import report as report_lib
from owdfa_jax.evaluation.evaluate import evaluate
from owdfa_jax.experiment import Experiment, set_up
from owdfa_jax.training.checkpoints import has_checkpoint
from owdfa_jax.training.initial import checkpoint_of
from owdfa_jax.training.loop import train
from owdfa_jax.training.progress import say
from owdfa_jax.training.workdir import trained_setting

PRETRAINING = '1-supervised'


def names(config: ml_collections.ConfigDict) -> list[str]:
  """The stages of a config, in order: the folders of their runs."""
  rounds = [f'3-round{n}' for n in range(1, config.stages.rounds + 1)]
  return [PRETRAINING, f'2-{config.method.name}', *rounds]


def train_stages(config: ml_collections.ConfigDict, workdir: str) -> int:
  """Trains and evaluates every stage that is not done; writes their report.

  Args:
    config: of the method, with `stages`.
    workdir: gets a folder for each stage, and `report.json` of them all.

  Returns:
    As `train` does: 0, or the exit status of an interruption.

  Raises:
    UserError: as `train`, and for settings of the stages out of range.
  """
  # Mistakes of a later stage show before the first one trains.
  check_epochs(experiments(config, workdir))
  folder = epath.Path(os.path.abspath(os.path.expanduser(workdir)))
  reports: dict[str, dict[str, Any]] = {}
  init, labels = config.model.init, ''
  order = names(config)
  for name, following in zip(order, [*order[1:], None], strict=True):
    say(f'\nstage {name}')
    experiment = set_up(
      stage_config(config, name, init, labels), str(folder / name)
    )
    if status := train(experiment):
      return status
    reports[name] = evaluate(experiment)
    step = reports[name]['checkpoint_step']
    init = checkpoint_of(experiment.workdir, step)
    if following is not None and name != PRETRAINING:
      labels = str(experiment.workdir / f'pseudo_labels-{step}.npz')
      # Whoever trains on them already must not find others there.
      if not has_checkpoint(folder / following):
        label_unlabelled(experiment, labels, config.stages)
  if jax.process_index() == 0:
    write(folder, reports)
  return 0


def evaluate_stages(config: ml_collections.ConfigDict, workdir: str) -> None:
  """Evaluates every stage of a run that is done, and writes their report.

  Raises:
    UserError: a stage has no checkpoint yet.
  """
  reports = {
    experiment.workdir.name: evaluate(experiment)
    for experiment in experiments(config, workdir)
  }
  if jax.process_index() == 0:
    write(epath.Path(os.path.abspath(os.path.expanduser(workdir))), reports)


def last_stage(
  config: ml_collections.ConfigDict, workdir: str
) -> tuple[ml_collections.ConfigDict, str]:
  """The config and workdir of the final network: what to use."""
  check(config)
  name = names(config)[-1]
  return stage_config(config, name, '', ''), str(epath.Path(workdir) / name)


def experiments(
  config: ml_collections.ConfigDict, workdir: str
) -> list[Experiment]:
  """All stages, set up but for what each gets from the one before it."""
  check(config)
  return [
    set_up(stage_config(config, name, '', ''), str(epath.Path(workdir) / name))
    for name in names(config)
  ]


def check_epochs(planned: list[Experiment]) -> None:
  """`UserError` where a stage would train on that another has begun from."""
  for before, after in itertools.pairwise(planned):
    trained, asked = trained_setting(before, 'epochs'), before.config.epochs
    if has_checkpoint(after.workdir) and trained != asked:
      raise UserError(
        f'a stage cannot go on once the next one has begun: {before.workdir} '
        f'was to have {trained} epochs (now {asked}); give the same number, '
        'or another --workdir'
      )


def check(config: ml_collections.ConfigDict) -> None:
  """`UserError` for settings of the stages that make no sense."""
  if config.eval.checkpoint.isdecimal():
    raise UserError(
      f'a step cannot be meant in every stage: --config.eval.checkpoint='
      f"{config.eval.checkpoint}; use 'best' or 'latest'"
    )
  for field in ('pretrain_epochs', 'round_epochs'):
    if config.stages[field] < 1:
      raise UserError(
        f'setting too small: --config.stages.{field}={config.stages[field]}; '
        'give at least 1'
      )
  if config.stages.rounds < 0:
    raise UserError(
      f'setting too small: --config.stages.rounds={config.stages.rounds}; '
      'give at least 0'
    )
  for field, low in (
    ('keep_share', 'above 0'),
    ('keep_confidence', 'of at least 0'),
    ('round_learning_rate_factor', 'above 0'),
  ):
    value = config.stages[field]
    if not 0 <= value <= 1 or (value == 0 and low == 'above 0'):
      raise UserError(
        f'setting out of range: --config.stages.{field}={value}; give a share '
        f'{low}, at most 1'
      )
  if config.stages.label_by not in LABELLERS:
    raise UserError(
      f'unknown setting: --config.stages.label_by={config.stages.label_by}; '
      f'use one of {", ".join(LABELLERS)}'
    )
  if config.data.pseudo_labels:
    raise UserError(
      'pseudo-labels of your own have no place in stages, which make theirs: '
      f'--config.data.pseudo_labels={config.data.pseudo_labels}; leave it out'
    )


def stage_config(
  config: ml_collections.ConfigDict, name: str, init: str, labels: str
) -> ml_collections.ConfigDict:
  """The config of one stage: that of an ordinary run.

  Args:
    config: of all stages.
    name: of this one.
    init: the weights to begin with.
    labels: the file of pseudo-labels; '' for none.
  """
  stage = ml_collections.ConfigDict(config.to_dict())
  del stage['stages']
  stage.model.init = init
  stage.data.pseudo_labels = labels
  if name == PRETRAINING:
    stage.method.name = 'supervised'
    stage.method.params = ml_collections.ConfigDict()
    stage.pseudo.rule = ''
    stage.data.supervision = 'labelled'
    stage.epochs = config.stages.pretrain_epochs
  elif name.startswith('2-'):
    # Nothing taught the novel outputs anything yet: they are all alike.
    stage.model.init_head = False
  else:
    # How the labels were chosen belongs to a round's settings.
    stage.data.label_by = config.stages.label_by
    stage.data.keep_share = config.stages.keep_share
    stage.data.keep_confidence = config.stages.keep_confidence
    stage.epochs = config.stages.round_epochs
    stage.optimizer.learning_rate *= config.stages.round_learning_rate_factor
  if name != names(config)[-1] and stage.eval.selection == 'test':
    # The test would choose the network that makes the next stage's labels.
    stage.eval.selection = 'last'
  return stage.lock()


def write(folder: epath.Path, reports: dict[str, dict[str, Any]]) -> None:
  """Prints a row for each stage and writes `report.json`: the last stage's,
  with those of all `stages`, under the name of its split.
  """
  *_, final = reports.values()
  name = report_lib.file_name(final['split'])
  content = final | {'stages': reports}
  report_lib.replace(
    folder / name,
    lambda file: file.write(json.dumps(content, indent=2) + '\n'),
  )
  print(f'\n{stage_table(reports)}\n\nwritten: {folder}/{name}')


def stage_table(reports: dict[str, dict[str, Any]]) -> str:
  """The paper's row of every stage as a Markdown table."""
  columns = report_lib.COLUMNS
  lines = [
    '| stage | ' + ' | '.join(columns.values()) + ' |',
    '| --- |' + ' ---: |' * len(columns),
  ]
  for name, numbers in reports.items():
    cells = (report_lib.percent(numbers[column]) for column in columns)
    lines.append(f'| {name} | ' + ' | '.join(cells) + ' |')
  return '\n'.join(lines)
