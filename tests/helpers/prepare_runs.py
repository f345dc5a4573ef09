"""Calls of `prepare owdfa` and `prepare owdfapp` on miniature datasets."""

import pytest

from helpers import trees
from input_pipeline import prepare

# The CSVs of `prepare owdfa`.
PROTOCOL_1 = 'Protocol1_openset_fake_meta.csv'
PROTOCOL_2 = 'Protocol2_openset_real_fake_meta.csv'


def run(datasets, out, *options, benchmark='owdfa'):
  """Runs `prepare` at the scale of the miniature datasets."""
  prepare.main([
    benchmark, '--datasets', str(datasets), '--out', str(out),
    '--scale', str(trees.SCALE), *options,
  ])  # fmt: skip


def run_dry(datasets, out, benchmark='owdfa'):
  """Returns the exit status of a dry run."""
  with pytest.raises(SystemExit) as stop:
    run(datasets, out, '--dry_run', benchmark=benchmark)
  return stop.value.code


def error_of(capsys, *arguments, status=1, **options):
  """Returns the one-line error of a call of `run` that must fail."""
  with pytest.raises(SystemExit) as stop:
    run(*arguments, **options)
  error = capsys.readouterr().err
  assert stop.value.code == status
  assert error.startswith('error: ') and error.count('\n') == 1
  return error
