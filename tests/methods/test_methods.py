"""Every method end to end: train, stop, resume, evaluate on one device."""

import json
import signal

import jax
import numpy as np
import pytest

from helpers import imagesets
from helpers.runs import stop_after, tiny_experiment
from input_pipeline import pack
from owdfa_jax import parallel, report_fields
from owdfa_jax.evaluation import evaluate
from owdfa_jax.evaluation.epoch_evaluator import train_with_evaluation
from owdfa_jax.training.checkpoints import read_network

pytestmark = pytest.mark.usefixtures('quick_compile', 'two_blocks')

STEPS_PER_EPOCH = 3
ESTIMATING_CAL = {
  'method__params__estimate_classes': True,
  'method__params__prune_from_epoch': 0,
}
# Another front end, and transforms that no paper has.
TRACES = {
  'model__front_end': 'both',
  'model__spectrum_features': 4,
  'model__spectrum_projections': 3,
  'augment__crop': 'shifted',
  'augment__resize_probability': 0.5,
  'augment__noise_probability': 0.5,
  'augment__jpeg_probability': 0.5,
}
# From the name of a run to its config and its overrides.
RUNS = {
  'lower_bound': ('lower_bound', {}),
  'lower_bound, traces': ('lower_bound', TRACES),
  'cpl': ('cpl', {}),
  'mpsl': ('mpsl', {}),
  'cal': ('cal', {'method__params__pseudo_from_epoch': 1}),
  'cal, classes unknown': ('cal', ESTIMATING_CAL),
  'orca': ('orca', {}),
  'simgcd': ('simgcd', {}),
  'mpsl and cdal': ('mpsl', {'method__params__counterfactual': True}),
  'cpl and flexmatch': (
    'cpl',
    {'pseudo__rule': 'flexmatch', 'pseudo__params__threshold': 0.3},
  ),
  'cpl and freematch': ('cpl', {'pseudo__rule': 'freematch'}),
}
# The other runs cover most of these.
SLOW = (
  'cal, classes unknown',
  'cpl and flexmatch',
  'cpl and freematch',
  'lower_bound',
  'mpsl and cdal',
  'orca',
  'simgcd',
)


@pytest.fixture(scope='session')
def packed64(tmp_path_factory):
  """A few packed images that are large enough for all grids."""
  folder = tmp_path_factory.mktemp('packed64')
  table = imagesets.write_set(
    folder / 'images', known=2, novel=2, per_class=16, size=64
  )
  pack.pack(table, folder / 'packed', pack.Options(size=64), workers=1)
  return folder / 'packed'


@pytest.mark.parametrize(
  'name',
  [
    pytest.param(name, marks=pytest.mark.slow if name in SLOW else ())
    for name in RUNS
  ],
)
def test_trains_resumes_and_evaluates(
  packed64, tmp_path, monkeypatch, capsys, name
):
  config, changes = RUNS[name]
  make = lambda folder: tiny_experiment(
    packed64, tmp_path / folder, config, **changes
  )
  whole = train_with_and_without_stop(
    make, monkeypatch, stop=STEPS_PER_EPOCH + 1
  )

  eight = evaluate.evaluate(whole)
  one_device = parallel.make_placement(jax.devices()[:1])
  monkeypatch.setattr(parallel, 'make_placement', lambda: one_device)
  one = evaluate.evaluate(make('whole'))
  in_use = report_fields.NUM_OUTPUTS_IN_USE
  assert one['all_acc'] == eight['all_acc']
  assert one[in_use] == eight[in_use]
  assert '| Known ACC |' in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize('name', ['cal, classes unknown', 'orca'])
def test_stop_at_the_end_of_an_epoch_changes_nothing(
  packed64, tmp_path, monkeypatch, name
):
  config, changes = RUNS[name]
  make = lambda folder: tiny_experiment(
    packed64, tmp_path / folder, config, **changes
  )
  train_with_and_without_stop(make, monkeypatch, stop=STEPS_PER_EPOCH)


def train_with_and_without_stop(make, monkeypatch, stop):
  """Checks that a run which stops and resumes equals one that does not.

  Args:
    make: makes the experiment in the folder of the given name.
    monkeypatch: the fixture.
    stop: the step after which the run is stopped.

  Returns:
    The experiment of the run that did not stop.
  """
  whole, stopped = make('whole'), make('stopped')
  assert train_with_evaluation(whole) == 0
  with monkeypatch.context() as patch:
    stop_after(patch, stop)
    assert train_with_evaluation(stopped) == 128 + signal.SIGTERM
  assert train_with_evaluation(stopped) == 0
  jax.tree.map(
    np.testing.assert_array_equal,
    read_network(whole.workdir),
    read_network(stopped.workdir),
  )
  assert read_log(stopped.workdir) == read_log(whole.workdir)
  return whole


def read_log(workdir):
  """Returns the lines of the log without times, which differ between runs."""
  lines = (workdir / 'metrics.jsonl').read_text().splitlines()
  return [
    {k: v for k, v in json.loads(line).items() if not k.startswith('time/')}
    for line in lines
  ]


def test_classes_are_estimated_only_if_the_config_asks(packed64, tmp_path):
  experiment = tiny_experiment(packed64, tmp_path, 'cal', **ESTIMATING_CAL)
  assert experiment.num_outputs == 20
  assert train_with_evaluation(experiment) == 0
  report = evaluate.evaluate(experiment)
  # Some of the twenty outputs are never on top of a row and get pruned.
  in_use = report_fields.NUM_OUTPUTS_IN_USE
  assert 2 < report[in_use] < 20
  written = json.loads((tmp_path / 'report.json').read_text())
  assert written[in_use] == report[in_use]
  given = tiny_experiment(packed64, tmp_path / 'given', 'cal')
  assert given.num_outputs == 4


def test_unlabelled_rows_of_the_training_split_can_be_evaluated(
  packed64, tmp_path
):
  experiment = tiny_experiment(
    packed64, tmp_path, epochs=1, eval__split='unlabelled'
  )
  assert train_with_evaluation(experiment) == 0
  report = evaluate.evaluate(experiment)
  tag = experiment.dataset.train.tag
  assert report['num_examples'] == (tag == 2).sum() < len(tag)
  table = (tmp_path / 'attributions_unlabelled.csv').read_text()
  assert len(table.splitlines()) == 1 + report['num_examples']
