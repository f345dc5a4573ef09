"""Values of settings that are out of range, of the wrong type, or unknown."""

from bad_input.case import Case
from bad_input.inputs import packed
from bad_input.tables.commands import TRAIN

_OF_METHOD = {
  'cal': (
    'consistency_weight=-1',
    'consistency_weight=nan',
    'uniformity_weight=-0.5',
    'uniformity_weight=inf',
    'known_threshold=1.5',
    'known_threshold=-0.1',
    'pseudo_from_epoch=-1',
    'prototypes_per_known=0',
    'prototypes_per_known=1000000000',
    'prune_from_epoch=-2',
  ),
  'cpl': (
    'margin=nan',
    'margin=-1',
    'voting_weight=-1',
    'pseudo_weight=inf',
    'entropy_weight=-3',
    'vote_rule=luck',
    'pseudo_filter=some',
    'effect_weight=-1',
    'match_weight=nan',
  ),
  'orca': (
    'margin_scale=-1',
    'pair_weight=nan',
    'entropy_weight=-1',
  ),
  'simgcd': (
    'supervised_weight=1.5',
    'supervised_weight=-0.1',
    'teacher_temperature=0',
    'final_teacher_temperature=-1',
    'warm_up=0',
    'warm_up=2',
    'unsupervised_temperature=0',
    'supervised_temperature=nan',
    'projection=0',
    'projection=-5',
  ),
}
_OF_RULE = {
  'fixmatch': ('threshold=1.5', 'threshold=-1', 'threshold=nan'),
  'freematch': ('momentum=1.5', 'momentum=-1', 'quantile=2', 'quantile=nan'),
}
_OF_STAGES = (
  'pretrain_epochs=-1',
  'rounds=-1',
  'round_epochs=0',
  'round_learning_rate_factor=0',
  'round_learning_rate_factor=nan',
  'label_by=luck',
  'whitening=luck',
  'keep_share=0',
  'keep_share=1.5',
  'keep_share=nan',
  'keep_confidence=-0.5',
  'keep_confidence=nan',
)
# The line must name the setting with its value.
_OF_ALL = (
  'seed=-1',
  'seed=4294967296',
  'seed=99999999999999999999999',
  'batch_size=0',
  'batch_size=-16',
  'batch_size=17',
  'batch_size=1000000000000',
  'epochs=0',
  'epochs=-1',
  'epochs=100000000000000000',
  'data.num_threads=-1',
  'data.num_threads=1000000',
  'data.num_workers=-1',
  'data.num_workers=1000000',
  'data.validation_share=-0.1',
  'data.validation_share=1.5',
  'data.validation_share=nan',
  'data.num_known=3',
  'data.num_known=-1',
  'data.num_classes=1',
  'data.num_classes=0',
  'data.supervision=some',
  'model.backbone=resnet9',
  'model.front_end=grey',
  'model.width=0',
  'model.width=-1',
  'model.width=nan',
  'model.width=inf',
  'model.width=1000000',
  'model.dtype=float8',
  'model.dropout=-0.1',
  'model.dropout=1.5',
  'model.dropout=1',
  'model.dropout=nan',
  'model.init=nowhere.pth',
  'model.spectrum_features=-1',
  'model.spectrum_projections=-1',
  'augment.crop=square',
  'augment.jpeg_probability=1.5',
  'augment.lowest_quality=0',
  'augment.lowest_quality=96',
  'augment.smallest_resize=0',
  'method.name=clp',
  'pseudo.rule=luck',
  'pseudo.weight=-1',
  'pseudo.weight=nan',
  'pseudo.weight=inf',
  'optimizer.learning_rate=0',
  'optimizer.learning_rate=-1',
  'optimizer.learning_rate=nan',
  'optimizer.learning_rate=inf',
  'optimizer.weight_decay=-1',
  'optimizer.weight_decay=nan',
  'optimizer.weight_decay=inf',
  'optimizer.schedule=linear',
  'optimizer.decay_epochs=0',
  'optimizer.decay_factor=-1',
  'optimizer.decay_factor=nan',
  'eval.every_epochs=0',
  'eval.batch_size=0',
  'eval.batch_size=-3',
  'eval.batch_size=1000000000000',
  'eval.split=dev',
  'eval.selection=luck',
  'eval.metric=luck',
  'eval.classify_by=luck',
  'eval.whitening=luck',
  'log.every_steps=0',
  'log.every_steps=-1',
)
# What the flags' own types refuse.
_OF_TYPE = (
  'seed=one',
  'seed=1.5',
  'seed=',
  'epochs=many',
  'epochs=1e3',
  'batch_size=16,32',
  'model.width=wide',
  'model.init_head=perhaps',
  'log.tensorboard=2',
  'optimizer.learning_rate=fast',
  'optimizer.learning_rate=1e-3e',
  'data.num_known=few',
  'no.such.field=1',
  'epoch=1',
  'optimizer=adam',
  'optimizer.learning_rate.x=1',
  'method.params.margni=1',
)


def _case(setting: str, command: str = TRAIN) -> Case:
  field, _, value = setting.rpartition('=')
  return Case(
    f'setting {setting}',
    f"{command} '--config.{setting}'",
    (f'{field}={value}',),
    packed,
  )


def _with(config: str) -> str:
  return TRAIN.replace('--config=cpl:folder64', f'--config={config}')


CASES = (
  *(_case(setting) for setting in (*_OF_ALL, *_OF_TYPE)),
  *(
    _case(f'method.params.{setting}', _with(f'{method}:folder64'))._replace(
      name=f'setting of {method}: {setting}'
    )
    for method, settings in _OF_METHOD.items()
    for setting in settings
  ),
  *(
    _case(
      f'pseudo.params.{setting}', f'{TRAIN} --config.pseudo.rule={rule}'
    )._replace(name=f'setting of {rule}: {setting}')
    for rule, settings in _OF_RULE.items()
    for setting in settings
  ),
  *(
    _case(f'stages.{setting}', _with('staged:cpl,folder64'))._replace(
      name=f'setting of stages: {setting}'
    )
    for setting in _OF_STAGES
  ),
)
