"""What clustering costs, counted by the compiler."""

import jax
import pytest

from owdfa_jax import parallel
from owdfa_jax.scale import clustering
from owdfa_jax.scale.__main__ import main
from owdfa_jax.scale.clustering import (
  MOVES,
  lower_clustering,
  lower_features,
)
from owdfa_jax.scale.program import step_cost

ROWS, CHANNELS, CLUSTERS = 4096, 16, 8


@pytest.mark.usefixtures('quick_compile')
def test_each_device_has_its_share_and_no_features_travel():
  cost = {
    devices: step_cost(
      lower_clustering(
        ROWS,
        CHANNELS,
        CLUSTERS,
        parallel.make_placement(jax.devices()[:devices]),
      ).compile()
    )
    for devices in (1, 8)
  }
  share = cost[8].flops / cost[1].flops
  assert 1 / 8 <= share < 1 / 4
  # Sums over rows, [K, C] a move, and a few numbers for each drawn centre.
  sent = sum(cost[8].sent.values())
  assert 0 < sent < 4 * ROWS * CHANNELS


def test_each_device_draws_its_own_features():
  one, all_devices = (
    lower_features(
      ROWS, CHANNELS, parallel.make_placement(jax.devices()[:count])
    ).compile()
    for count in (1, 8)
  )
  assert step_cost(all_devices).peak < step_cost(one).peak / 6
  feature = all_devices()
  assert feature.sharding.spec == jax.P('data')
  assert abs(feature.mean()) < 0.02 and abs(feature.std() - 1) < 0.02


def test_command(capsys, tmp_path):
  flags = (
    '--topology=local --rows=508 --channels=8 --clusters=4,6 --devices=8 --run '
    f'--out={tmp_path / "rows.json"}'
  ).split()
  main(flags)
  out = capsys.readouterr().out
  assert f'one start, {MOVES} moves at most, 8 channels, cpu; of each' in out
  first, second = (x.split(' | ') for x in out.splitlines()[-2:])
  assert first[:3] == ['| 508', '4', '8'] and second[:3] == ['| 508', '6', '8']
  assert float(second[3]) >= float(first[3])
  assert float(first[-1].rstrip(' |')) >= 0
  main(flags)
  again = capsys.readouterr()
  assert again.out == out and not again.err


@pytest.mark.parametrize(
  ('broken', 'failure'),
  [('time_clustering', 'not run'), ('compiled_cost', 'not compiled')],
)
def test_what_failed_is_said(broken, failure, monkeypatch, capsys):
  def fail(*_):
    raise jax.errors.JaxRuntimeError('RESOURCE_EXHAUSTED: 9 bytes')

  monkeypatch.setattr(clustering, 'compiled_cost', lambda *_: {})
  monkeypatch.setattr(clustering, broken, fail)
  with pytest.raises(SystemExit) as exit_:
    main(
      '--topology=local --rows=8 --channels=8 --clusters=4 --devices=1 '
      '--run'.split()
    )
  assert exit_.value.code == 1
  assert capsys.readouterr().err.splitlines()[1:] == [
    '8 rows, 4 clusters, 1 chip: RESOURCE_EXHAUSTED: 9 bytes',
    f'error: {failure}: 8 rows, 4 clusters, 1 chip; the reason stands above',
  ]


@pytest.mark.parametrize(
  'arguments, message',
  [
    ('', 'give --batch, the rows of a step, or --rows, of a clustering'),
    ('--batch=8 --rows=8', 'give --batch'),
    ('--rows=8 --clusters=4,x', 'wrong type: --clusters=x'),
    ('--rows=8 --clusters=1', 'out of range: --clusters=1'),
    ('--batch=8 --run', '--run takes --rows and --topology=local'),
    ('--rows=1', 'out of range: --rows=1'),
  ],
)
def test_bad_arguments(arguments, message, capsys):
  with pytest.raises(SystemExit) as exit_:
    main(['--topology=local', *arguments.split()])
  assert exit_.value.code == 2
  assert message in capsys.readouterr().err
