"""What the pairing of a step sends, at a small and at a large size."""

import dataclasses
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

from helpers.paths import ROOT
from input_pipeline.errors import UserError
from owdfa_jax import parallel
from owdfa_jax.losses import neighbours, similarity
from owdfa_jax.methods.by_name import METHODS
from owdfa_jax.scale import table
from owdfa_jax.scale.__main__ import main
from owdfa_jax.scale.program import (
  Cost,
  Sizes,
  lower_step,
  method_config,
  step_cost,
)

SMALL = Sizes(
  batch=32,
  backbone='small',
  image=64,
  width=0.25,
  known=3,
  outputs=6,
  examples=100,
)
# Channels of the small network at a quarter of its width.
FEATURES = 64


@pytest.mark.usefixtures('quick_compile')
def test_pairing_gathers_no_features():
  cost = step_cost(
    lower_step('mpsl', SMALL, parallel.make_placement()).compile()
  )
  # A few numbers a row: logits, labels, values of columns.
  assert cost.sent['all-gather'] < 4 * SMALL.batch * FEATURES
  # Cells of three grids and three bands, and the global feature.
  cells = 9 + 25 + 49 + 3 * 16 + 1
  rows = 4 * SMALL.batch // 8 * cells * FEATURES
  assert 8 * rows <= cost.sent['collective-permute'] < 8 * rows * 1.1
  assert cost.flops > 0 and cost.moved > 0 and cost.peak > 0


def test_groups_send_less():
  """Of eight devices with four rows each, two and two form a group."""
  placement = parallel.make_placement()
  feature = jax.ShapeDtypeStruct(
    (32, FEATURES), jnp.float32, sharding=placement.by_batch
  )
  sent = []
  for within in (0, 8):
    find = jax.jit(
      lambda x, within=within: neighbours.find_neighbours(
        [similarity.cosine_factors(x)], mesh=placement.mesh, within=within
      )
    )
    cost = step_cost(find.lower(feature).compile())
    sent.append(cost.sent['collective-permute'])
  # The rows go round a ring of eight devices, or of two.
  assert 0 < sent[1] <= sent[0] / 4


@pytest.mark.parametrize('method', METHODS)
def test_settings_of_every_method(method):
  sizes = dataclasses.replace(SMALL, pair_within=8)
  config = method_config(method, sizes)
  assert config.method.name == method
  assert config.batch_size == 32 and config.model.width == 0.25
  voting = method in ('cpl', 'mpsl')
  assert config.method.params.get('pair_within') == (8 if voting else None)


def test_batch_that_does_not_fit_the_devices():
  sizes = Sizes(batch=24, backbone='small', image=64)
  with pytest.raises(UserError, match='batch_size=24 over 8 devices'):
    lower_step('cpl', sizes, parallel.make_placement())


def test_table_compares_with_the_supervised_step():
  sent = {
    'all-gather': 5 * 10**9,
    'all-reduce': 10**9,
    'reduce-scatter': 2 * 10**9,
    'all-to-all': 0,
    'collective-permute': 7 * 10**9,
  }
  nothing = dict.fromkeys(sent, 0)
  text = table.cost_table(
    {
      'supervised': Cost(2e12, 4e9, 8 * 10**9, nothing),
      'mpsl': Cost(3e12, 4e9, 12 * 10**9, sent),
      'cal': None,
    }
  )
  lines = text.splitlines()
  assert lines[3] == (
    '| mpsl | 3.000 (1.500) | 4.000 (1.000) | 12.000 (1.500) | 5.000 | 3.000 '
    '| 7.000 |'
  )
  assert lines[4].startswith('| cal | does not fit |')


def test_command_for_the_devices_of_this_machine(capsys):
  arguments = '--topology=local --batch=32 --methods=orca --backbones=small'
  main([*arguments.split(), '--image_size=64', '--part=loss'])
  out = capsys.readouterr().out
  assert 'loss, small, 64 pixels, 32 rows on 8 x cpu; of each chip:' in out
  assert '| orca | ' in out


@pytest.mark.parametrize(
  ('arguments', 'status', 'words'),
  [
    # What fits depends on the chips; the rest on the words alone.
    ('--batch=32 --devices=9', 1, '--devices=9'),
    ('--batch=24', 1, 'batch_size=24'),
    ('--batch=0', 2, '--batch=0'),
    ('--batch=32 --methods=clp', 2, '--methods=clp'),
    ('--batch=32 --backbones=resnet9', 2, '--backbones=resnet9'),
    ('--batch=32 --part=half', 2, '--part=half'),
    ('--batch=32 --effort=much', 2, '--effort=much'),
  ],
)
def test_mistakes(arguments, status, words, capsys):
  with pytest.raises(SystemExit) as ended:
    main(['--topology=local', *arguments.split()])
  assert ended.value.code == status
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith('error: ') and words in line


@pytest.mark.slow
def test_pairing_on_256_chips_fits():
  """MPSL on the chips of a pod, compiled with the compiler for TPUs."""
  pytest.importorskip('libtpu')
  command = 'scale --topology=v5e:16x16 --batch=32768 --effort=low'
  done = subprocess.run(
    [
      *(sys.executable, '-m', 'owdfa_jax.commands.owdfa', *command.split()),
      *('--methods=supervised,cpl,mpsl', '--backbones=resnet50'),
    ],
    cwd=ROOT,
    env=os.environ | {'JAX_PLATFORMS': 'cpu'},
    stdout=subprocess.PIPE,
    text=True,
    check=True,
  )
  rows = {
    cells[0]: cells[1:]
    for line in done.stdout.splitlines()
    if line.startswith('| ') and (cells := line.strip('| ').split(' | '))
  }
  for method, memory, gathered in (('cpl', 1.05, 0.05), ('mpsl', 1.2, 0.1)):
    ratio = float(rows[method][2].partition('(')[2].rstrip(')'))
    assert ratio <= memory, method
    assert float(rows[method][3]) <= gathered, method
