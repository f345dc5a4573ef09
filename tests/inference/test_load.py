"""`owdfa_jax.load` before there is a run."""

import subprocess
import sys

import pytest

import owdfa_jax
from input_pipeline.errors import UserError


def test_there_is_no_run(tmp_path):
  with pytest.raises(UserError, match='no run: '):
    owdfa_jax.load(tmp_path / 'nowhere')


def test_importing_the_package_loads_no_jax(tmp_path):
  code = (
    'import sys, owdfa_jax; owdfa_jax.load; '
    "assert not {'jax', 'numpy', 'absl'} & sys.modules.keys()"
  )
  subprocess.run([sys.executable, '-c', code], check=True)
