"""What the pairing of a step sends, at a small and at a large size."""

import concurrent.futures
import dataclasses
import itertools
import json
import signal
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import pytest

from helpers.paths import ROOT
from input_pipeline.errors import UserError
from owdfa_jax import parallel
from owdfa_jax.losses import neighbours, similarity
from owdfa_jax.methods.by_name import METHODS
from owdfa_jax.scale import costs, hlo, table
from owdfa_jax.scale.__main__ import main
from owdfa_jax.scale.kept_rows import KeptRows
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
  # The feature map, of which the receiver makes three grids and three bands,
  # and the global feature.
  rows = 4 * SMALL.batch // 8 * (8 * 8 + 1) * FEATURES
  # Each row visits half of the devices.
  assert 4 * rows <= cost.sent['collective-permute'] < 4 * rows * 1.1
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


def test_table_compares_with_the_supervised_step(capsys):
  sent = {
    'all-gather': 5 * 10**9,
    'all-reduce': 10**9,
    'reduce-scatter': 2 * 10**9,
    'all-to-all': 0,
    'collective-permute': 7 * 10**9,
  }
  base = Cost(2e12, 4e9, 8 * 10**9, dict.fromkeys(sent, 0))
  other = Cost(3e12, 4e9, 12 * 10**9, sent)
  shown = table.CostTable('steps', ['method'])
  assert 'steps; of each chip:\n\n| method | ' in capsys.readouterr().out
  shown.add(['mpsl'], other, base)
  assert capsys.readouterr().out == (
    '| mpsl | 3.000 (1.500) | 4.000 (1.000) | 12.000 (1.500) | 5.000 | 3.000 '
    '| 7.000 |\n'
  )
  shown.add(['cal'], None, base)
  assert capsys.readouterr().out.startswith('| cal | does not fit |')


FLAGS = (
  '--topology=local --batch=32 --backbones=small --image_size=64 --part=loss'
).split()


@pytest.fixture
def costs_of(monkeypatch):
  """Has the compiler replaced; returns what each method costs."""
  cost = dataclasses.asdict(
    Cost(2e12, 4e9, 10**9, dict.fromkeys(hlo.COLLECTIVES, 0))
  )
  found = {
    'orca': cost | {'flops': 3e12},
    'supervised': cost,
    'mpsl': None,
    'cpl': jax.errors.JaxRuntimeError('INTERNAL: broken\nat length'),
  }

  def count(method, _):
    if isinstance(found[method], Exception):
      raise found[method]
    return found[method]

  monkeypatch.setitem(costs.LOWER, 'loss', lambda method, *_: method)
  monkeypatch.setattr(costs, 'compiled_cost', count)
  return found


def test_rows_are_kept_for_a_second_call(costs_of, tmp_path, capsys):
  flags = [*FLAGS, f'--out={tmp_path / "rows.json"}']
  main([*flags, '--methods=supervised,mpsl'])
  first = capsys.readouterr()
  assert '| supervised | 2.000 (1.000) | ' in first.out
  assert '| mpsl | does not fit | ' in first.out
  del costs_of['supervised'], costs_of['mpsl']
  main([*flags, '--methods=orca,mpsl,supervised'])
  second = capsys.readouterr()
  lines = [line[:24] for line in second.out.splitlines()[-3:]]
  assert lines == [
    '| supervised | 2.000 (1.',
    '| orca | 3.000 (1.500) |',
    '| mpsl | does not fit | ',
  ]
  assert second.err == 'compiling: orca, small\n'
  # What is kept is the reference too.
  main([*flags, '--methods=orca'])
  assert '| orca | 3.000 (1.500) |' in capsys.readouterr().out
  # The rows are those of one program.
  with pytest.raises(KeyError, match='supervised'):
    main([*flags, '--methods=supervised', '--width=0.5'])


@pytest.mark.usefixtures('costs_of')
def test_a_failed_method_does_not_end_the_others(capsys):
  with pytest.raises(SystemExit) as ended:
    main([*FLAGS, '--methods=cpl,orca'])
  assert ended.value.code == 1
  printed = capsys.readouterr()
  assert printed.out.splitlines()[-1].startswith('| orca | 3.000 | ')
  assert printed.err.splitlines()[1:] == [
    'cpl, small: INTERNAL: broken at length',
    'compiling: orca, small',
    'error: not compiled: cpl, small; the reason stands above',
  ]


@pytest.mark.parametrize(
  'content',
  [
    '[]',
    '{',
    '{"rows": {}}',
    '{"rows": [], "others": 1}',
    '{"rows": [{"of": 1}]}',
    '{"rows": [{"of": 1, "cost": 2}]}',
  ],
)
def test_a_file_of_something_else_stays(content, tmp_path, capsys):
  path = tmp_path / 'rows.json'
  path.write_text(content)
  with pytest.raises(SystemExit):
    main([*FLAGS, f'--out={path}', '--methods=orca'])
  assert f'not a file of costs: --out={path} (' in capsys.readouterr().err
  assert path.read_text() == content


@pytest.mark.parametrize(
  'damage',
  [
    3,
    {},
    {'flops': None},
    {'flops': -1.0},
    {'flops': 1e300},
    {'peak': True},
    {'sent': {}},
    {'sent': dict.fromkeys(hlo.COLLECTIVES, 'x')},
    {'seconds': 1.0},
  ],
)
def test_a_damaged_row(damage, costs_of, tmp_path, capsys):
  path = tmp_path / 'rows.json'
  flags = [*FLAGS, f'--out={path}', '--methods=orca']
  main(flags)
  content = json.loads(path.read_text())
  (row,) = content['rows']
  whole = isinstance(damage, int) or not damage
  row['cost'] = damage if whole else costs_of['orca'] | damage
  path.write_text(json.dumps(content))
  with pytest.raises(SystemExit):
    main(flags)
  assert f'not a file of costs: --out={path} (' in capsys.readouterr().err
  # What other versions count may have other fields.
  row['of']['versions'] = {}
  path.write_text(json.dumps(content))
  main(flags)
  assert len(json.loads(path.read_text())['rows']) == 2


def test_a_mistake_leaves_no_file_of_costs(tmp_path, capsys):
  path = tmp_path / 'rows.json'
  with pytest.raises(SystemExit):
    main([*FLAGS, f'--out={path}', '--methods=orca', '--batch=24'])
  assert ' --batch=24 ' in capsys.readouterr().err
  assert not path.exists()


def test_a_file_that_cannot_be_written_is_known_before_compiling(
  tmp_path, capsys
):
  (tmp_path / 'file').write_text('')
  path = tmp_path / 'file' / 'rows.json'
  with pytest.raises(SystemExit):
    main([*FLAGS, f'--out={path}', '--methods=orca'])
  printed = capsys.readouterr().err
  assert str(path) in printed and 'compiling' not in printed


def test_commands_that_share_a_file_lose_no_row(tmp_path):
  path = str(tmp_path / 'rows.json')

  def keep(number):
    rows = KeptRows(path)
    for count in range(10):
      rows.keep({'number': number, 'count': count}, None)

  with concurrent.futures.ThreadPoolExecutor() as threads:
    list(threads.map(keep, range(4)))
  rows = KeptRows(path)
  for number, count in itertools.product(range(4), range(10)):
    assert rows.find({'number': number, 'count': count})


def test_a_cost_of_zero_is_no_reference(costs_of, capsys):
  costs_of['supervised'] = costs_of['supervised'] | {'flops': 0.0}
  main([*FLAGS, '--methods=supervised,orca'])
  rows = capsys.readouterr().out.splitlines()[-2:]
  assert rows[0].startswith('| supervised | 0.000 | 4.000 (1.000) | ')
  assert rows[1].startswith('| orca | 3.000 | 4.000 (1.000) | ')


def test_images_too_small_for_a_method_end_all_before_the_first(capsys):
  with pytest.raises(SystemExit) as ended:
    main([*FLAGS, '--methods=supervised,mpsl', '--image_size=32'])
  assert ended.value.code == 1
  printed = capsys.readouterr()
  assert not printed.out and 'stride 8 of --backbones=small' in printed.err


def test_trace_is_cpl_with_its_own_network(costs_of, capsys):
  costs_of['trace'] = costs_of['orca']
  main([*FLAGS, '--methods=trace'])
  assert '| trace | 3.000 |' in capsys.readouterr().out
  config = method_config('trace', dataclasses.replace(SMALL, pair_within=8))
  assert config.method.params.pair_within == 8
  assert config.model.front_end == 'residual' and config.model.width == 0.25


def test_command_for_the_devices_of_this_machine(capsys):
  main([*FLAGS, '--methods=orca', '--devices=8,2'])
  out = capsys.readouterr().out
  for count in (8, 2):
    assert f'loss, small, 64 pixels, 32 rows on {count} x cpu; of' in out
  assert out.count('| orca | ') == 2


@pytest.mark.parametrize(
  ('arguments', 'status', 'words'),
  [
    # What fits depends on the chips; the rest on the words alone.
    ('--batch=32 --devices=9', 1, '--devices=9'),
    ('--batch=24', 1, ' --batch=24 '),
    ('--batch=32 --pair_within=3', 1, ' --pair_within=3 '),
    ('--batch=0', 2, '--batch=0'),
    ('--batch=32 --methods=clp', 2, '--methods=clp'),
    ('--batch=32 --backbones=resnet9', 2, '--backbones=resnet9'),
    ('--batch=32 --part=half', 2, '--part=half'),
    ('--batch=32 --effort=much', 2, '--effort=much'),
    ('--batch=32 --clusters=4', 2, '--clusters does not go with --batch'),
    ('--rows=32 --effort=low', 2, '--effort does not go with --rows'),
  ],
)
def test_mistakes(arguments, status, words, capsys):
  with pytest.raises(SystemExit) as ended:
    main(['--topology=local', *arguments.split()])
  assert ended.value.code == status
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith('error: ') and words in line


@pytest.mark.parametrize(
  'command',
  [
    'scale --topology=local',
    pytest.param('step-timing', marks=pytest.mark.slow),
  ],
)
def test_an_interrupt_ends_the_compiler_at_once(command):
  with subprocess.Popen(
    [
      *(sys.executable, '-m', 'owdfa_jax.commands.owdfa', *command.split()),
      *('--batch=32', '--backbones=small', '--methods=orca'),
    ],
    cwd=ROOT,
    stderr=subprocess.PIPE,
    text=True,
  ) as process:
    for line in process.stderr:
      if line.startswith('compiling: '):
        break
    # Now the compiler, which takes several seconds, has the main thread.
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == -signal.SIGINT
