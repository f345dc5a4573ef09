"""Every setting is checked without data: its name, type and range."""

import math
import re

import ml_collections
import pytest
from ml_collections import config_dict

from helpers.runs import tiny_config
from input_pipeline.errors import UserError
from owdfa_jax import configs
from owdfa_jax.configs.staged import STAGED_METHODS
from owdfa_jax.discovery.stage_plan import check_stage_settings
from owdfa_jax.methods.by_name import METHODS
from owdfa_jax.setting_checks import CHOICES, check_config, flatten_settings
from owdfa_jax.setting_ranges import RANGES

# Flat settings of every shipped config; each method also in stages.
CONFIGS = {
  **{name: configs.load(name, 'folder') for name in configs.names()},
  **{
    f'staged:{name}': configs.load('staged', f'{name},folder')
    for name in STAGED_METHODS
  },
}
SETTINGS = {
  name: flatten_settings(config.to_dict()) for name, config in CONFIGS.items()
}


def numbers():
  """The names of the shipped settings that are numbers or None."""
  return {
    field
    for settings in SETTINGS.values()
    for field, value in settings.items()
    if value is None or type(value) in (int, float)
  }


def refusal(field, value):
  """The error about a value, which a config file may set to anything."""
  name = max(name for name, known in SETTINGS.items() if field in known)
  content = section = CONFIGS[name].to_dict()
  *sections, last = field.split('.')
  for each in sections:
    section = section[each]
  section[last] = value
  config = ml_collections.ConfigDict(content)
  with pytest.raises(UserError) as caught:
    check = check_stage_settings if 'stages' in config else check_config
    check(config)
  message = str(caught.value)
  assert f'--config.{field}=' in message and '; give ' in message
  return message


def test_names_are_those_of_the_code():
  assert CHOICES['method.name'] == tuple(METHODS)


def test_every_number_of_every_config_has_a_range():
  assert numbers() == RANGES.keys()


@pytest.mark.parametrize('name', CONFIGS)
def test_shipped_configs_pass(name):
  config = CONFIGS[name]
  check = check_stage_settings if 'stages' in config else check_config
  check(config)


@pytest.mark.parametrize('field', RANGES)
def test_numbers_that_no_setting_takes(field):
  for value in (math.nan, math.inf, float('-1e400'), -1, 10**40, 10**5000):
    assert re.search('out of range|wrong type', refusal(field, value))


@pytest.mark.parametrize('field', RANGES)
def test_what_is_no_number(field):
  for value in (True, False, '1', (1,), 1j):
    assert refusal(field, value).startswith('wrong type: ')


@pytest.mark.parametrize(
  'field', [name for name, allowed in RANGES.items() if allowed.whole]
)
def test_a_fraction_is_no_whole_number(field):
  assert 'give a whole number from ' in refusal(field, 1.5)
  assert 'give a whole number from ' in refusal(field, 1.0)


@pytest.mark.parametrize('field', RANGES)
def test_just_outside_of_the_range(field):
  allowed = RANGES[field]
  step = 1 if allowed.whole else 1e-9
  outside = [allowed.least - step, allowed.greatest * (1 + 1e-9) + step]
  outside += [allowed.least] if allowed.above else []
  outside += [allowed.greatest] if allowed.below else []
  for value in outside:
    value = int(value) if allowed.whole else float(value)
    message = refusal(field, value)
    assert message.startswith(f'out of range: --config.{field}={value}')


@pytest.mark.parametrize(
  'field, value, message',
  [
    ('seed', 2**32, 'give a whole number from 0 to 4294967295'),
    ('batch_size', 0, 'give a whole number from 1 to 65536'),
    ('optimizer.learning_rate', 0.0, 'give a number from 1e-30 to 1e\\+30'),
    ('model.dropout', 1.0, 'give a number at least 0 and below 1'),
    ('stages.keep_share', 0.0, 'give a number above 0 and at most 1'),
    ('method.params.prototypes_per_known', 1, 'from 2 to 1000 .one leaves no'),
  ],
)
def test_the_range_is_named(field, value, message):
  assert re.search(message, refusal(field, value))


@pytest.mark.parametrize('field', CHOICES)
def test_an_unknown_name_is_answered_with_the_choices(packed, field):
  config = tiny_config(packed, **{field: 'nonsense'})
  some = CHOICES[field][-1]
  with pytest.raises(UserError, match=f'{field}=nonsense; use one of .*{some}'):
    check_config(config)


@pytest.mark.parametrize(
  'field, value, message',
  [
    ('log.tensorboard', 1, '=1; give true or false'),
    ('model.init_head', 'no', "='no'; give true or false"),
    ('data.path', 5, '=5; give a text'),
    ('data.path', None, '=None; give a text'),
    ('model.init', ('a.pth',), "=('a.pth',); give a text"),
    ('pseudo.rule', True, '=True; give a text'),
    ('eval.checkpoint', 12, '=12; give a text'),
    ('stages.label_by', 3, '=3; give a text'),
    ('method.params.counterfactual', 'yes', "='yes'; give true or false"),
  ],
)
def test_a_wrong_type(field, value, message):
  assert refusal(field, value) == f'wrong type: --config.{field}{message}'


def test_names_that_are_not_settings(packed):
  config = tiny_config(packed).copy_and_resolve_references()
  config.unlock()
  config.optimizer.learning_rte = 0.1
  with pytest.raises(UserError, match='unknown setting: .*rte; docs/set'):
    check_config(config)
  del config.optimizer.learning_rte
  check_config(config)
  del config.optimizer.weight_decay
  with pytest.raises(UserError, match='missing setting: .*has no optimizer.we'):
    check_config(config)
  del config.optimizer
  config.optimizer = 3
  with pytest.raises(UserError, match='missing setting: .*has no optimizer'):
    check_config(config)


def test_a_config_without_a_value_or_inside_of_itself(packed):
  content = tiny_config(packed).to_dict()
  content['epochs'] = config_dict.required_placeholder(int)
  with pytest.raises(UserError, match='a setting has no value: '):
    check_config(ml_collections.ConfigDict(content))
  config = ml_collections.ConfigDict(tiny_config(packed).to_dict())
  config.log.again = config
  with pytest.raises(UserError, match='the config contains itself: '):
    check_config(config)


def test_a_null_character_in_a_path(packed):
  content = tiny_config(packed).to_dict() | {'compilation_cache': 'a\0b'}
  with pytest.raises(UserError, match='compilation_cache has a null'):
    check_config(ml_collections.ConfigDict(content))


@pytest.mark.parametrize('method', ['orca', 'supervised'])
def test_parameters_of_another_method(packed, method):
  config = tiny_config(packed, 'cpl', method__name=method)
  advice = {'orca': 'orca', 'supervised': 'lower_bound'}[method]
  with pytest.raises(UserError, match=f'another method: .*=({advice}):'):
    check_config(config)


def test_every_label_with_an_open_world_method(packed):
  config = tiny_config(packed, data__supervision='all')
  with pytest.raises(UserError, match='supervision=all needs .*upper_bound'):
    check_config(config)


def test_validation_without_a_share(packed):
  config = tiny_config(
    packed, eval__selection='validation', data__validation_share=0.0
  )
  with pytest.raises(UserError, match='no images to validate on'):
    check_config(config)


def test_more_known_classes_than_classes(packed):
  config = tiny_config(packed, data__num_known=5, data__num_classes=4)
  with pytest.raises(UserError, match='num_known=5, --config.data.num_class'):
    check_config(config)


def test_labelled_half_of_one_row(packed):
  check_config(tiny_config(packed, 'lower_bound', batch_size=4))
  config = tiny_config(packed, 'lower_bound', batch_size=2)
  with pytest.raises(UserError, match='batch_size=2 .*at least 4'):
    check_config(config)
