"""Trains what is missing and keeps the table current."""

import json
import os
import pathlib
import socket
from collections.abc import Sequence

import jax
import ml_collections

from input_pipeline.errors import UserError
from owdfa_jax.discovery.stages import train_stages
from owdfa_jax.evaluation.evaluate import evaluate
from owdfa_jax.leaderboard import picture, table
from owdfa_jax.leaderboard.results import MACHINE, collect, finished_report
from owdfa_jax.leaderboard.rows import Run, choose, make_runs
from owdfa_jax.training.checkpoints import CHECKPOINTS
from owdfa_jax.training.loop import train
from owdfa_jax.training.progress import say


def compare(
  config: ml_collections.ConfigDict, workdir: str, command: str
) -> int:
  """Trains and evaluates the runs not yet finished, one after the other.

  The table is written first of all and after each of them. Several processes
  may do this in one workdir, with different `only_rows` or `only_seeds`.

  Args:
    config: of `configs/leaderboard.py`.
    workdir: for the runs and the table.
    command: said under the table.

  Returns:
    0, or the exit status of an interrupted run, which the same command
    resumes.

  Raises:
    UserError: of the config or of a run.
  """
  folder = pathlib.Path(os.path.abspath(os.path.expanduser(workdir)))
  check_folder(folder)
  runs = make_runs(config, str(folder))
  chosen = choose(config, runs)
  write(folder, runs, config.benchmark, command)
  for number, run in enumerate(chosen, 1):
    title = f'{run.row.name}, seed {run.seed} ({number} of {len(chosen)})'
    if finished_report(run) is not None:
      say(f'== {title}: finished before')
      continue
    say(f'== {title}')
    if cache := run.experiment.config.compilation_cache:
      jax.config.update('jax_compilation_cache_dir', cache)
    if status := carry_out(run):
      return status
    sign(run)
    # The next run compiles its own programs.
    jax.clear_caches()
    write(folder, runs, config.benchmark, command)
  print(f'\n{(folder / "leaderboard.md").read_text()}')
  print(f'written: {folder}/leaderboard.md, .csv, .png, leaderboard_runs.csv')
  return 0


def carry_out(run: Run) -> int:
  """Trains and evaluates; the exit status is that of `train`."""
  if run.staged:
    return train_stages(run.config, run.folder)
  if status := train(run.experiment):
    return status
  evaluate(run.experiment)
  return 0


def check_folder(folder: pathlib.Path) -> None:
  """`UserError` where `folder` is a single run's."""
  for name in ('config.json', CHECKPOINTS):
    if (folder / name).exists():
      raise UserError(
        f'the workdir holds a single run: --workdir={folder} has {name}; '
        'give the leaderboard one of its own'
      )


def sign(run: Run) -> None:
  """Writes down which machine finished the run."""
  devices = jax.devices()
  machine = f'jax {jax.__version__}, {len(devices)} x {devices[0].device_kind}'
  replace(
    pathlib.Path(run.experiment.workdir) / MACHINE,
    json.dumps({'machine': machine}).encode(),
  )


def write(
  folder: pathlib.Path, runs: Sequence[Run], benchmark: str, command: str
) -> None:
  """Writes the tables and the picture of what is finished."""
  entries = None
  # Until nothing has come in between: of two processes that finish a run at
  # the same time, the last to write has then seen both.
  while entries != (found := collect(runs)):
    entries = found
    notes = facts(runs, entries, benchmark, command)
    files = {
      'leaderboard.md': table.markdown(entries, notes).encode(),
      'leaderboard.csv': table.rows_csv(entries).encode(),
      'leaderboard_runs.csv': table.runs_csv(entries).encode(),
    }
    if any(entry.reports for entry in entries):
      files['leaderboard.png'] = picture.png(entries, benchmark)
    for name, content in files.items():
      replace(folder / name, content)


def facts(
  runs: Sequence[Run],
  entries: Sequence[table.Entry],
  benchmark: str,
  command: str,
) -> list[str]:
  """How the table was made: what all its numbers hang on."""
  dataset, config = runs[0].experiment.dataset, runs[0].experiment.config
  novel = 'an unknown number of'
  if dataset.novel_count_known:
    novel = str(dataset.num_classes - dataset.num_known)
  epochs = f'{entries[0].epochs} epochs'
  if len({entry.epochs for entry in entries}) > 1:
    epochs = 'epochs: ' + ', '.join(f'{e.name} {e.epochs}' for e in entries)
  checkpoint = config.eval.checkpoint
  if checkpoint == 'latest':
    checkpoint = 'the last, none is selected'
  if checkpoint == 'best':
    checkpoint += f' by {config.eval.selection} ({config.eval.metric})'
  machines = {
    report['machine'] or 'a machine not on record'
    for entry in entries
    for report in entry.reports.values()
  }
  return [
    f'{benchmark}: {dataset.num_known} known and {novel} novel classes, '
    f'{len(dataset.train)} training images; {epochs}; '
    f'checkpoint: {checkpoint}; judged on the {config.eval.split} split.',
    *(f'Trained with {machine}.' for machine in sorted(machines)),
    f'`{command}`',
  ]


def replace(path: pathlib.Path, content: bytes) -> None:
  """Writes a file whole or not at all, whoever else is writing it."""
  partial = path.with_name(
    f'.{path.name}.{socket.gethostname()}-{os.getpid()}.partial'
  )
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial.write_bytes(content)
    os.replace(partial, path)
  except OSError as error:
    raise UserError(
      f'the leaderboard could not be written: {path} ({error.strerror}); '
      'free some space or choose another --workdir, then run the same '
      'command again'
    ) from error
