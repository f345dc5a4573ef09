"""What the method of a run is called."""

import pytest

from owdfa_jax import configs
from owdfa_jax.discovery.stage_plan import plan_stages
from owdfa_jax.method_titles import TITLES, method_title
from owdfa_jax.methods.parameters import PARAMETERS


def test_each_method_has_a_title():
  assert TITLES.keys() == PARAMETERS.keys()


@pytest.mark.parametrize(
  'name, title',
  [
    ('trace', 'Trace'),
    ('cpl', 'CPL'),
    ('mpsl', 'MPSL'),
    ('cal', 'CAL'),
    ('orca', 'ORCA'),
    ('simgcd', 'SimGCD'),
    ('lower_bound', 'lower bound'),
    ('upper_bound', 'upper bound'),
    ('spectrum', 'the spectrum, without a network'),
  ],
)
@pytest.mark.parametrize('benchmark', ['folder64', 'owdfa1'])
def test_shipped_configs(name, title, benchmark):
  assert method_title(configs.load(name, benchmark).to_dict()) == title


def test_stages_of_trace():
  config = configs.load('staged', 'trace,folder64').lock()
  assert method_title(config.to_dict()) == 'Trace in rounds'
  titles = [
    method_title(x.config(config).to_dict()) for x in plan_stages(config)
  ]
  assert titles == ['Trace', 'Trace in rounds', 'Trace in rounds']


@pytest.mark.parametrize(
  'name, changes, title',
  [
    ('trace', {'eval.classify_by': 'head'}, 'Trace'),
    ('trace', {'model.front_end': 'rgb'}, 'CPL'),
    ('trace', {'model.spectrum_features': 0}, 'CPL'),
    ('trace', {'pseudo.rule': 'fixmatch'}, 'Trace with fixmatch'),
    ('cpl', {'method.params.counterfactual': True}, 'CPL with CDAL'),
    (
      'upper_bound',
      {'model.front_end': 'residual', 'model.spectrum_features': 128},
      'upper bound, network of Trace',
    ),
  ],
)
def test_changed_settings(name, changes, title):
  config = configs.load(name, 'folder64')
  config.update_from_flattened_dict(changes)
  assert method_title(config.to_dict()) == title


def test_a_record_of_an_earlier_version():
  assert method_title({'method': {'name': 'cpl'}}) == 'CPL'
  assert method_title({}) == ''
