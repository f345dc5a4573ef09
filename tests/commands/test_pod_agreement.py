"""The processes of a pod must be given the same work."""

import os
import subprocess
import sys

import portpicker
import pytest

from helpers.paths import ROOT
from helpers.pod_runs import SETTINGS
from helpers.runs import tiny_config
from input_pipeline.errors import UserError
from input_pipeline.image_folders import FolderScan
from owdfa_jax.commands.pod_agreement import check_agreement, facts_of_work
from owdfa_jax.settings import check_run


@pytest.fixture
def facts(packed, tmp_path):
  def make(images=('b.png', 'a.png'), nearest=5, **changes):
    inputs = check_run(tiny_config(packed, **changes), str(tmp_path / 'run'))
    return facts_of_work(
      inputs, {'--nearest': nearest}, FolderScan(list(images))
    )

  return make


def agree(first, other):
  published = []

  def share(text):
    published.append(text)
    return published[0]

  check_agreement(first, 0, share)
  check_agreement(other, 3, share)


def test_processes_may_read_the_data_elsewhere_and_otherwise(facts):
  agree(
    facts(),
    facts(**{'data.num_threads': 1, 'compilation_cache': '/another/place'}),
  )


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'seed': 1}, '--config.seed=1 in process 3, and 0 in process 0'),
    ({'method.params.vote_rule': 'agreement'}, '--config.method.params.vote'),
    ({'nearest': 0}, '--nearest=0 in process 3, and 5'),
    ({'images': ['a.png']}, 'the number of images=1 in process 3, and 2 in'),
    ({'images': ['a.png', 'c.png']}, 'the names of images='),
  ],
)
def test_the_first_difference_is_named(facts, changes, message):
  with pytest.raises(UserError, match='different work') as refused:
    agree(facts(), facts(**changes))
  assert message in str(refused.value)


def test_another_version_or_other_data_is_named(facts):
  for name in ('version', 'the data: dataset'):
    with pytest.raises(UserError, match=f'different work: {name}=x in'):
      agree(facts(), facts() | {name: 'x'})
  # A setting that one version lacks.
  with pytest.raises(UserError, match='--config.more=1 in .* and None in'):
    agree(facts(), facts() | {'--config.more': 1})


def test_a_pod_with_two_seeds_ends_with_one_line(packed, tmp_path):
  port = portpicker.pick_unused_port()
  processes = [
    subprocess.Popen(
      [
        *(sys.executable, 'main.py', '--config=configs/cpl.py:folder64'),
        *SETTINGS,
        f'--config.data.path={packed}',
        f'--config.seed={number}',
        f'--workdir={tmp_path / "run"}',
        *('--distributed', '--num_processes=2', f'--process_id={number}'),
        f'--coordinator=localhost:{port}',
      ],
      cwd=ROOT,
      env=os.environ | {'JAX_NUM_CPU_DEVICES': '2'},
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    for number in range(2)
  ]
  ended = [process.communicate(timeout=120) for process in processes]
  assert [process.returncode for process in processes] == [1, 1], ended
  for out, err in ended:
    assert '--config.seed=1 in process 1, and 0 in process 0' in err
    assert len(err.strip().splitlines()) == 1 and not out
  assert not (tmp_path / 'run').exists()
