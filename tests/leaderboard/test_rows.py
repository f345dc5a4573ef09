"""From a leaderboard's config to its runs, and what cannot be one."""

import types

import pytest

from helpers.boards import TWO_ROWS, make_config, make_runs
from input_pipeline.errors import UserError
from owdfa_jax.configs import leaderboard
from owdfa_jax.discovery import stages
from owdfa_jax.experiment import make_method
from owdfa_jax.leaderboard import results, rows


def test_runs_are_ordinary_ones_with_settings_of_all_and_their_own(
  packed, tmp_path
):
  own = {**TWO_ROWS[1], 'name': 'CPL (wide)', 'overrides': ('batch_size=32',)}
  runs = make_runs(packed, tmp_path, rows=(*TWO_ROWS, own), seeds=(4, 2))
  assert [run.experiment.workdir.name for run in runs] == [
    f'{name}-{seed}'
    for seed in (4, 2)
    for name in ('lower-bound', 'cpl', 'cpl-wide')
  ]
  configs = [run.experiment.config for run in runs[:3]]
  assert [config.seed for config in configs] == [4] * 3
  assert [config.batch_size for config in configs] == [16, 16, 32]
  assert [config.data.supervision for config in configs[:2]] == [
    'labelled',
    'open_world',
  ]
  assert configs[0].eval.metric == 'all_nmi'
  assert results.bound(configs[0]) == 'lower'
  assert results.bound(configs[1]) == ''


def test_work_is_shared_by_rows_and_by_seeds(packed, tmp_path):
  def chosen(**changes):
    config = make_config(packed, seeds=(0, 1), **changes)
    runs = rows.choose(config, rows.make_runs(config, str(tmp_path)))
    return [(run.row.name, run.seed) for run in runs]

  assert len(chosen()) == 4
  assert chosen(only_rows='CPL') == [('CPL', 0), ('CPL', 1)]
  assert chosen(only_rows='cpl, lower-bound', only_seeds=(1,)) == [
    ('lower bound', 1),
    ('CPL', 1),
  ]
  with pytest.raises(UserError, match='only_rows names mpsl; .*cpl, lower'):
    chosen(only_rows='MPSL')
  with pytest.raises(UserError, match='only_seeds names 7; there are 0, 1'):
    chosen(only_seeds=(7,))


TOLD_ALL = {
  'name': 'x',
  'config': 'cpl',
  'overrides': ('data.supervision=all',),
}


@pytest.mark.parametrize(
  'changes, named',
  [
    ({'seeds': ()}, 'no proper seeds: --config.seeds=..;'),
    ({'seeds': (1, 1)}, 'no two alike'),
    ({'seeds': (0.5,)}, 'whole number'),
    ({'rows': ()}, 'no rows'),
    ({'rows': ({'name': 'x'},)}, "not a row.*'name': 'x'"),
    ({'rows': ('cpl',)}, 'not a row'),
    ({'rows': ({'name': 'x', 'config': 'cpl', 'overrides': 'a=1'},)}, 'not a'),
    ({'rows': ({'name': '±', 'config': 'cpl'},)}, 'called that'),
    ({'rows': ({'name': 'a|b', 'config': 'cpl'},)}, 'called that'),
    (
      {'rows': (*TWO_ROWS, {'name': 'cpl!', 'config': 'mpsl'})},
      "share a folder.*'cpl!'",
    ),
    ({'rows': ({'name': 'x', 'config': 'clp'},)}, "row 'x' has config='clp'"),
    ({'rows': ({'name': 'x', 'config': 'benchmarks'},)}, 'no such method'),
    ({'rows': ({'name': 'x', 'config': '../cpl'},)}, 'no such method'),
    ({'shared': ('epoch=3',)}, "shared .row 'lower bound'. has 'epoch=3'"),
    ({'shared': ('epochs=many',)}, "has 'epochs=many'"),
    ({'shared': ('model.depth=3',)}, "has 'model.depth=3'"),
    ({'shared': ('epochs',)}, 'without a value'),
    ({'shared': ('seed=3',)}, "no seed of its own: .* 'seed=3'"),
    ({'rows': (TOLD_ALL,)}, 'every label.*method.name=cpl'),
    ({'metric': 'all_luck'}, 'all_luck'),
    ({'shared': ('data.path=nowhere',)}, 'nowhere'),
  ],
)
def test_bad_input(packed, tmp_path, changes, named):
  with pytest.raises(UserError, match=named):
    make_runs(packed, tmp_path / 'board', **changes)
  assert not (tmp_path / 'board').exists()


def test_rows_judged_differently_are_not_compared(packed, tmp_path):
  lucky = TWO_ROWS[1] | {'overrides': ('eval.selection=test',)}
  with pytest.raises(UserError, match='eval.selection=last and test'):
    make_runs(packed, tmp_path, rows=(TWO_ROWS[0], lucky))


def test_text_that_looks_like_a_number_stays_text(packed, tmp_path):
  config = make_config(packed)
  shared = (*config.shared, 'eval.checkpoint=12', 'optimizer.learning_rate=1')
  run = make_runs(packed, tmp_path, shared=shared)[0]
  assert run.experiment.config.eval.checkpoint == '12'
  assert run.experiment.config.optimizer.learning_rate == 1.0


def test_default_rows_are_methods_between_bounds(monkeypatch):
  config = leaderboard.get_config('simulated1')
  names = [row.name for row in rows.read_rows(config.rows)]
  assert names[0] == 'lower bound' and names[-1] == 'upper bound'
  assert {'CPL', 'MPSL'} < set(names)
  assert len(rows.read_seeds(config.seeds)) >= 3
  for module in (rows, stages):
    monkeypatch.setattr(
      module, 'set_up', lambda config, _: types.SimpleNamespace(config=config)
    )
  monkeypatch.setattr(rows, 'check_training', lambda experiment: None)
  for run in rows.make_runs(config, 'unused'):
    make_method(run.experiment.config)
  with pytest.raises(UserError, match='unknown benchmark'):
    leaderboard.get_config('simulated9')
