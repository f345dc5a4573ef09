"""Staged training, the papers' paradigm: pre-train, discover, then iterate.

1. Supervised training on the labelled rows.
2. The method, from there.
3. Rounds: the network labels the unlabelled rows, the sure ones join the
   labelled rows with that label, and the method goes on from the network.

Each stage is an ordinary run in a folder of its own, with an ordinary config,
so each can be resumed, evaluated and looked at like any other.
"""

import json
import os
from typing import Any

import jax
import ml_collections
import numpy as np
from etils import epath

from input_pipeline import pseudo_labels
from input_pipeline.errors import UserError
from owdfa_jax import report as report_lib
from owdfa_jax.evaluate import Predictions, evaluate, restore
from owdfa_jax.experiment import Experiment, eval_rows, set_up
from owdfa_jax.initial import checkpoint_of
from owdfa_jax.progress import say
from owdfa_jax.train import train

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
  experiments(config, workdir)
  folder = epath.Path(os.path.abspath(os.path.expanduser(workdir)))
  reports: dict[str, dict[str, Any]] = {}
  init, labels = config.model.init, ''
  for name in names(config):
    say(f'\nstage {name}')
    experiment = set_up(
      stage_config(config, name, init, labels), str(folder / name)
    )
    if status := train(experiment):
      return status
    reports[name] = evaluate(experiment)
    step = reports[name]['checkpoint_step']
    init = checkpoint_of(experiment.workdir, step)
    if name not in (PRETRAINING, names(config)[-1]):
      labels = str(experiment.workdir / f'pseudo_labels-{step}.npz')
      # Whoever trains on them already must not find others there.
      if not os.path.exists(labels):
        label_unlabelled(experiment, labels, config.stages)
  if jax.process_index() == 0:
    write(folder, reports)
  return 0


def last_stage(
  config: ml_collections.ConfigDict, workdir: str
) -> tuple[ml_collections.ConfigDict, str]:
  """The config and workdir of the final network: what to evaluate or use."""
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
  if not 0 < config.stages.keep_share <= 1:
    raise UserError(
      f'setting out of range: --config.stages.keep_share='
      f'{config.stages.keep_share}; give a share above 0, at most 1'
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
    stage.data.keep_share = config.stages.keep_share
    stage.data.keep_confidence = config.stages.keep_confidence
    stage.epochs = config.stages.round_epochs
    stage.optimizer.learning_rate *= config.stages.round_learning_rate_factor
  return stage.lock()


def label_unlabelled(
  experiment: Experiment, path: str, settings: ml_collections.ConfigDict
) -> None:
  """Writes what the run's network says of the unlabelled rows, where it is
  sure, to `path`.
  """
  dataset = experiment.dataset
  evaluator, network, _ = restore(experiment)
  split, rows = eval_rows(dataset, 'unlabelled')
  predictions = evaluator.predict(*network, evaluator.batches(split, rows))
  kept = sure(predictions, settings.keep_confidence, settings.keep_share)
  label = np.full(len(dataset.train), -1, np.int32)
  label[predictions.row[kept]] = predictions.predicted[kept]
  if jax.process_index() == 0:
    pseudo_labels.write(path, dataset, label)
  say(
    f'{kept.sum()} of {len(kept)} unlabelled images keep the class they were '
    f'given, {len(np.unique(predictions.predicted[kept]))} classes'
  )


def sure(
  predictions: Predictions, confidence: float, share: float
) -> np.ndarray:
  """Which predictions to keep, bool [N]: of each class the `share` of highest
  confidence, if it is at least `confidence`.

  A share, because a network is less sure of novel classes than of known ones,
  and one threshold for all would leave them out.
  """
  kept = np.zeros(len(predictions.row), bool)
  for predicted in np.unique(predictions.predicted):
    rows = np.flatnonzero(predictions.predicted == predicted)
    order = np.argsort(-predictions.confidence[rows], kind='stable')
    kept[rows[order[: int(np.ceil(share * len(rows)))]]] = True
  return kept & (predictions.confidence >= confidence)


def write(folder: epath.Path, reports: dict[str, dict[str, Any]]) -> None:
  """Prints a row for each stage and writes `report.json`: the last stage's,
  with those of all `stages`.
  """
  *_, final = reports.values()
  content = final | {'stages': reports}
  report_lib.replace(
    folder / 'report.json',
    lambda file: file.write(json.dumps(content, indent=2) + '\n'),
  )
  print(f'\n{stage_table(reports)}\n\nwritten: {folder}/report.json')


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
