"""The command that times variants of a step in turns, without a step."""

import types

import pytest

from input_pipeline.errors import UsageError
from owdfa_jax.training import compare_steps
from owdfa_jax.training.compare_steps import comparison_table, split_variant


def test_a_variant_has_variables_and_settings():
  found = split_variant('XLA_FLAGS=--a=1 --b=2 model.dtype=bfloat16 HOME=/x')
  assert found == (
    {'XLA_FLAGS': '--a=1 --b=2', 'HOME': '/x'},
    ['model.dtype=bfloat16'],
  )
  assert split_variant('') == ({}, [])


@pytest.mark.parametrize('text', ['model.dtype', '--a=1'])
def test_a_part_without_a_name_or_a_value_is_refused(text):
  with pytest.raises(UsageError, match='a variant'):
    split_variant(text)


def variant(name, *seconds):
  return types.SimpleNamespace(
    name=name, seconds=list(seconds), start_seconds=12.0
  )


def test_ratios_are_of_each_round():
  """Every round is twice as slow as the one before, for both variants."""
  lines = comparison_table(
    [variant('', 1.0, 2.0, 4.0), variant('b.c=1', 0.5, 1.0, 2.0)]
  ).splitlines()
  assert lines[1].split() == [
    *('as', 'it', 'is'),
    *('2000.0', '1.00', '1.00', 'to', '1.00', '12.0'),
  ]
  assert lines[2].split() == [
    *('b.c=1', '1000.0', '2.00', '2.00', 'to', '2.00', '12.0')
  ]


def test_a_process_that_ends_early_is_named(capfd):
  with pytest.raises(SystemExit) as stopped:
    compare_steps.main(['--config=nonesuch:folder', ''])
  assert stopped.value.code
  assert 'nonesuch' in capfd.readouterr().err
