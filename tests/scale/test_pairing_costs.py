"""Tests of what the pairing adds to a ResNet-50's step on TPU chips.

The compiler for TPUs counts. It takes minutes for each step.
"""

import json
import os
import subprocess
import sys

import pytest

from helpers.paths import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture
def step_costs(tmp_path):
  """Returns a function from flags to the costs of three methods' steps."""
  pytest.importorskip('libtpu')

  def run(flags):
    kept = tmp_path / 'rows.json'
    subprocess.run(
      [
        *(sys.executable, '-m', 'owdfa_jax.commands.owdfa', 'scale'),
        *('--methods=supervised,cpl,mpsl', '--backbones=resnet50'),
        *(f'--out={kept}', *flags.split()),
      ],
      cwd=ROOT,
      env=os.environ | {'JAX_PLATFORMS': 'cpu'},
      check=True,
    )
    rows = json.loads(kept.read_text())['rows']
    return {row['of']['method']: row['cost'] for row in rows}

  return run


def test_pairing_on_256_chips_fits(step_costs):
  costs = step_costs('--topology=v5e:16x16 --batch=32768 --effort=low')
  for method, memory, gathered in (('cpl', 1.05, 0.05), ('mpsl', 1.2, 0.1)):
    peak = costs[method]['peak'] / costs['supervised']['peak']
    assert peak <= memory, method
    assert costs[method]['sent']['all-gather'] <= gathered * 1e9, method


def test_pairing_on_one_chip_costs_little(step_costs):
  costs = step_costs('--topology=v5e:2x2 --devices=1 --batch=128')
  for method, most in (('cpl', 1.01), ('mpsl', 1.03)):
    for count in ('flops', 'moved'):
      ratio = costs[method][count] / costs['supervised'][count]
      assert ratio <= most, (method, count)
