"""What is checked before JAX is imported, with the packed data."""

import re

import pytest

from helpers.runs import tiny_config
from input_pipeline.errors import UserError
from owdfa_jax import settings


@pytest.mark.parametrize('field, here', [('num_known', 2), ('num_classes', 4)])
def test_classes_that_do_not_match_the_head(packed, tmp_path, field, here):
  config = tiny_config(packed, **{f'data__{field}': 22})
  expected = f'{field}=22, but {re.escape(str(packed))} has {here};'
  with pytest.raises(UserError, match=expected):
    settings.check_run(config, tmp_path)


def test_more_initial_outputs_than_the_evaluation_compares(packed, tmp_path):
  parameters = {'estimate_classes': True, 'prototypes_per_known': 1000}
  changes = {f'method__params__{k}': v for k, v in parameters.items()}
  settings.check_run(tiny_config(packed, 'cal', **changes), tmp_path)
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(settings, 'MOST_OUTPUTS', 1999)
    with pytest.raises(UserError, match='known=1000 for each of 2 .*most 999'):
      settings.check_run(tiny_config(packed, 'cal', **changes), tmp_path)


def test_more_steps_than_are_counted(packed, tmp_path):
  config = tiny_config(packed, epochs=10**6)
  inputs = settings.check_run(config, tmp_path)
  settings.check_training_split(inputs)
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(settings, 'MOST_STEPS', 10)
    with pytest.raises(UserError, match='too many steps: --config.epochs=1000'):
      settings.check_training_split(inputs)


def test_workdir_becomes_absolute(packed, monkeypatch, tmp_path):
  monkeypatch.chdir(tmp_path)
  inputs = settings.check_run(tiny_config(packed), 'run')
  assert str(inputs.workdir) == str(tmp_path / 'run')
