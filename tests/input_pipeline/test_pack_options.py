"""Options of packing are checked when they are made."""

import pytest

from input_pipeline import pack
from input_pipeline.errors import UserError


@pytest.mark.parametrize(
  'options',
  [
    {'size': 0},
    {'quality': 101},
    {'ratio': 1.0},
    {'seed': -1},
    {'shards': 0},
    {'margin': 0.9},
  ],
)
def test_values_out_of_range_are_refused(options):
  ((name, value),) = options.items()
  with pytest.raises(
    UserError, match=f'range: --{name}={value}; give a .*number from'
  ):
    pack.Options(**options)


@pytest.mark.parametrize(
  ('options', 'message'),
  [
    ({'format': 'gif'}, '--format=gif; use one of png, jpeg'),
    ({'on_error': 'go'}, '--on_error=go; use one of stop, skip'),
    ({'crop': 'eyes'}, '--crop=eyes; use one of none, opencv, dlib'),
    ({'align': 'f', 'crop': 'opencv'}, '--align=f needs --crop=dlib'),
    ({'align': 'f'}, '--align=f needs --crop=dlib'),
  ],
)
def test_wrong_choices_are_refused(options, message):
  with pytest.raises(UserError, match=message):
    pack.Options(**options)


def test_resources_are_checked():
  with pytest.raises(
    UserError, match='--workers=0; give a whole number from 1'
  ):
    pack.Resources(workers=0)
  with pytest.raises(UserError, match='--runner=x; use one of local, Direct'):
    pack.Resources(runner='x')
