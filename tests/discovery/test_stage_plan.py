"""The stages of a staged run, their configs, and settings out of range."""

import ml_collections
import pytest

from helpers.staged_runs import tiny_stages
from input_pipeline.errors import UserError
from owdfa_jax.configs import staged
from owdfa_jax.discovery import stage_plan
from owdfa_jax.discovery.stage_plan import StageKind
from owdfa_jax.methods.by_name import METHODS


def test_stages_are_supervised_then_method_then_rounds(packed):
  config = tiny_stages(packed, epochs=7, stages__round_epochs=3)
  stages = stage_plan.plan_stages(config)
  assert [(s.name, s.kind, s.epochs) for s in stages] == [
    ('1-supervised', StageKind.SUPERVISED, 1),
    ('2-cpl', StageKind.METHOD, 7),
    ('3-round1', StageKind.ROUND, 3),
    ('3-round2', StageKind.ROUND, 3),
  ]
  assert [s.is_last for s in stages] == [False, False, False, True]


def test_config_of_a_stage_follows_from_the_runs(packed):
  config = tiny_stages(packed, pseudo__rule='max')
  supervised, method, first, _ = (
    stage.config(config, init='weights', pseudo_labels='labels.npz')
    for stage in stage_plan.plan_stages(config)
  )
  assert supervised.method.name == 'supervised'
  assert supervised.data.supervision == 'labelled'
  assert supervised.pseudo.rule == '' and not supervised.method.params
  assert method.method == first.method == config.method
  assert method.pseudo.rule == 'max'
  # The new head of the method is trained on by the rounds.
  assert not method.model.init_head and first.model.init_head
  assert first.data.label_by == config.stages.label_by
  assert first.data.whitening == config.stages.whitening
  assert first.optimizer.learning_rate == pytest.approx(
    config.optimizer.learning_rate * config.stages.round_learning_rate_factor
  )
  for stage in (supervised, method, first):
    assert stage.model.init == 'weights' and 'stages' not in stage
    assert stage.data.pseudo_labels == 'labels.npz'


def test_supervised_stage_may_be_left_out(packed):
  config = tiny_stages(packed, 'trace,folder64', stages__pretrain_epochs=0)
  stages = stage_plan.plan_stages(config)
  assert [s.name for s in stages] == ['2-cpl', '3-round1', '3-round2']
  # Weights to begin with keep their head: no stage has spoilt it.
  assert stages[0].config(config).model.init_head
  assert stages[1].config(config).data.whitening == 'pca_within_class'
  usual = staged.get_config('trace,folder64')
  assert usual.stages.pretrain_epochs == 0


def test_test_split_selects_no_network_that_makes_labels(packed):
  config = tiny_stages(packed, eval__selection='test')
  selections = [
    stage.config(config).eval.selection
    for stage in stage_plan.plan_stages(config)
  ]
  assert selections == ['last', 'last', 'last', 'test']


@pytest.mark.parametrize(
  'setting, value',
  [
    ('pretrain_epochs', -1),
    ('round_epochs', 0),
    ('rounds', -1),
    ('keep_share', 1.5),
    ('keep_share', 0.0),
    ('keep_confidence', -0.1),
    ('round_learning_rate_factor', 0.0),
    ('label_by', 'nonsense'),
    ('whitening', 'nonsense'),
  ],
)
def test_settings_out_of_range_are_named(packed, setting, value):
  config = tiny_stages(packed, **{f'stages__{setting}': value})
  with pytest.raises(UserError, match=f'stages.{setting}={value}'):
    stage_plan.plan_stages(config)


@pytest.mark.parametrize(
  'field, value',
  [
    ('method__params__vote_rule', 'nonsense'),
    ('data__pseudo_labels', 'mine.npz'),
    ('eval__checkpoint', '12'),
  ],
)
def test_settings_of_all_stages_are_checked(packed, tmp_path, field, value):
  config = tiny_stages(packed, **{field: value})
  name = field.rpartition('__')[2]
  with pytest.raises(UserError, match=f'{name}={value}'):
    stage_plan.check_stages(config, str(tmp_path / 'run'))
  assert not (tmp_path / 'run').exists()


def test_every_method_has_stages():
  assert set(staged.STAGED_METHODS) == METHODS.keys() - {'supervised'}


def test_unknown_method_is_named():
  with pytest.raises(UserError, match='nonsense'):
    staged.get_config('nonsense,owdfa1')
  assert isinstance(staged.get_config('owdfa1'), ml_collections.ConfigDict)
