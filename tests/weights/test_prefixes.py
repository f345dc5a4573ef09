"""A network is found whatever words precede its names."""

import numpy as np
import pytest

from helpers import torch_writer as torch
from helpers.weight_files import write_bytes
from input_pipeline.errors import UserError
from owdfa_jax.weights.prefixes import PREFERENCE, ancestors, locate
from owdfa_jax.weights.readers import read_weights

WANTED = {
  'conv1.weight': (4, 3, 3, 3),
  'bn1.weight': (4,),
  'layer1.0.conv1.weight': (4, 4, 3, 3),
}


def network(prefix='', value=0, shapes=None):
  """Returns the tensors of a network, with a prefix."""
  shapes = WANTED if shapes is None else shapes
  return {
    prefix + name: np.full(shape, value, np.float32)
    for name, shape in shapes.items()
  }


PREFIXES = (
  '',
  'module.',
  '_orig_mod.',
  'module._orig_mod.',
  'model._orig_mod.',
  'model.',
  'backbone.',
  'encoder.',
  'encoder_q.',
  'module.encoder_q.',
  'net.',
  'student.',
  'teacher.backbone.',
  'base_encoder.',
  'momentum_encoder.',
  'visual.',
  'resnet.',
  'features.',
  'layer1.0.',
  'conv1.weight.',
  'a.b.c.d.e.f.g.h.i.j.',
  'Größe.',
)


@pytest.mark.parametrize('prefix', PREFIXES)
def test_any_prefix(prefix):
  place = locate(network(prefix), WANTED, 'here')
  assert place.prefix == prefix and place.others == ()
  assert place.find('bn1.weight') == f'{prefix}bn1.weight'


@pytest.mark.parametrize('prefix', ['', 'module.', 'features.'])
def test_the_children_of_a_sequential_have_numbers(prefix):
  names = {'conv1': '0', 'bn1': '1', 'layer1': '4'}
  renamed = {}
  for name, shape in WANTED.items():
    head, _, rest = name.partition('.')
    renamed[f'{names[head]}.{rest}'] = shape
  place = locate(network(prefix, shapes=renamed), WANTED, 'here')
  assert place.find('layer1.0.conv1.weight') == (f'{prefix}4.0.conv1.weight')


def test_names_count_more_than_shapes():
  """Shapes decide about another width, not names that fit by chance."""
  wide = {name: (8, *shape[1:]) for name, shape in WANTED.items()}
  source = network('net.', shapes=wide) | {
    'conv1.weight': np.zeros((4, 3, 3, 3))
  }
  assert locate(source, WANTED, 'here').prefix == 'net.'


def test_shapes_tell_two_networks_apart():
  wide = {name: (8, *shape[1:]) for name, shape in WANTED.items()}
  source = network('a.', shapes=wide) | network('b.')
  place = locate(source, WANTED, 'here')
  assert (place.prefix, place.others) == ('b.', ())


@pytest.mark.parametrize(
  'taken, other',
  [
    ('state_dict_ema.', 'state_dict.'),
    ('model_ema.module.', 'model.'),
    ('ema_model.', 'model.'),
    ('teacher.', 'student.'),
    ('module.teacher.backbone.', 'module.student.backbone.'),
    ('module.encoder_q.', 'module.encoder_k.'),
    ('online_network.', 'target_network.'),
    ('base_encoder.', 'momentum_encoder.'),
    ('net.', 'student.'),
    ('ema.', 'teacher.'),
  ],
)
def test_order_of_copies(taken, other):
  for source in (
    network(taken) | network(other),
    network(other) | network(taken),
  ):
    place = locate(source, WANTED, 'here')
    assert (place.prefix, place.others) == (taken, (other,))


def test_words_of_the_order_are_whole_words():
  source = network('demand.') | network('schema.')
  with pytest.raises(
    UserError, match='two networks: here has demand.. and sch'
  ):
    locate(source, WANTED, 'here')
  assert len(set(PREFERENCE)) == len(PREFERENCE)


def test_three_copies_of_which_two_are_alike():
  source = network('student.') | network('a.') | network('b.')
  with pytest.raises(UserError, match='two networks: here has a.. and b..'):
    locate(source, WANTED, 'here')
  source |= network('teacher.')
  place = locate(source, WANTED, 'here')
  assert (place.prefix, place.others) == ('teacher.', ('a.', 'b.', 'student.'))


def test_no_network():
  assert locate({}, WANTED, 'here') is None
  assert locate(network(shapes={'fc.weight': (1,)}), WANTED, 'here') is None
  assert locate(network(), {}, 'here') is None
  # Numbers alone, as of any Sequential, are not a ResNet's children.
  assert locate(network(shapes={'0.weight': (4, 3, 3, 3)}), WANTED, '') is None


def test_names_that_fit_by_chance_are_no_copies():
  source = {f'{x}.bn1.weight': np.zeros(4) for x in ('p', 'q')}
  assert locate(source, WANTED, 'here').prefix == 'p.'


def test_a_name_of_a_million_dots():
  source = network() | {'.' * 10**6 + 'bn1.weight': np.zeros(4)}
  assert locate(source, WANTED, 'here').prefix == ''


def test_ancestors():
  assert ancestors('a.b.') == ['a.b.', 'a.', '']
  assert ancestors('') == ['']


def nested(folder, tree):
  """Saves dicts of state dicts, and reads them again."""
  blocks = {}

  def described(value):
    if isinstance(value, dict):
      return {key: described(item) for key, item in value.items()}
    if isinstance(value, list):
      return [described(item) for item in value]
    if not isinstance(value, np.ndarray):
      return value
    key = str(len(blocks))
    blocks[key] = value
    strides = tuple(s // value.itemsize for s in value.strides)
    block = torch.storage(key, value.dtype, value.size)
    return torch.tensor(block, 0, value.shape, strides)

  content = torch.zip_bytes(described(tree), blocks)
  return read_weights(write_bytes(folder, content))


@pytest.mark.parametrize(
  'wrapper',
  [
    ('state_dict',),
    ('model',),
    ('state_dict_ema',),
    ('model_ema',),
    ('teacher',),
    ('student',),
    ('ema',),
    ('params',),
    ('model_state_dict',),
    ('net',),
    ('network',),
    ('backbone',),
    ('anything at all',),
    ('trainer', 'model', 'ema', 'shadow'),
  ],
)
def test_any_wrapper(tmp_path, wrapper):
  tree = network('module.', 3)
  for name in reversed(wrapper):
    tree = {'epoch': 3, name: tree, 'best': {'metric': 0.5}}
  # An optimiser numbers its tensors.
  tree['optimizer'] = {'state': {0: {'exp_avg': np.zeros(3)}}, 'groups': []}
  source = nested(tmp_path, tree)
  assert source.keys() == network('module.').keys()
  assert locate(source, WANTED, 'here').prefix == 'module.'


def test_several_state_dicts_in_a_file(tmp_path):
  tree = {
    'state_dict': network('module.', 1),
    'extra': {'state_dict_ema': network('module.', 2)},
    'scaler': {'scale': np.ones(1, np.float32)},
  }
  source = nested(tmp_path, tree)
  place = locate(source, WANTED, 'here')
  assert place.prefix == 'extra.state_dict_ema.module.'
  assert place.others == ('state_dict.module.',)
  assert (source[place.find('bn1.weight')] == 2).all()
  assert 'scaler.scale' in source


def test_a_list_of_state_dicts(tmp_path):
  unnamed = [np.ones(1, np.float32)] * 2
  source = nested(tmp_path, [{'epoch': 3}, network('module.'), unnamed])
  assert source.keys() == network('module.').keys()


def test_two_tensors_of_one_name_are_an_error(tmp_path):
  one = np.ones(1, np.float32)
  with pytest.raises(UserError, match='two tensors named a.b'):
    nested(tmp_path, {'a': {'b': one}, 'a.b': one})


@pytest.mark.parametrize(
  'tree, message',
  [
    ({'code': 1}, 'a dict of code .int.'),
    ({'a': {'b': {}}, 'epoch': 3}, r'a dict of a .dict., epoch .int.'),
    ({}, 'an empty dict'),
    ([1], 'an object of type list'),
    (np.ones(2), 'an object of type tensor'),
    ({'optimizer': {0: {'x': np.ones(2)}}}, 'a dict of optimizer .dict.'),
  ],
)
def test_what_is_there_is_named_where_nothing_fits(tmp_path, tree, message):
  with pytest.raises(UserError, match=f'^no weights in the file.*{message}'):
    nested(tmp_path, tree)
