"""The config of a run, read from its folder."""

import pytest

from helpers.runs import tiny_experiment
from input_pipeline.errors import UserError
from owdfa_jax.training.recorded_config import (
  USE_SETTINGS,
  recorded_config,
  run_folders,
)
from owdfa_jax.training.run_record import CHANGEABLE_SETTINGS
from owdfa_jax.training.workdir import claim_workdir


@pytest.mark.parametrize(
  'method', ['cpl', 'cal', 'lower_bound', 'upper_bound', 'trace']
)
def test_the_config_is_that_of_the_run(packed, tmp_path, method):
  run = tiny_experiment(packed, tmp_path, method, seed=3)
  claim_workdir(run)
  found = recorded_config(tmp_path)
  assert found.is_locked
  assert found.to_dict() == run.config.to_dict()


def test_what_began_the_training_is_left_out(packed, tmp_path):
  weights = str(tmp_path / 'weights')
  run = tiny_experiment(packed, tmp_path / 'run', model__init=weights)
  claim_workdir(run)
  assert recorded_config(tmp_path / 'run').model.init == ''


@pytest.mark.parametrize(
  'content, message',
  [
    ('{', r'damaged file: .*config.json \('),
    ('{"method": {"name": "none"}}', r'config.json \(method.name=none\); copy'),
    ('{"seed": "x", "method": {"name": "cpl"}}', 'cannot be used: .*seed'),
    ('{"later": 1, "method": {"name": "cpl"}}', 'unknown setting: .*later'),
  ],
)
def test_a_damaged_record_is_named(tmp_path, content, message):
  (tmp_path / 'config.json').write_text(content)
  with pytest.raises(UserError, match=message):
    recorded_config(run_folders(str(tmp_path))[-1])


def test_what_may_differ_is_no_part_of_the_training():
  assert all(name.startswith(CHANGEABLE_SETTINGS) for name in USE_SETTINGS)
