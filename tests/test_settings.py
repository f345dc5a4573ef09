"""What is checked before JAX is imported."""

import re

import pytest

from helpers.runs import tiny_config
from input_pipeline.errors import UserError
from owdfa_jax import settings
from owdfa_jax.methods.by_name import METHODS


def test_names_are_those_of_the_code():
  assert settings.CHOICES['method.name'] == tuple(METHODS)


@pytest.mark.parametrize('field', settings.CHOICES)
def test_an_unknown_name_is_answered_with_the_choices(packed, field):
  config = tiny_config(packed, **{field: 'nonsense'})
  some = settings.CHOICES[field][-1]
  with pytest.raises(UserError, match=f'{field}=nonsense; use one of .*{some}'):
    settings.check_config(config)


@pytest.mark.parametrize('field', settings.AT_LEAST_ONE)
def test_a_count_below_one(packed, field):
  config = tiny_config(packed, **{field: 0})
  with pytest.raises(UserError, match=f'{field}=0; give at least 1'):
    settings.check_config(config)


def test_a_parameter_out_of_range(packed):
  config = tiny_config(packed, 'cal', method__params__prototypes_per_known=1)
  with pytest.raises(UserError, match='prototypes_per_known=1; give at least'):
    settings.check_config(config)


@pytest.mark.parametrize(
  'field, value',
  [
    ('optimizer.learning_rate', -1.0),
    ('optimizer.learning_rate', 0.0),
    ('optimizer.learning_rate', float('nan')),
    ('optimizer.weight_decay', -1.0),
    ('optimizer.decay_factor', float('inf')),
    ('model.dropout', 1.5),
    ('model.width', 0.0),
    ('data.num_workers', -1),
    ('pseudo.weight', -1.0),
    ('method.params.margin', float('nan')),
    ('method.params.voting_weight', -3.0),
  ],
)
def test_a_number_out_of_range(packed, field, value):
  config = tiny_config(packed, **{field: value})
  with pytest.raises(UserError, match=f'{field}={value}; give'):
    settings.check_config(config)


def test_every_label_with_an_open_world_method(packed):
  config = tiny_config(packed, data__supervision='all')
  with pytest.raises(UserError, match='supervision=all needs .*upper_bound'):
    settings.check_config(config)


def test_validation_without_a_share(packed):
  config = tiny_config(
    packed, eval__selection='validation', data__validation_share=0.0
  )
  with pytest.raises(UserError, match='no images to validate on'):
    settings.check_config(config)


@pytest.mark.parametrize('field, here', [('num_known', 2), ('num_classes', 4)])
def test_classes_that_do_not_match_the_head(packed, tmp_path, field, here):
  config = tiny_config(packed, **{f'data__{field}': 22})
  expected = f'{field}=22, but {re.escape(str(packed))} has {here};'
  with pytest.raises(UserError, match=expected):
    settings.check_run(config, tmp_path)


def test_workdir_becomes_absolute(packed, monkeypatch, tmp_path):
  monkeypatch.chdir(tmp_path)
  inputs = settings.check_run(tiny_config(packed), 'run')
  assert str(inputs.workdir) == str(tmp_path / 'run')
