"""Every method end to end: train, stop, resume, evaluate on one device."""

import json
import pathlib
import signal

import jax
import numpy as np
import pytest

from helpers import imagesets
from helpers.runs import stop_after, tiny_experiment
from input_pipeline import pack
from input_pipeline.errors import UserError
from owdfa_jax import methods, parallel
from owdfa_jax.evaluation import evaluate
from owdfa_jax.methods import METHODS
from owdfa_jax.training.checkpoints import read_network
from owdfa_jax.training.loop import train

pytestmark = pytest.mark.usefixtures('quick_compile')

STEPS_PER_EPOCH = 3
# A config each, and what else a run may turn on.
RUNS = {
  'lower_bound': ('lower_bound', {}),
  'cpl': ('cpl', {}),
  'mpsl': ('mpsl', {}),
  'cal': ('cal', {'method__params__pseudo_from_epoch': 1}),
  'cal, classes unknown': (
    'cal',
    {
      'method__params__estimate_classes': True,
      'method__params__prune_from_epoch': 0,
    },
  ),
  'orca': ('orca', {}),
  'simgcd': ('simgcd', {}),
  'mpsl and cdal': ('mpsl', {'method__params__counterfactual': True}),
  'cpl and flexmatch': (
    'cpl',
    {'pseudo__rule': 'flexmatch', 'pseudo__params__threshold': 0.3},
  ),
  'cpl and freematch': ('cpl', {'pseudo__rule': 'freematch'}),
}


@pytest.fixture(scope='session')
def packed64(tmp_path_factory):
  """Images large enough for all grids; few of them."""
  folder = tmp_path_factory.mktemp('packed64')
  table = imagesets.write_set(
    folder / 'images', known=2, novel=2, per_class=16, size=64
  )
  pack.pack(table, folder / 'packed', pack.Options(size=64), workers=1)
  return folder / 'packed'


# What the others cover in part.
SLOW = ('cpl and freematch', 'lower_bound')


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
  whole = check_resuming(make, monkeypatch, stop=STEPS_PER_EPOCH + 1)

  eight = evaluate.evaluate(whole)
  one_device = parallel.place(jax.devices()[:1])
  monkeypatch.setattr(parallel, 'place', lambda: one_device)
  one = evaluate.evaluate(make('whole'))
  assert one['all_acc'] == eight['all_acc']
  assert one['estimated_classes'] == eight['estimated_classes']
  assert '| Known ACC |' in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize('name', ['cal, classes unknown', 'orca'])
def test_a_stop_at_the_end_of_an_epoch_costs_nothing(
  packed64, tmp_path, monkeypatch, name
):
  config, changes = RUNS[name]
  make = lambda folder: tiny_experiment(
    packed64, tmp_path / folder, config, **changes
  )
  check_resuming(make, monkeypatch, stop=STEPS_PER_EPOCH)


def check_resuming(make, monkeypatch, stop):
  """A run that stops and goes on is the same as one that does not: returned."""
  whole, stopped = make('whole'), make('stopped')
  assert train(whole) == 0
  with monkeypatch.context() as patch:
    stop_after(patch, stop)
    assert train(stopped) == 128 + signal.SIGTERM
  assert train(stopped) == 0
  jax.tree.map(
    np.testing.assert_array_equal,
    read_network(whole.workdir),
    read_network(stopped.workdir),
  )
  assert logged(stopped.workdir) == logged(whole.workdir)
  return whole


def logged(workdir):
  """All that the log has but the times, which no two runs share."""
  lines = (workdir / 'metrics.jsonl').read_text().splitlines()
  return [
    {k: v for k, v in json.loads(line).items() if not k.startswith('time/')}
    for line in lines
  ]


def test_classes_are_estimated_only_where_asked(packed64, tmp_path):
  _, changes = RUNS['cal, classes unknown']
  experiment = tiny_experiment(packed64, tmp_path, 'cal', **changes)
  assert experiment.num_outputs == 20
  assert train(experiment) == 0
  report = evaluate.evaluate(experiment)
  # Some of the twenty are never on top of a row, and die.
  assert 2 < report['estimated_classes'] < 20
  written = json.loads((tmp_path / 'report.json').read_text())
  assert written['estimated_classes'] == report['estimated_classes']
  told = tiny_experiment(packed64, tmp_path / 'told', 'cal')
  assert told.num_outputs == 4


@pytest.mark.parametrize(
  'config, setting, value',
  [('cal', 'prototypes_per_known', 1), ('simgcd', 'projection', 0)],
)
def test_settings_too_small_are_named(
  packed64, tmp_path, config, setting, value
):
  with pytest.raises(UserError, match=f'params.{setting}={value}'):
    tiny_experiment(
      packed64, tmp_path, config, **{f'method__params__{setting}': value}
    )


def test_unlabelled_rows_of_the_training_split_can_be_judged(
  packed64, tmp_path
):
  experiment = tiny_experiment(
    packed64, tmp_path, epochs=1, eval__split='unlabelled'
  )
  assert train(experiment) == 0
  report = evaluate.evaluate(experiment)
  tag = experiment.dataset.train.tag
  assert report['num_examples'] == (tag == 2).sum() < len(tag)
  table = (tmp_path / 'attributions_unlabelled.csv').read_text()
  assert len(table.splitlines()) == 1 + report['num_examples']


def test_a_method_is_one_short_file_and_one_line():
  """What a new method costs, by the smallest ones."""
  folder = pathlib.Path(methods.__file__).parent
  length = lambda name: len((folder / name).read_text().splitlines())
  assert length('supervised.py') < 45 and length('mpsl.py') < 50
  table = (folder / '__init__.py').read_text()
  for name, method in METHODS.items():
    assert f"  '{name}': {method.__name__},\n" in table
