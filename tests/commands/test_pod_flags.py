"""The flags of a pod fit each other, or are one line."""

import pytest

from input_pipeline.errors import UserError
from owdfa_jax.commands.pod_flags import check_pod_flags


def check(**flags):
  none = dict.fromkeys(('coordinator', 'num_processes', 'process_id'))
  check_pod_flags(**{'distributed': True, 'timeout': 60, **none, **flags})


@pytest.mark.parametrize(
  'flags',
  [
    {},
    {'distributed': False},
    {'coordinator': 'host:1234', 'num_processes': 2, 'process_id': 1},
    {'coordinator': '10.0.0.1:65535', 'num_processes': 1, 'process_id': 0},
    {'coordinator': '[::1]:80'},
    {'process_id': 7},
  ],
)
def test_flags_that_fit(flags):
  check(**flags)


@pytest.mark.parametrize(
  'name, value',
  [('num_processes', 2), ('process_id', 0), ('coordinator', 'host:1')],
)
def test_a_flag_of_a_pod_alone(name, value):
  message = f'--{name}={value} without --distributed; add --distributed'
  with pytest.raises(UserError, match=message):
    check(distributed=False, **{name: value})


@pytest.mark.parametrize(
  'flags, message',
  [
    ({'num_processes': 0}, 'num_processes=0; give a whole number from 1 to'),
    ({'num_processes': -2}, 'num_processes=-2; give a whole number from 1'),
    ({'num_processes': 10**30}, 'give a whole number from 1 to 100000'),
    ({'process_id': -1}, 'process_id=-1; give a whole number from 0 to'),
    (
      {'num_processes': 2, 'process_id': 2},
      'process_id=2; give a whole number from 0 to 1',
    ),
    ({'timeout': 1}, 'pod_timeout=1; give a whole number from 5 to 86400'),
    ({'timeout': 10**9}, 'pod_timeout=1000000000; give a whole number'),
    *(
      ({'coordinator': text}, 'not an address: .*; give HOST:PORT')
      for text in ('', 'host', 'host:', ':80', 'host:0', 'host:65536', 'a b:1')
    ),
    ({'coordinator': 'http://host:80'}, 'not an address'),
    ({'coordinator': 'host:٨٠'}, 'not an address'),
  ],
)
def test_flags_that_do_not_fit(flags, message):
  with pytest.raises(UserError, match=message):
    check(**flags)
