"""What network the names and shapes of tensors are of."""

import pytest

from owdfa_jax.weights.architectures import name_architecture


def resnet(depths, *, bottleneck, inner=(64, 64, 3, 3), prefix=''):
  """The names of a ResNet that tell what it is, with their shapes."""
  shapes = {
    f'{prefix}layer{stage}.{block}.conv1.weight': (64, 64, 1, 1)
    for stage, depth in enumerate(depths, 1)
    for block in range(depth)
  }
  shapes[f'{prefix}layer1.0.conv2.weight'] = inner
  if bottleneck:
    shapes[f'{prefix}layer1.0.conv3.weight'] = (256, 64, 1, 1)
  return shapes


@pytest.mark.parametrize('prefix', ['', 'module.', 'state_dict.model.'])
@pytest.mark.parametrize(
  'depths, bottleneck, name',
  [
    ((2, 2, 2, 2), False, 'a ResNet-18'),
    ((3, 4, 6, 3), False, 'a ResNet-34'),
    ((3, 4, 6, 3), True, 'a ResNet-50'),
    ((3, 4, 23, 3), True, 'a ResNet-101'),
    ((3, 8, 36, 3), True, 'a ResNet-152'),
    ((1, 1, 1, 1), False, 'a ResNet of 1-1-1-1 blocks'),
  ],
)
def test_resnets(depths, bottleneck, name, prefix):
  shapes = resnet(depths, bottleneck=bottleneck, prefix=prefix)
  assert name_architecture(shapes) == name


def test_widths_and_groups():
  wide = resnet((3, 4, 6, 3), bottleneck=True, inner=(128, 128, 3, 3))
  assert name_architecture(wide) == 'a ResNet-50 of 128 channels'
  grouped = resnet((3, 4, 6, 3), bottleneck=True, inner=(128, 4, 3, 3))
  assert 'grouped convolutions (ResNeXt)' in name_architecture(grouped)


def test_an_efficientnet():
  for name in ('_blocks.0._depthwise_conv.weight', 'blocks.3.depthwise_conv.w'):
    assert name_architecture({name: (32, 1, 3, 3)}) == 'an EfficientNet'


@pytest.mark.parametrize('names', [(), ('weight',), ('layer1.0.conv1.weight',)])
def test_unknown_networks(names):
  assert name_architecture(dict.fromkeys(names, (1,))) == ''


@pytest.mark.parametrize(
  'name, shape, what',
  [
    ('layer1.0.se.fc1.weight', (16, 256, 1, 1), 'se'),
    ('layer2.1.eca.conv.weight', (1, 1, 5), 'eca'),
    ('layer3.0.act1.weight', (64,), 'act1'),
    ('conv1.3.weight', (32, 32, 3, 3), 'three convolutions at the start'),
  ],
)
def test_further_parts_make_another_network(name, shape, what):
  shapes = resnet((3, 4, 6, 3), bottleneck=True, prefix='module.')
  shapes[f'module.{name}'] = shape
  assert name_architecture(shapes) == f'a ResNet-50 with {what}'


@pytest.mark.parametrize(
  'name',
  ['conv1.weight', 'layer1.0.downsample.0.weight', 'layer1.0.bn3.bias'],
)
def test_the_parts_of_a_plain_resnet_are_no_further_parts(name):
  shapes = resnet((3, 4, 6, 3), bottleneck=True) | {name: (64,)}
  assert name_architecture(shapes) == 'a ResNet-50'


@pytest.mark.parametrize(
  'name, what',
  [
    (
      'resnet.embedder.embedder.convolution.weight',
      'a ResNet of Hugging Face Transformers',
    ),
    (
      'features.1.0.block.0.0.weight',
      'an EfficientNet, MobileNet or ConvNeXt',
    ),
  ],
)
def test_other_networks(name, what):
  assert name_architecture({name: (8, 8, 3, 3), 'a.stages.0': (1,)}) == what
