"""Each bad input gives one clear line, or is carried on with as documented."""

import json
import os
import subprocess
import sys

import pytest

from bad_input.case import Ended
from bad_input.checks import problems
from bad_input.tables.all import CASES
from helpers.paths import ROOT, TESTS


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """Returns a function that runs a case; see `bad_input.server`."""
  root = tmp_path_factory.mktemp('bad_input')
  # The processes of pytest-xdist share the sound inputs.
  shared = root.parents[1] if 'PYTEST_XDIST_WORKER' in os.environ else root
  with subprocess.Popen(
    [sys.executable, '-m', 'bad_input.server', str(shared / 'sound_inputs')],
    env=os.environ
    | {
      'PYTHONPATH': f'{TESTS}{os.pathsep}{ROOT}',
      'PYTHONUTF8': '1',
      # Programs for one device, unoptimised, compile in half the time.
      'JAX_NUM_CPU_DEVICES': '1',
      'JAX_DISABLE_MOST_OPTIMIZATIONS': '1',
    },
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
  ) as server:

    def run_one(case):
      where = root / str(CASES.index(case))
      where.mkdir()
      server.stdin.write(json.dumps([case.name, str(where)]) + '\n')
      server.stdin.flush()
      return Ended(*json.loads(server.stdout.readline()))

    yield run_one


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.name)
def test_bad_input(run, case):
  ended = run(case)
  assert not problems(case, ended), ended


def test_there_are_many_cases_each_with_a_name_of_its_own():
  assert len(CASES) >= 400
  assert len({case.name for case in CASES}) == len(CASES)
