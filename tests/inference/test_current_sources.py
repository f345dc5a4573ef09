"""Which sources a loaded run has: those of its file, or new ones in memory."""

import types

import pytest

from input_pipeline.errors import UserError
from owdfa_jax.evaluation.threshold_rows import TEST_IMAGES
from owdfa_jax.inference import current_sources as module
from owdfa_jax.inference.current_sources import current_sources


def sources(scored='unlabelled', sample='images', parts=3):
  densities = types.SimpleNamespace(usual=[0.0] * parts)
  return types.SimpleNamespace(
    scored=scored, sample=sample, densities=densities
  )


def run(has_images):
  dataset = types.SimpleNamespace(has_images=has_images)
  return types.SimpleNamespace(workdir='w', config='c', dataset=dataset)


NETWORK = types.SimpleNamespace(folder='f')


@pytest.fixture
def found(monkeypatch):
  """Sets what the file of sources holds; new ones are called 'made'."""
  monkeypatch.setattr(module, 'fit_sources', lambda *_: 'made')
  return lambda seen: monkeypatch.setattr(
    module, 'read_sources', lambda *_: seen
  )


@pytest.mark.parametrize(
  ('seen', 'has_images', 'is_made'),
  [
    (sources(), True, False),
    (sources(scored=TEST_IMAGES), True, True),
    (sources(sample=None), True, True),
    (sources(parts=2), True, True),
    (None, True, True),
    # As `owdfa attribute` leaves it, whose data need not be there.
    (sources(sample=None), False, False),
  ],
)
def test_earlier_sources_are_made_anew(found, seen, has_images, is_made):
  found(seen)
  made = 'made' if is_made else seen
  assert current_sources(run(has_images), NETWORK) == (made, '')


def test_missing_sources_are_made_where_the_data_is(found, monkeypatch):
  found(None)
  for name in ('inputs_with_images', 'check_same_network', 'restore_network'):
    monkeypatch.setattr(module, name, lambda *_: None)
  monkeypatch.setattr(module, 'build_experiment', lambda *_, **__: None)
  assert current_sources(run(False), NETWORK) == ('made', '')


def test_without_data_a_line_says_why_there_are_none(found, monkeypatch):
  def fail(*_):
    raise UserError('the data is gone')

  found(None)
  monkeypatch.setattr(module, 'inputs_with_images', fail)
  seen, why = current_sources(run(False), NETWORK)
  assert seen is None and why.endswith('and the data is gone')
