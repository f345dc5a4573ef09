"""Trains the missing runs of a leaderboard and keeps its table up to date."""

import json
import time
from collections.abc import Container, Sequence

import jax
import ml_collections
from etils import epath

from input_pipeline import escape
from input_pipeline.errors import UserError
from input_pipeline.files import write_whole
from input_pipeline.storage import run_folder
from input_pipeline.text_tables import counted
from owdfa_jax.discovery.find_centres import evaluate_run
from owdfa_jax.discovery.spectrum_run import run_spectrum
from owdfa_jax.discovery.stages import train_stages
from owdfa_jax.evaluation.epoch_evaluator import train_with_evaluation
from owdfa_jax.evaluation.selection import (
  LAST_EPOCH,
  describe_best,
  selection_rule,
)
from owdfa_jax.experiment import build_experiment
from owdfa_jax.leaderboard import table
from owdfa_jax.leaderboard.record import write_board_record
from owdfa_jax.leaderboard.results import (
  MACHINE_FILE,
  collect_entries,
  finished_report,
)
from owdfa_jax.leaderboard.runs import Run, choose_runs
from owdfa_jax.leaderboard.time_left import TimeLeft
from owdfa_jax.report_fields import GROUPS
from owdfa_jax.training.progress import say
from owdfa_jax.training.run_record import CHECKPOINTS, CONFIG_FILE
from owdfa_jax.training.small_data import short_runs


def compare(
  config: ml_collections.ConfigDict,
  runs: Sequence[Run],
  workdir: str,
  command: str,
) -> int:
  """Trains and evaluates the runs that are not finished, one after another.

  The table is written at the start and after each run. Several processes may
  work in one workdir, with different `only_rows` or `only_seeds`.

  Args:
    config: the leaderboard's config.
    runs: all runs of the leaderboard, as `runs.make_runs` returns them.
    workdir: gets the table.
    command: the command line, written below the table.

  Returns:
    0, or the exit status of an interrupted run, which the same command resumes.

  Raises:
    UserError: the workdir is that of a single run or cannot be written, or a
      run raised one.
  """
  folder = epath.Path(run_folder(workdir))
  check_not_a_run(folder)
  chosen = choose_runs(config, list(runs))
  # Building shows what does not fit the devices before the first run trains.
  networks = [run for run in chosen if not run.is_spectrum]
  for run in networks:
    for part in run.parts:
      build_experiment(part)
  if remark := short_runs({run.row.name: run.last for run in networks}):
    say(remark)
  asked = {run.row.name for run in chosen}
  write_leaderboard(folder, runs, config.benchmark, command, asked)
  write_board_record(folder, config, runs[0], command)
  waiting = [x for x in chosen if finished_report(x) is None]
  say(_numbers(len(waiting), len(chosen), len(runs)))
  time_left = TimeLeft(waiting)
  for number, run in enumerate(chosen, 1):
    title = f'{run.row.name}, seed {run.seed} ({number} of {len(chosen)})'
    if finished_report(run) is not None:
      say(f'== {title}: already finished')
      time_left.skip(run)
      continue
    say(f'== {title}{time_left.text()}')
    began = time.monotonic()
    try:
      status = train_and_evaluate(run)
    except UserError as error:
      raise UserError(f'{title}: {error}') from error
    if status:
      return status
    record_machine(run)
    time_left.add(run, time.monotonic() - began)
    # The next run compiles its own programs; these would only use memory.
    jax.clear_caches()
    write_leaderboard(folder, runs, config.benchmark, command, asked)
  print(f'\n{(folder / "leaderboard.md").read_text()}')
  print(f'written: {folder}/leaderboard.md, .csv, .png, leaderboard_runs.csv')
  return 0


def _numbers(waiting: int, chosen: int, total: int) -> str:
  """Returns a line on how many runs there are: a leaderboard takes hours."""
  line = f'runs to train: {waiting}; finished: {chosen - waiting}'
  if chosen < total:
    line += f'; left out by --config.only_rows and only_seeds: {total - chosen}'
  return line


def train_and_evaluate(run: Run) -> int:
  """Trains and evaluates a run; returns 0 or an interruption's exit status."""
  if run.is_spectrum:
    run_spectrum(run.last)
    return 0
  if run.is_staged:
    return train_stages(run.config, run.folder)
  experiment = build_experiment(run.last)
  if status := train_with_evaluation(experiment):
    return status
  evaluate_run(experiment)
  return 0


def check_not_a_run(folder: epath.Path) -> None:
  """Raises `UserError` if a folder is the workdir of a single run."""
  for name in (CONFIG_FILE, CHECKPOINTS):
    if (folder / name).exists():
      raise UserError(
        f'the workdir holds a single run: --workdir={folder} has {name}; '
        'give the leaderboard a workdir of its own'
      )


def record_machine(run: Run) -> None:
  """Writes beside the report of a run which machine finished it."""
  devices = jax.devices()
  machine = f'jax {jax.__version__}, {len(devices)} x {devices[0].device_kind}'
  with write_whole(run.last.workdir / MACHINE_FILE, text=True) as file:
    file.write(json.dumps({'machine': machine}, allow_nan=False))


def write_leaderboard(
  folder: epath.Path,
  runs: Sequence[Run],
  benchmark: str,
  command: str,
  asked: Container[str] | None = None,
) -> None:
  """Writes the tables and the picture of the finished runs.

  Args:
    folder: the folder to write the files to.
    runs: all runs of the leaderboard.
    benchmark: the title of the picture.
    command: the command line, written below the table.
    asked: the names of the rows that the command trains; None for all. Others
      are in the table once a run of theirs is finished, else in a note.

  Raises:
    UserError: a file cannot be written.
  """
  entries = None
  # Repeats until no run has finished while the files were written. When two
  # processes finish a run at the same time, the last one to write has then
  # seen both.
  while entries != (found := collect_entries(runs)):
    entries = found
    shown = [
      entry
      for entry in entries
      if entry.reports or asked is None or entry.name in asked
    ]
    left_out = [entry.name for entry in entries if entry not in shown]
    notes = make_notes(runs, shown, benchmark, command, left_out)
    contents = {
      'leaderboard.md': table.leaderboard_markdown(shown, notes).encode(),
      'leaderboard.csv': table.rows_csv(entries).encode(),
      'leaderboard_runs.csv': table.runs_csv(entries).encode(),
    }
    if any(entry.reports for entry in entries):
      # Imported here because Matplotlib takes a second to load.
      from owdfa_jax.leaderboard import picture

      contents['leaderboard.png'] = picture.draw_leaderboard(shown, benchmark)
    for name, content in contents.items():
      with write_whole(
        folder / name,
        what='the leaderboard',
        remedy='free some space or choose another --workdir, then run the '
        'same command again',
      ) as file:
        file.write(content)


def make_notes(
  runs: Sequence[Run],
  entries: Sequence[table.Entry],
  benchmark: str,
  command: str,
  left_out: Sequence[str] = (),
) -> list[str]:
  """Returns what all numbers of the table depend on, a line each.

  Args:
    runs: all runs of the leaderboard.
    entries: the rows of the table.
    benchmark: the name of the dataset's config.
    command: the command line.
    left_out: the names of the rows that are not in the table.
  """
  dataset, config = runs[0].last.dataset, runs[0].last.config
  num_novel = 'an unknown number of'
  if dataset.novel_count_known:
    num_novel = str(dataset.num_classes - dataset.num_known)
  trained = [entry for entry in entries if entry.epochs]
  epochs = 'no network' if not trained else counted(trained[0].epochs, 'epoch')
  if len({entry.epochs for entry in trained}) > 1:
    epochs = 'epochs: ' + ', '.join(f'{e.name} {e.epochs}' for e in trained)
  rule = selection_rule(dataset, config.eval.selection, config.eval.metric)
  checkpoint = {
    'latest': describe_best(LAST_EPOCH),
    'best': describe_best(rule.text),
  }.get(config.eval.checkpoint, config.eval.checkpoint)
  machines = {
    report['machine'] or 'a machine that is not recorded'
    for entry in entries
    for report in entry.reports.values()
  }
  return [
    f'{benchmark}: {dataset.num_known} known and {num_novel} novel classes, '
    f'{len(dataset.train)} training images; {epochs}; '
    f'checkpoint: {checkpoint}; evaluated on the {config.eval.split} split.',
    *left_out_notes(left_out),
    *group_notes(entries),
    *table.floor_notes(entries),
    *heap_notes(entries),
    *(f'Trained with {machine}.' for machine in sorted(machines)),
    f'`{command}`',
  ]


def left_out_notes(names: Sequence[str]) -> list[str]:
  """Returns a note on the rows that are not in the table.

  Args:
    names: of these rows.
  """
  if not names:
    return []
  listed = escape.markdown_text(', '.join(names))
  return [
    'Not in the table, since `only_rows` leaves them to other commands and '
    f'none of their runs is finished so far: {listed}.'
  ]


def group_notes(entries: Sequence[table.Entry]) -> list[str]:
  """Returns a note if the figures count groups, not images.

  Args:
    entries: the rows of the table.
  """
  reports = [report for entry in entries for report in entry.reports.values()]
  if not any(report.get(GROUPS) for report in reports):
    return []
  return ['One verdict a group of images, such as the tiles of one image.']


def heap_notes(entries: Sequence[table.Entry]) -> list[str]:
  """Returns notes on images without a true class, which the numbers lack.

  Args:
    entries: the rows of the table.
  """
  reports = [
    (f'{entry.name}, seed {seed}', report)
    for entry in entries
    for seed, report in entry.reports.items()
    if report.get('num_without_truth')
  ]
  if not reports:
    return []
  _, first = reports[0]
  lines = [
    f'{first["num_without_truth"]} of {first["num_examples"]} images have no '
    'true class. Known ACC covers the images whose true class is a known one.'
  ]
  for title, report in reports:
    warnings = (report.get('heap') or {}).get('warnings', ())
    lines += [
      escape.markdown_text(f'Warning ({title}): {warning}.')
      for warning in warnings
    ]
  return lines
