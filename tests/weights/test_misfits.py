"""Errors of weights that do not fit a network name what differs."""

import numpy as np
import pytest

from helpers.loaded_networks import make, renamed, source
from input_pipeline.errors import UserError
from owdfa_jax.weights.match import fill_network


def error_message(arrays, **network):
  """Returns the error of loading a state dict into a network."""
  _, params, stats = make(**network)
  with pytest.raises(UserError) as caught:
    fill_network(arrays, params, stats, 'some.pth')
  message = str(caught.value)
  assert 'some.pth' in message and '\n' not in message
  return message


def test_another_network_is_an_error():
  message = error_message({'features.0.weight': np.zeros((64, 3, 3, 3))})
  assert 'no weights for the backbone' in message
  assert 'features.0.weight' in message and 'backbone.bn1.' in message
  message = error_message(source(), width=0.25)
  assert 'another shape' in message
  assert '(4,)' in message and '(8,)' in message
  message = error_message(source('resnet18'), name='resnet34')
  assert 'are missing' in message and 'layer1.2' in message


def test_kernel_shapes_in_errors_are_pytorchs():
  arrays = dict(source())
  arrays['backbone.conv1.weight'] = np.zeros((4, 3, 7, 7), np.float32)
  message = error_message(arrays)
  assert '(4, 3, 7, 7)' in message and '(4, 3, 3, 3)' in message


def test_quantised_weights_are_an_error():
  arrays = dict(source())
  arrays['backbone.conv1.weight'] = np.zeros((4, 3, 3, 3), np.int8)
  assert 'int8' in error_message(arrays)


@pytest.mark.parametrize(
  'name, theirs',
  [
    ('resnet18', 'a ResNet-18'),
    ('resnet50', 'a ResNet-50'),
    ('small', 'a ResNet of 1-1-1-1 blocks'),
  ],
)
def test_another_resnet_is_named(name, theirs):
  arrays = source(name)
  message = error_message(arrays, name='resnet34')
  assert theirs in message and 'the network a ResNet-34 of 8 ch' in message
  assert 'choose the network of these weights' in message


def test_an_efficientnet_is_named():
  # A ResNet has a `bn1` too, of another width.
  arrays = {
    '_conv_stem.weight': np.zeros((32, 3, 3, 3), np.float32),
    '_blocks.0._depthwise_conv.weight': np.zeros((32, 1, 3, 3), np.float32),
    '_bn1.weight': np.zeros(1280, np.float32),
  }
  message = error_message(arrays)
  assert 'it is an EfficientNet, the network a ResNet of 1-1-1-1' in message
  assert 'choose the network of these weights' in message


@pytest.mark.parametrize('prefix', ['', 'module.', 'teacher.'])
def test_a_deeper_resnet_is_another_network(prefix):
  """It has all names and shapes of ours, and some more."""
  arrays = renamed(source('resnet34'), 'backbone.', prefix)
  arrays |= renamed(source('resnet18'), 'backbone.', 'student.')
  if prefix != 'teacher.':
    arrays = {k: v for k, v in arrays.items() if not k.startswith('student.')}
  message = error_message(arrays, name='resnet18')
  assert 'of another network: some.pth (it is a ResNet-34 of 8 ch' in message
  assert 'the network a ResNet-18 of 8 channels); choose the' in message


def test_parts_of_the_blocks_that_ours_lack_are_another_network():
  arrays = renamed(source('resnet18'), 'backbone.', 'module.')
  arrays['module.layer1.0.se.fc1.weight'] = np.zeros((2, 8, 1, 1))
  message = error_message(arrays, name='resnet18')
  assert 'of another network: some.pth (it is a ResNet-18 with se of' in message


def test_missing_tensors_of_the_same_network():
  arrays = source('resnet18').copy()
  del arrays['backbone.layer3.1.bn1.bias']
  message = error_message(arrays, name='resnet18')
  assert 'lacks 1 of ' in message
  assert message.endswith('layer3.1.bn1.bias; give the whole state dict')


@pytest.mark.parametrize(
  'key, theirs',
  [
    ('cls_token', 'a vision transformer (ViT)'),
    ('layers.0.blocks.0.attn.relative_position_bias_table', 'a Swin tran'),
    ('features.denseblock1.norm0.weight', 'a DenseNet'),
    ('conv_stem.weight', 'an EfficientNet or MobileNet'),
    ('features.0.weight', 'a VGG, AlexNet or MobileNet'),
    ('stages.0.blocks.0.gamma', 'a ConvNeXt or RegNet'),
  ],
)
def test_another_architecture_is_named(key, theirs):
  message = error_message({key: np.zeros((1, 1, 768), np.float32)})
  assert theirs in message and f'{key} (1, 1, 768)' in message


def test_two_networks_in_a_file_are_an_error():
  arrays = source() | renamed(source(), 'backbone.', 'module.')
  message = error_message(arrays)
  assert 'contains two networks' in message
