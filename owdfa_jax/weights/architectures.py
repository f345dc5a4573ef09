"""Recognises the network that tensors belong to, for messages."""

import re
from collections.abc import Mapping

Shape = tuple[int, ...]

# By whether the blocks are bottlenecks, and their numbers in the four stages.
_RESNETS: dict[tuple[bool, Shape], str] = {
  (False, (2, 2, 2, 2)): 'ResNet-18',
  (False, (3, 4, 6, 3)): 'ResNet-34',
  (True, (3, 4, 6, 3)): 'ResNet-50',
  (True, (3, 4, 23, 3)): 'ResNet-101',
  (True, (3, 8, 36, 3)): 'ResNet-152',
}
# Parts of names that only these networks have; the first that is found counts.
_MARKS = (
  ('embedder.embedder.convolution.', 'ResNet of Hugging Face Transformers'),
  ('relative_position_bias_table', 'Swin transformer'),
  ('cls_token', 'vision transformer (ViT)'),
  ('class_token', 'vision transformer (ViT)'),
  ('class_embedding', 'vision transformer (ViT)'),
  ('patch_embed.', 'vision transformer'),
  ('attn.qkv.', 'transformer'),
  ('attention.self.', 'transformer'),
  ('in_proj_weight', 'transformer'),
  ('denseblock', 'DenseNet'),
  ('Mixed_', 'Inception network'),
  ('depthwise_conv.', 'EfficientNet'),
  ('conv_dw.', 'EfficientNet or MobileNet'),
  ('conv_stem.', 'EfficientNet or MobileNet'),
  ('dwconv.', 'ConvNeXt'),
  ('.block.', 'EfficientNet, MobileNet or ConvNeXt'),
  ('stages.', 'ConvNeXt or RegNet'),
  ('features.', 'VGG, AlexNet or MobileNet'),
  ('down_blocks.', 'diffusion network'),
  ('input_blocks.', 'diffusion network'),
)
_BLOCK = re.compile(r'(?:^|\.)layer([1-4])\.(\d{1,3})\.')
# A module of a block, with its tensors.
_IN_BLOCK = re.compile(r'(?:^|\.)layer[1-4]\.\d{1,3}\.(\w{1,40})\.')
_OF_RESNETS = re.compile('conv[123]|bn[123]|downsample')
# The first convolution is three, as in timm's resnet50d.
_DEEP_STEM = re.compile(r'(?:^|\.)conv1\.\d')


def name_architecture(shapes: Mapping[str, Shape]) -> str:
  """Returns the kind of network, with its article; '' if unknown.

  Args:
    shapes: shapes of tensors by their names, in PyTorch's layouts.
  """
  blocks: list[set[int]] = [set(), set(), set(), set()]
  for name in shapes:
    if found := _BLOCK.search(name):
      blocks[int(found[1]) - 1].add(int(found[2]))
  if all(blocks):
    return _name_resnet(shapes, tuple(map(len, blocks)))
  for mark, title in _MARKS:
    if any(mark in name for name in shapes):
      return f'an {title}' if title[0] in 'EI' else f'a {title}'
  return ''


def _name_resnet(shapes: Mapping[str, Shape], depths: Shape) -> str:
  """Returns the name of a ResNet, with its width if that is unusual."""
  inner = next(
    (
      shape
      for name, shape in shapes.items()
      if name.endswith('layer1.0.conv2.weight') and len(shape) == 4
    ),
    None,
  )
  bottleneck = any(name.endswith('layer1.0.conv3.weight') for name in shapes)
  title = _RESNETS.get(
    (bottleneck, depths), f'ResNet of {"-".join(map(str, depths))} blocks'
  )
  title += _unlike_parts(shapes)
  if inner is None:
    return f'a {title}'
  if inner[0] != inner[1]:
    return f'a {title} with grouped convolutions (ResNeXt)'
  return f'a {title}' if inner[0] == 64 else f'a {title} of {inner[0]} channels'


def _unlike_parts(shapes: Mapping[str, Shape]) -> str:
  """Returns what a ResNet has that the plain one lacks, such as se or eca."""
  found = {
    match[1] for name in shapes if (match := _IN_BLOCK.search(name)) is not None
  }
  unlike = sorted(part for part in found if not _OF_RESNETS.fullmatch(part))
  if any(_DEEP_STEM.search(name) for name in shapes):
    unlike.append('three convolutions at the start')
  return f' with {", ".join(unlike[:3])}' if unlike else ''
