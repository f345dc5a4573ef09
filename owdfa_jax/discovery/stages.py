"""Staged training, as the papers do it: pre-train, discover, then iterate.

1. Supervised training on the labelled images.
2. The method, from the network of stage 1 with a new head.
3. Rounds: the network labels the unlabelled images, the confident labels join
   the given ones, and the method trains on from there.

Each stage is an ordinary run with a folder and a config of its own, so it can
be resumed, evaluated and inspected like any other run.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import ml_collections
from etils import epath

from input_pipeline import strict_json
from input_pipeline.errors import UserError
from input_pipeline.files import read_text
from input_pipeline.storage import run_folder
from owdfa_jax.discovery.find_centres import evaluate_run
from owdfa_jax.discovery.labelling import label_unlabelled, labelling_file
from owdfa_jax.discovery.stage_plan import (
  StageKind,
  check_stages,
  plan_stages,
)
from owdfa_jax.evaluation.epoch_evaluator import train_with_evaluation
from owdfa_jax.evaluation.heap import heap_table
from owdfa_jax.evaluation.report import main_table, truth_lines, write_json
from owdfa_jax.evaluation.report_files import REPORT_FILE, split_file
from owdfa_jax.experiment import Experiment, build_experiment, set_up
from owdfa_jax.parallel import from_first_process
from owdfa_jax.report_fields import main_figures
from owdfa_jax.training.progress import say
from owdfa_jax.training.run_record import (
  checkpoint_path,
  has_checkpoint,
  recorded_setting,
)
from owdfa_jax.training.workdir_lock import lock_workdir


def train_stages(config: ml_collections.ConfigDict, workdir: str) -> int:
  """Trains and evaluates the stages that are not complete; writes the report.

  Args:
    config: the run's config, with `stages`.
    workdir: gets a folder per stage, and a `report.json` of all stages.

  Returns:
    What `train` returns: 0, or the exit status of an interruption.

  Raises:
    UserError: as `train` raises; settings of the stages are out of range; a
      stage would be extended that a later stage has started from; or another
      process trains there.
  """
  # Sets up every stage first, so that mistakes in the settings of a later
  # stage show before the first one trains.
  check_started_stages(set_up_stages(config, workdir))
  folder = epath.Path(run_folder(workdir))
  # Each stage locks its own folder too: it may be trained on alone.
  with lock_workdir(folder):
    return _train_in_order(config, folder)


def _train_in_order(
  config: ml_collections.ConfigDict, folder: epath.Path
) -> int:
  stages = plan_stages(config)
  reports: dict[str, dict[str, Any]] = {}
  init, labels = config.model.init, ''
  for stage, following in zip(stages, [*stages[1:], None], strict=True):
    say(f'\nstage {stage.name}')
    experiment = set_up(
      stage.config(config, init=init, pseudo_labels=labels),
      str(folder / stage.name),
    )
    if status := train_with_evaluation(experiment):
      return status
    reports[stage.name] = evaluate_run(experiment)
    step = reports[stage.name]['checkpoint_step']
    init = checkpoint_path(experiment.workdir, step)
    if following is not None and following.kind is StageKind.ROUND:
      labels = str(experiment.workdir / f'pseudo_labels-{step}.npz')
      # A round that has trained on these labels must find them unchanged. The
      # processes of a pod label together, or none does.
      if not from_first_process(has_checkpoint(folder / following.name)):
        label_unlabelled(experiment, labels, config.stages)
      reports[stage.name] |= read_labelling(labels)
  if jax.process_index() == 0:
    write_stage_report(folder, reports)
  return 0


def evaluate_stages(config: ml_collections.ConfigDict, workdir: str) -> None:
  """Evaluates every stage of a complete run and writes the report of all.

  Args:
    config: the run's config, with `stages`.
    workdir: the run's folder.

  Raises:
    UserError: a stage has no checkpoint yet.
  """
  folder = epath.Path(run_folder(workdir))
  evaluate_each(set_up_stages(config, workdir), folder)


def evaluate_each(stages: Sequence[Experiment], folder: epath.Path) -> None:
  """Evaluates the stages of a run and writes the report of all.

  Args:
    stages: in their order.
    folder: the run's folder, absolute or a URL.

  Raises:
    UserError: a stage has no checkpoint yet.
  """
  reports: dict[str, dict[str, Any]] = {}
  for experiment in stages:
    report = evaluate_run(experiment)
    step = report['checkpoint_step']
    labels = experiment.workdir / f'pseudo_labels-{step}.npz'
    reports[experiment.workdir.name] = report | read_labelling(labels)
  if jax.process_index() == 0:
    write_stage_report(folder, reports)


def read_labelling(labels: str | epath.Path) -> dict[str, Any]:
  """Returns how the pseudo-labels of a stage were made, for its report.

  Args:
    labels: the file of the pseudo-labels.

  Returns:
    `labelling`, what `label_unlabelled` wrote beside it; {} without such a
    file, as for runs of earlier versions.

  Raises:
    UserError: the file is damaged or cannot be read.
  """
  path = labelling_file(labels)
  try:
    return {'labelling': strict_json.loads(read_text(path))}
  except FileNotFoundError:
    return {}
  except (OSError, ValueError) as error:
    raise UserError(
      f'damaged file: {path} ({error}); remove it: it is only reported'
    ) from error


def set_up_stages(
  config: ml_collections.ConfigDict, workdir: str
) -> list[Experiment]:
  """Sets up all stages, without what each gets from the stage before.

  Args:
    config: the run's config, with `stages`.
    workdir: the run's folder.

  Raises:
    UserError: settings of a stage do not fit.
  """
  return [build_experiment(part) for part in check_stages(config, workdir)]


def check_started_stages(stages: list[Experiment]) -> None:
  """Checks that no stage is extended that a later stage already started from.

  Args:
    stages: all stages of the run.

  Raises:
    UserError: a stage's number of epochs changed after the next stage started.
  """
  for stage, following in itertools.pairwise(stages):
    trained, epochs = recorded_setting(stage, 'epochs'), stage.config.epochs
    if has_checkpoint(following.workdir) and trained != epochs:
      raise UserError(
        'extending a stage that a later stage already started from: '
        f'{stage.workdir} has {trained} epochs (now {epochs}); give the same '
        'number, or another --workdir'
      )


def write_stage_report(
  folder: epath.Path, reports: Mapping[str, dict[str, Any]]
) -> None:
  """Prints a row per stage and writes `report.json` of the whole run.

  The file holds the report of the last stage, and the reports of all under
  `stages`. Its name depends on the split, see `report.split_file`.

  Args:
    folder: the workdir of the run.
    reports: the report of each stage by its name, in order.
  """
  *_, last = reports.values()
  name = split_file(REPORT_FILE, last['split'])
  write_json(folder / name, last | {'stages': dict(reports)})
  # Of one verdict a group, where the images are in groups.
  main = {stage: main_figures(report) for stage, report in reports.items()}
  print(f'\n{main_table(main, "stage")}\n')
  if main_figures(last)['heap'] is not None:
    print(f'{heap_table(main, "stage")}\n')
  for line in truth_lines(main_figures(last)):
    print(line)
  print(f'written: {folder}/{name}')
