"""Every config on every benchmark: loads, is locked, reads as written down.

After a change that is meant, write the files anew:
  python tests/configs/test_configs.py
"""

import importlib
import json
import sys

import pytest

from helpers.paths import GOLDENS, ROOT
from input_pipeline.errors import UserError
from owdfa_jax import experiment
from owdfa_jax.configs import benchmarks
from owdfa_jax.methods import METHODS

GOLDEN = GOLDENS / 'configs'
FILES = sorted(
  path.stem
  for path in (ROOT / 'configs').glob('*.py')
  if path.stem not in ('__init__', 'benchmarks', 'default', 'leaderboard')
)


def load(name, benchmark):
  return importlib.import_module(f'owdfa_jax.configs.{name}').get_config(
    benchmark
  )


def text(config):
  return json.dumps(json.loads(config.to_json_best_effort()), indent=2) + '\n'


@pytest.mark.parametrize('name', FILES)
def test_config_is_the_one_written_down(name):
  for benchmark in ('owdfa1', 'folder64'):
    expected = (GOLDEN / f'{name}.{benchmark}.json').read_text()
    assert text(load(name, benchmark)) == expected


@pytest.mark.parametrize('name', FILES)
@pytest.mark.parametrize('benchmark', benchmarks.BENCHMARKS)
def test_config_builds_its_method(name, benchmark):
  config = load(name, benchmark)
  method = experiment.make_method(config)
  assert type(method) is METHODS[config.method.name]
  experiment.check_choices(config)


def test_papers_names_are_the_same_benchmarks():
  for number in (1, 2, 3, 4):
    assert text(load('cpl', f'protocol{number}')) == text(
      load('cpl', f'owdfa{number}')
    )


def test_papers_class_counts():
  counts = {
    name: (b.num_known, b.num_classes)
    for name, b in benchmarks.BENCHMARKS.items()
  }
  assert counts['owdfa1'] == (8, 20)
  assert counts['owdfa2'] == (9, 22)
  assert counts['owdfa40_2'] == (13, 41)


def test_unknown_benchmark():
  with pytest.raises(UserError, match='owdfa9.*owdfa1'):
    load('cpl', 'owdfa9')


if __name__ == '__main__':
  sys.path.insert(0, str(ROOT))
  GOLDEN.mkdir(exist_ok=True)
  for file in FILES:
    for which in ('owdfa1', 'folder64'):
      (GOLDEN / f'{file}.{which}.json').write_text(text(load(file, which)))
