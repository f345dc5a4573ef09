"""The examples in the docstrings of losses."""

import doctest

import pytest

from owdfa_jax.losses import cal, common


@pytest.mark.parametrize('module', [common, cal])
def test_examples_print_what_they_say(module):
  result = doctest.testmod(module)
  assert result.attempted and not result.failed
