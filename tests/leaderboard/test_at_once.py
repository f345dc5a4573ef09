"""Several processes that fill one leaderboard at the same time."""

import subprocess
import sys

import pytest

from helpers.boards import read_cells
from helpers.paths import ROOT
from helpers.waves import pack_waves

ROWS = ('spectrum', 'spectrum (all labels)')


@pytest.mark.slow
def test_two_jobs_of_a_leaderboard_at_once(tmp_path):
  """As the jobs of docs/pods do: each has a row, and writes the table."""
  data = pack_waves(tmp_path / 'waves', per_source=48)
  board = tmp_path / 'board'
  jobs = [
    subprocess.Popen(
      [
        *(sys.executable, '-m', 'owdfa_jax.leaderboard'),
        '--config=configs/leaderboard.py:folder64',
        f'--config.shared=data.path={data}',
        f'--config.only_rows={row}',
        f'--workdir={board}',
      ],
      cwd=ROOT,
      stderr=subprocess.PIPE,
      text=True,
    )
    for row in ROWS
  ]
  for job in jobs:
    _, said = job.communicate()
    assert job.returncode == 0, said
  # Whoever ended last saw both.
  cells = read_cells((board / 'leaderboard.md').read_text())
  for row in ROWS:
    assert cells[row]['All ACC'] == '100.0 ± 0.0'
