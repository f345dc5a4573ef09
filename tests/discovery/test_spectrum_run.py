"""A run without a network, from packed images to its report."""

import dataclasses
import json

import numpy as np
import pytest

from helpers.csv_files import read_csv
from helpers.waves import pack_waves
from input_pipeline.errors import UserError
from input_pipeline.meta import LABELLED
from owdfa_jax import configs
from owdfa_jax.discovery.spectrum_run import fit_spectrum, run_spectrum
from owdfa_jax.report_fields import METRICS
from owdfa_jax.settings import check_spectrum


@pytest.fixture(scope='module')
def waves(tmp_path_factory):
  return pack_waves(tmp_path_factory.mktemp('waves'))


def make_inputs(packed, workdir, **changes):
  """Returns the checked inputs of a run; `__` stands for a dot in a name."""
  config = configs.load('spectrum', 'folder64')
  config.data.path = str(packed)
  config.update_from_flattened_dict(
    {name.replace('__', '.'): value for name, value in changes.items()}
  )
  return check_spectrum(config.lock(), str(workdir))


def test_waves_are_told_apart(waves, tmp_path, capsys):
  report = run_spectrum(make_inputs(waves, tmp_path))
  assert report['all_acc'] == report['new_acc'] == report['known_acc'] == 1
  assert report.keys() >= {*METRICS, 'per_class', 'heap', 'not_available'}
  assert report['per_class'][3]['name'] == 'm3'
  assert report['checkpoint'] is report['last'] is None
  assert report['not_available']['last'] == 'a spectrum has no network'
  assert '1 of 3 known classes' in report['spectrum']['shrinkage_chosen_by']
  assert json.loads((tmp_path / 'report.json').read_text()) == report
  lines = read_csv(tmp_path / 'attributions.csv')
  assert len(lines) == report['num_examples']
  printed = capsys.readouterr().out
  assert 'no network' in printed and '100.00' in printed


def test_with_all_labels(waves, tmp_path):
  report = run_spectrum(make_inputs(waves, tmp_path, data__supervision='all'))
  assert report['all_acc'] == report['known_acc'] == 1
  assert 'all labels' in report['spectrum']['classifier']


def test_the_same_inputs_give_the_same_files(waves, tmp_path):
  for name in ('one', 'other'):
    run_spectrum(make_inputs(waves, tmp_path / name))
  for name in ('report.json', 'attributions.csv'):
    files = [tmp_path / folder / name for folder in ('one', 'other')]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_labels_of_unlabelled_images_do_not_matter(waves, tmp_path):
  inputs = make_inputs(waves, tmp_path)
  train = inputs.dataset.train
  hidden = train.tag != LABELLED
  label = np.where(hidden, (train.label + 2) % 5, train.label)
  other = dataclasses.replace(
    inputs,
    dataset=dataclasses.replace(
      inputs.dataset, train=dataclasses.replace(train, label=label)
    ),
  )
  models = [fit_spectrum(each).model for each in (inputs, other)]
  np.testing.assert_array_equal(models[0].centres, models[1].centres)
  assert models[0].facts == models[1].facts


def test_a_group_gets_one_verdict(waves, tmp_path):
  inputs = make_inputs(waves, tmp_path)
  test = inputs.dataset.test
  # Pairs of images of one source.
  group = np.zeros(len(test), np.int32)
  for source in range(5):
    rows = np.flatnonzero(test.label == source)
    group[rows] = rows[np.arange(len(rows)) // 2 * 2]
  grouped = dataclasses.replace(
    inputs,
    dataset=dataclasses.replace(
      inputs.dataset, test=dataclasses.replace(test, row_group=group)
    ),
  )
  report = run_spectrum(grouped)
  assert report['groups']['num_examples'] == len(np.unique(group))
  assert report['groups']['all_acc'] == 1
  assert report['num_examples'] == len(test)


def test_a_heap_has_a_summary(unsorted, tmp_path):
  inputs = make_inputs(unsorted, tmp_path, data__num_classes=5)
  report = run_spectrum(inputs)
  assert report['all_acc'] is None and report['known_acc'] is not None
  heap = report['heap']
  assert heap['num_images'] == report['num_without_truth'] > 0
  assert {x['output'] for x in heap['per_output']} <= set(range(5))


def test_other_splits_have_reports_of_their_own(waves, tmp_path):
  report = run_spectrum(make_inputs(waves, tmp_path, eval__split='unlabelled'))
  assert (tmp_path / 'report_unlabelled.json').exists()
  assert report['split'] == 'unlabelled' and report['all_acc'] == 1


@pytest.mark.parametrize(
  'changes, message',
  [
    ({'data__supervision': 'labelled'}, 'supervision=labelled; give open_wor'),
    ({'spectrum__components': 0}, 'out of range: .*spectrum.components=0'),
    ({'data__path': 'nowhere'}, 'nowhere'),
  ],
)
def test_settings_that_do_not_fit(waves, tmp_path, changes, message):
  with pytest.raises(UserError, match=message):
    make_inputs(waves, tmp_path, **changes)


def test_a_heap_cannot_give_all_labels(unsorted, tmp_path):
  with pytest.raises(UserError, match='supervision=all needs every label'):
    make_inputs(
      unsorted, tmp_path, data__supervision='all', data__num_classes=5
    )
