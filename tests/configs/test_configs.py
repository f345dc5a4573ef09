"""Every config on every benchmark: it loads and equals the recorded one.

After an intended change, record the configs anew:
  PYTHONPATH=.:tests python tests/configs/test_configs.py
"""

import json
import re
import subprocess
import sys

import pytest

from helpers.paths import GOLDENS, ROOT
from input_pipeline.errors import UserError
from owdfa_jax import configs, experiment, settings
from owdfa_jax.configs import ablation, benchmarks, leaderboard
from owdfa_jax.leaderboard.row_configs import make_row_config
from owdfa_jax.leaderboard.rows import Row
from owdfa_jax.methods.by_name import METHODS

RECORDED = GOLDENS / 'configs'
RECORDED_BENCHMARKS = ('owdfa1', 'folder64')


def as_text(config):
  return json.dumps(json.loads(config.to_json_best_effort()), indent=2) + '\n'


@pytest.mark.parametrize('name', configs.names())
@pytest.mark.parametrize('benchmark', RECORDED_BENCHMARKS)
def test_config_equals_the_recorded_one(name, benchmark):
  expected = (RECORDED / f'{name}.{benchmark}.json').read_text()
  assert as_text(configs.load(name, benchmark)) == expected


@pytest.mark.parametrize('name', configs.names())
@pytest.mark.parametrize('benchmark', benchmarks.BENCHMARKS)
def test_config_is_valid_and_builds_its_method(name, benchmark):
  config = configs.load(name, benchmark)
  settings.check_config(config)
  assert type(experiment.make_method(config)) is METHODS[config.method.name]


def test_docstrings_have_the_accuracies_of_the_page_of_results():
  page = (ROOT / 'docs/results.md').read_text()
  table = re.search('<!-- simulated1 -->(.*)<!-- /simulated1 -->', page, re.S)
  lines = table[1].splitlines()
  for row in leaderboard.get_config().rows:
    name, _, method = row['config'].partition(':')
    # configs/staged.py names the accuracy of its default, CPL.
    if 'overrides' not in row and method in ('', 'cpl'):
      text = (ROOT / f'configs/{name}.py').read_text()
      accuracy = re.search('All ACC.* on simulated1.*: (.*±.*?)[ \n]\\(', text)
      (line,) = (x for x in lines if x.startswith(f'| {row["name"]} |'))
      assert f' {accuracy[1]} |' in line


@pytest.mark.parametrize('benchmark', ['simulated1', 'folder64', 'owdfa1'])
def test_ablation_goes_from_cpl_to_trace_in_rounds(benchmark):
  rows = ablation.get_config(benchmark).rows
  assert len({row['name'] for row in rows}) == len(rows) == 8
  assert not any(',' in row['name'] for row in rows)
  made = {
    name: make_row_config(
      Row(name, row['config'], tuple(row['overrides'])), 0, (), benchmark
    )
    for row in rows
    for name in [row['name']]
  }
  for config in made.values():
    settings.check_config(config)
  expected = configs.load('trace', benchmark)
  # Without rounds and stages, both select the checkpoint as CPL does.
  expected.eval.selection = made['front end + whitening'].eval.selection
  assert as_text(made['front end + whitening']) == as_text(expected)
  assert as_text(made['front end + whitening + rounds']) == as_text(
    configs.load('staged', f'trace,{benchmark}')
  )
  none = made['none']
  assert none.eval.classify_by == 'head' and none.model.front_end == 'rgb'


def test_configs_and_parameters_load_without_jax():
  code = """
import sys
from owdfa_jax import configs
from owdfa_jax.configs import ablation, leaderboard
from owdfa_jax.methods import parameters
for name in configs.names():
  configs.load(name, 'owdfa1')
leaderboard.get_config('owdfa1')
ablation.get_config('owdfa1')
loaded = {module.partition('.')[0] for module in sys.modules}
assert not loaded & {'jax', 'flax', 'optax'}, loaded
"""
  done = subprocess.run(
    [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True
  )
  assert done.returncode == 0, done.stderr


def test_the_papers_names_mean_the_same_benchmarks():
  for number in (1, 2, 3, 4):
    assert as_text(configs.load('cpl', f'protocol{number}')) == as_text(
      configs.load('cpl', f'owdfa{number}')
    )


def test_class_counts_are_the_papers():
  counts = {
    name: (benchmark.num_known, benchmark.num_classes)
    for name, benchmark in benchmarks.BENCHMARKS.items()
  }
  assert counts['owdfa1'] == (8, 20)
  assert counts['owdfa2'] == (9, 22)
  assert counts['owdfa40_2'] == (13, 41)


@pytest.mark.parametrize(
  'name, argument, message',
  [
    ('cpl', 'owdfa9', 'benchmark=owdfa9; use one of owdfa1'),
    ('staged', 'cpl,owdfa9', 'benchmark=owdfa9; use one of owdfa1'),
    ('staged', 'clp,owdfa1', 'method=clp; use one of cal, cpl'),
    ('clp', 'owdfa1', 'config=clp; use one of cal, cpl'),
    ('benchmarks', 'owdfa1', 'config=benchmarks; use one of'),
    ('../cpl', 'owdfa1', 'config=../cpl; use one of'),
  ],
)
def test_unknown_names_are_errors(name, argument, message):
  with pytest.raises(UserError, match=message):
    configs.load(name, argument)


if __name__ == '__main__':
  RECORDED.mkdir(exist_ok=True)
  for config_name in configs.names():
    for benchmark_name in RECORDED_BENCHMARKS:
      recorded = configs.load(config_name, benchmark_name)
      path = RECORDED / f'{config_name}.{benchmark_name}.json'
      path.write_text(as_text(recorded))
