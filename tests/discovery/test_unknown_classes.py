"""The number of classes that neither the data nor the user gives."""

import ml_collections
import pytest
from etils import epath

from helpers.runs import start_run, tiny_config
from input_pipeline.dataset import open_dataset
from input_pipeline.errors import UserError
from owdfa_jax.discovery import unknown_classes
from owdfa_jax.discovery.num_sources import SourceEstimate
from owdfa_jax.discovery.unknown_classes import (
  estimate_classes,
  estimate_from_spectra,
  estimate_lines,
  estimate_without_network,
  take_or_hold_place,
)


def unlocked(*args, **changes):
  return ml_collections.ConfigDict(tiny_config(*args, **changes).to_dict())


@pytest.fixture
def found(monkeypatch):
  """Replaces the estimate by one that takes no time."""
  found = SourceEstimate(7, 5, 9, {2: 1.0, 4: 2.0}, 0.8, novel=5, images=40)
  monkeypatch.setattr(unknown_classes, 'estimate_num_sources', lambda *_: found)
  return found


def test_a_heap_without_a_number_gets_the_estimate(unsorted, tmp_path, found):
  config = unlocked(unsorted)
  assert take_or_hold_place(config, epath.Path(tmp_path))
  # Two known classes, so there are three outputs at least.
  assert config.data.num_classes == 3
  line = estimate_classes(config)
  assert config.data.num_classes == found.number
  assert 'data.num_classes=7' in line and '5 to 9 sources' in line
  assert 'warning' not in line


def test_a_run_that_resumes_keeps_its_number(unsorted, tmp_path, found):
  start_run(unsorted, tmp_path, data__num_classes=5)
  config = unlocked(unsorted)
  assert not take_or_hold_place(config, epath.Path(tmp_path))
  assert config.data.num_classes == 5


@pytest.mark.parametrize(
  'changes',
  [
    {'data__num_classes': 5},
    {'data__supervision': 'labelled'},
    {'data__path': 'nowhere'},
    {'batch_size': 0},
  ],
)
def test_nothing_is_estimated_where_it_is_not_needed(
  unsorted, tmp_path, changes
):
  config = unlocked(unsorted)
  for name, value in changes.items():
    config.update_from_flattened_dict({name.replace('__', '.'): value})
  before = config.data.num_classes
  assert not take_or_hold_place(config, epath.Path(tmp_path))
  assert config.data.num_classes == before


def test_data_that_gives_the_number_needs_no_estimate(packed, tmp_path):
  config = unlocked(packed)
  assert not take_or_hold_place(config, epath.Path(tmp_path))
  assert config.data.num_classes is None


def test_cal_that_counts_itself_needs_no_estimate(unsorted, tmp_path):
  config = unlocked(
    unsorted, method='cal', method__params__estimate_classes=True
  )
  assert not take_or_hold_place(config, epath.Path(tmp_path))


def test_an_estimate_that_is_not_reliable_is_warned_of(found):
  doubtful = SourceEstimate(7, 5, 9, {2: 1.0}, 0.1, novel=5, images=40)
  assert estimate_lines(doubtful)[-1].startswith(
    'number of sources, known and novel: 7 (5 to 9), not reliable: clusters'
  )
  lines = estimate_lines(found)
  assert lines[1:3] == ['       2  1.00', '       4  2.00']
  assert lines[-1].endswith('7 (5 to 9)')


def test_estimate_of_real_rows_is_the_same_each_time(unsorted):
  dataset = open_dataset(unsorted)
  once = estimate_from_spectra(dataset, num_threads=1)
  assert once == estimate_from_spectra(dataset, num_threads=2)
  assert 2 <= once.low <= once.number <= once.high


def test_command_prints_curve_and_number(unsorted, found):
  printed = estimate_without_network(unlocked(unsorted))
  assert 'number of sources, known and novel: 7 (5 to 9)' in printed


def test_one_known_class_is_too_few(packed):
  config = unlocked(packed, data__leave_out='m1')
  with pytest.raises(UserError, match='needs two; give --config.data.num_cl'):
    estimate_without_network(config)
