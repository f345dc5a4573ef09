"""The runs of a leaderboard's config, and configs that are invalid."""

import types

import ml_collections
import pytest

from helpers.boards import TWO_ROWS, make_config, make_runs
from input_pipeline.errors import UsageError, UserError
from owdfa_jax.configs import leaderboard
from owdfa_jax.discovery import stage_plan
from owdfa_jax.experiment import make_method
from owdfa_jax.leaderboard import results, rows, runs


def test_runs_have_shared_settings_and_those_of_their_row(packed, tmp_path):
  own = {**TWO_ROWS[1], 'name': 'CPL (wide)', 'overrides': ('batch_size=32',)}
  made = make_runs(packed, tmp_path, rows=(*TWO_ROWS, own), seeds=(4, 2))
  assert [run.last.workdir.name for run in made] == [
    f'{name}-{seed}'
    for seed in (4, 2)
    for name in ('lower-bound', 'cpl', 'cpl-wide')
  ]
  configs = [run.config for run in made[:3]]
  assert [config.seed for config in configs] == [4] * 3
  assert [config.batch_size for config in configs] == [16, 16, 32]
  assert [config.data.supervision for config in configs[:2]] == [
    'labelled',
    'open_world',
  ]
  assert configs[0].eval.metric == 'all_nmi'
  assert results.bound_kind(configs[0]) == 'lower'
  assert results.bound_kind(configs[1]) == ''


def test_rows_and_seeds_choose_the_runs_of_a_process(packed, tmp_path):
  def chosen(**changes):
    config = make_config(packed, seeds=(0, 1), **changes)
    kept = runs.choose_runs(config, runs.make_runs(config, str(tmp_path)))
    return [(run.row.name, run.seed) for run in kept]

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


def test_a_misspelt_choice_is_found_without_data(tmp_path):
  for changes in ({'only_rows': 'MPSL'}, {'only_seeds': (7,)}):
    config = make_config(tmp_path / 'nothing', **changes)
    with pytest.raises(UsageError, match='not in this leaderboard'):
      runs.make_runs(config, str(tmp_path))


ALL_LABELS = {
  'name': 'x',
  'config': 'cpl',
  'overrides': ('data.supervision=all',),
}


@pytest.mark.parametrize(
  'changes, message',
  [
    ({'seeds': ()}, 'invalid seeds: --config.seeds=..;'),
    ({'seeds': (1, 1)}, 'no two alike'),
    ({'seeds': (0.5,)}, 'whole number'),
    ({'rows': ()}, 'no rows'),
    ({'rows': ({'name': 'x'},)}, "not a row.*'name': 'x'"),
    ({'rows': ('cpl',)}, 'not a row'),
    ({'rows': ({'name': 'x', 'config': 'cpl', 'overrides': 'a=1'},)}, 'not a'),
    ({'rows': ({'name': '±', 'config': 'cpl'},)}, 'invalid name'),
    ({'rows': ({'name': 'a|b', 'config': 'cpl'},)}, 'invalid name'),
    ({'rows': ({'name': 'a\x1b[31m', 'config': 'cpl'},)}, 'invalid name'),
    (
      {'rows': ({'name': 'x', 'config': 'cpl', 'overrides': (3,)},)},
      'not a row',
    ),
    (
      {'rows': (*TWO_ROWS, {'name': 'cpl!', 'config': 'mpsl'})},
      "share the folder cpl: .*'cpl!'",
    ),
    ({'rows': ({'name': 'x', 'config': 'clp'},)}, "row 'x' has config='clp'"),
    ({'rows': ({'name': 'x', 'config': 'benchmarks'},)}, 'no such method'),
    ({'rows': ({'name': 'x', 'config': '../cpl'},)}, 'no such method'),
    ({'rows': ({'name': 'x', 'config': 'cpl', 'overrides': (3,)},)}, 'not a'),
    ({'seeds': (True,)}, 'invalid seeds: .*from 0 to 4294967295'),
    ({'seeds': (2**32,)}, 'invalid seeds: .*from 0 to 4294967295'),
    ({'shared': (f'epochs={"(" * 10**4}',)}, 'does not fit'),
    ({'shared': ('epochs=0',)}, 'epochs=0; give a whole number'),
    ({'shared': ('epoch=3',)}, "shared .row 'lower bound'. has 'epoch=3'"),
    (
      {'shared': ('epochs=many',)},
      "does not fit.*'epochs=many', now it is 20; give a whole number",
    ),
    ({'shared': ('model.depth=3',)}, "no such setting.* has 'model.depth=3'"),
    ({'shared': ('optimizer=3',)}, "no such setting.* has 'optimizer=3'"),
    ({'shared': ('=3',)}, "no such setting.* has '=3'"),
    ({'shared': ('epochs',)}, 'no value'),
    ({'shared': ('seed=3',)}, "no seed of its own: .* 'seed=3'"),
    ({'rows': (ALL_LABELS,)}, 'method.name=supervised, not cpl'),
    ({'metric': 'all_luck'}, 'all_luck'),
    ({'shared': ('data.path=nowhere',)}, 'nowhere'),
  ],
)
def test_invalid_config_is_named(packed, tmp_path, changes, message):
  with pytest.raises(UserError, match=message):
    make_runs(packed, tmp_path / 'board', **changes)
  assert not (tmp_path / 'board').exists()


@pytest.mark.parametrize(
  'field, value, message',
  [
    ('benchmark', 3, 'wrong type: --config.benchmark=3; give a text'),
    ('selection', None, 'wrong type: --config.selection=None; give a text'),
    ('seeds', 5, 'wrong type: --config.seeds=5; give a value such as'),
    ('only_seeds', '0', "wrong type: --config.only_seeds='0'; give a value"),
    ('only_rows', (1,), 'wrong type: --config.only_rows=.1,.; give a text'),
    ('rowz', (), 'unknown setting: --config.rowz'),
  ],
)
def test_a_setting_of_a_wrong_type(packed, tmp_path, field, value, message):
  config = make_config(packed).to_dict() | {field: value}
  with pytest.raises(UserError, match=message):
    runs.make_runs(ml_collections.ConfigDict(config), str(tmp_path / 'board'))


def test_rows_with_other_evaluation_are_not_compared(packed, tmp_path):
  other = TWO_ROWS[1] | {'overrides': ('eval.selection=test',)}
  with pytest.raises(UserError, match='eval.selection=last and test'):
    make_runs(packed, tmp_path, rows=(TWO_ROWS[0], other))


def test_text_that_looks_like_a_number_stays_text(packed, tmp_path):
  config = make_config(packed)
  shared = (*config.shared, 'eval.checkpoint=12', 'optimizer.learning_rate=1')
  run = make_runs(packed, tmp_path, shared=shared)[0]
  assert run.config.eval.checkpoint == '12'
  assert run.config.optimizer.learning_rate == 1.0


def test_shipped_rows_are_methods_between_bounds(monkeypatch):
  config = leaderboard.get_config('simulated1')
  names = [row.name for row in rows.read_rows(config.rows)]
  assert names[:2] == ['spectrum', 'lower bound']
  assert names[-3:] == [
    'upper bound',
    'upper bound (network of Trace)',
    'spectrum (all labels)',
  ]
  assert {'CPL', 'MPSL'} < set(names)
  assert len(rows.read_seeds(config.seeds)) >= 3
  # The simulated data need not be there.
  for module, check in (
    (runs, 'check_run'),
    (runs, 'check_spectrum'),
    (stage_plan, 'check_run'),
  ):
    monkeypatch.setattr(
      module,
      check,
      lambda config, _: types.SimpleNamespace(config=config),
    )
  monkeypatch.setattr(runs, '_check_training', lambda part: None)
  for run in runs.make_runs(config, 'unused'):
    make_method(run.last.config)
  with pytest.raises(UserError, match='unknown'):
    leaderboard.get_config('simulated9')
