"""Wrappers of parts of a network put words into the middle of names."""

import re

import numpy as np
import pytest

from owdfa_jax.weights.prefixes import locate
from owdfa_jax.weights.wrappers import without_underscores, without_wrappers

WANTED = {
  'conv1.weight': (4, 3, 3, 3),
  'bn1.weight': (4,),
  'layer1.0.conv1.weight': (4, 4, 3, 3),
  'layer1.0.bn1.weight': (4,),
}
PARTS = {'conv1', 'bn1', 'layer1'}
WRAPPERS = (
  '_orig_mod',
  '_fsdp_wrapped_module',
  '_checkpoint_wrapped_module',
  'module',
)


@pytest.mark.parametrize('prefix', ['', 'module.', 'student.backbone.module.'])
@pytest.mark.parametrize('wrapper', WRAPPERS)
@pytest.mark.parametrize('part', [r'layer1', r'layer1\.0', r'conv1|bn1'])
def test_parts_that_are_wrapped_are_found(part, wrapper, prefix):
  source = {
    prefix + re.sub(f'({part})', rf'\1.{wrapper}', name): np.zeros(shape)
    for name, shape in WANTED.items()
  }
  place = locate(without_wrappers(source, PARTS), WANTED, 'here')
  assert place.prefix == prefix
  found = {place.find(name) for name in WANTED}
  assert found == {prefix + name for name in WANTED}


def test_words_before_a_network_stay():
  source = {'module._orig_mod.encoder.module.conv1.weight': np.zeros(1)}
  assert without_wrappers(source, PARTS) == source


def test_names_that_would_become_equal_stay():
  source = {
    'layer1._orig_mod.0.conv1.weight': np.zeros(1),
    'layer1.0.conv1.weight': np.ones(1),
  }
  assert without_wrappers(source, PARTS) == source


def test_underscores_before_the_networks_words_are_left_out():
  names = ('_blocks.0._conv1.weight', 'module._bn1.bias', '_fc.weight')
  source = {name: np.zeros(1) for name in names}
  words = {'blocks', '0', 'conv1', 'bn1', 'weight', 'bias'}
  assert list(without_underscores(source, words)) == [
    'blocks.0.conv1.weight',
    'module.bn1.bias',
    '_fc.weight',
  ]


def test_names_that_would_clash_keep_their_underscores():
  source = {name: np.zeros(1) for name in ('_conv1.weight', 'conv1.weight')}
  assert without_underscores(source, {'conv1', 'weight'}) is source
