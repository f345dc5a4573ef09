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


@pytest.mark.parametrize('names', [(), ('weight',), ('layer1.0.conv1.weight',)])
def test_unknown_networks(names):
  assert name_architecture(dict.fromkeys(names, (1,))) == ''
