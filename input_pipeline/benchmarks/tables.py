"""The class table of OW-DFA and OW-DFA++, written down instead of counted.

The released ids follow the order of pandas' `value_counts`, which is undefined
between classes of equal size. Here a class's place in its protocol is its id.
"""

import dataclasses
from collections.abc import Sequence

from input_pipeline.forgery_types import (
  ATTRIBUTE,
  EXPRESSION,
  REAL,
  SWAP,
  SYNTHESIS,
)

# Raised whenever an id, a count or a known class changes.
VERSION = 1

FF = 'FaceForensics++'
CELEB = 'CelebDF'
NET = 'ForgeryNet'
DFFD = 'DFFD'
NIR = 'ForgeryNIR+'
DF3 = 'DF^3'

# Images per class, (labelled, unlabelled), of `--size=benchmark`.
_KNOWN, _NOVEL = (1500, 500), (0, 1500)
_REAL_KNOWN, _REAL_NOVEL = (15000, 5000), (0, 5000)
# `--size=large` is the released notebook's five times as many.
FACTORS = {'benchmark': 1, 'large': 5}


@dataclasses.dataclass(frozen=True)
class ForgeryClass:
  """A class: one method from one source dataset."""

  method: str
  forgery_type: str
  source: str
  images: tuple[int, int]  # labelled and unlabelled, before the split
  folder: str  # where its source keeps it; ForgeryNet: its number in the list
  code: str = ''  # the forgery's home page
  guess: str = ''  # what of this entry no public source confirms

  @property
  def known(self) -> bool:
    """Whether some of its images are labelled."""
    return self.images[0] > 0

  @property
  def name(self) -> str:
    """Method and source, which only together are unique."""
    return f'{self.method}-{self.source}'


_HUB = 'https://github.com'
# fmt: off
# In the order of Protocol 2's ids: the known classes, then the novel ones.
OWDFA = (
  ForgeryClass('Real', REAL, FF, _REAL_KNOWN, 'original_sequences/youtube'),
  ForgeryClass('Deepfakes', SWAP, FF, _KNOWN,
    'manipulated_sequences/Deepfakes', f'{_HUB}/deepfakes/faceswap'),
  ForgeryClass('DeepFaceLab', SWAP, NET, _KNOWN, '3',
    f'{_HUB}/iperov/DeepFaceLab'),
  ForgeryClass('Face2Face', EXPRESSION, FF, _KNOWN,
    'manipulated_sequences/Face2Face'),
  ForgeryClass('FOMM', EXPRESSION, NET, _KNOWN, '10',
    f'{_HUB}/AliaksandrSiarohin/first-order-model'),
  ForgeryClass('MaskGAN', ATTRIBUTE, NET, _KNOWN, '12',
    f'{_HUB}/switchablenorms/CelebAMask-HQ'),
  ForgeryClass('FaceAPP', ATTRIBUTE, DFFD, _KNOWN, 'faceapp',
    'https://faceapp.com/app'),
  ForgeryClass('StyleGAN', SYNTHESIS, DFFD, _KNOWN, 'stylegan_ffhq',
    f'{_HUB}/NVlabs/stylegan'),
  ForgeryClass('CycleGAN', SYNTHESIS, NIR, _KNOWN, 'cyclegan',
    f'{_HUB}/junyanz/CycleGAN'),
  ForgeryClass('Real', REAL, CELEB, _REAL_NOVEL, 'Celeb-real'),
  ForgeryClass('FaceSwap', SWAP, FF, _NOVEL,
    'manipulated_sequences/FaceSwap', f'{_HUB}/MarekKowalski/FaceSwap'),
  ForgeryClass('FaceShifter', SWAP, NET, _NOVEL, '1',
    f'{_HUB}/mindslab-ai/faceshifter'),
  ForgeryClass('FSGAN', SWAP, NET, _NOVEL, '2', f'{_HUB}/YuvalNirkin/fsgan'),
  ForgeryClass('NeuralTextures', EXPRESSION, FF, _NOVEL,
    'manipulated_sequences/NeuralTextures', f'{_HUB}/SSRSGJYD/NeuralTexture'),
  ForgeryClass('ATVG-Net', EXPRESSION, NET, _NOVEL, '8',
    f'{_HUB}/lelechen63/ATVGnet'),
  ForgeryClass('Talking-Head-Video', EXPRESSION, NET, _NOVEL, '7',
    f'{_HUB}/sibozhang/Text2Video'),
  ForgeryClass('StarGAN2', ATTRIBUTE, NET, _NOVEL, '13',
    f'{_HUB}/clovaai/stargan-v2'),
  ForgeryClass('SC-FEGAN', ATTRIBUTE, NET, _NOVEL, '14',
    f'{_HUB}/run-youngjoo/SC-FEGAN'),
  ForgeryClass('StarGAN', ATTRIBUTE, DFFD, _NOVEL, 'stargan',
    f'{_HUB}/yunjey/stargan'),
  ForgeryClass('StyleGAN2', SYNTHESIS, NET, _NOVEL, '11',
    f'{_HUB}/NVlabs/stylegan2'),
  ForgeryClass('PGGAN', SYNTHESIS, DFFD, _NOVEL, 'pggan_v2',
    f'{_HUB}/tkarras/progressive_growing_of_gans'),
  ForgeryClass('StyleGAN2', SYNTHESIS, NIR, _NOVEL, 'stylegan2',
    f'{_HUB}/NVlabs/stylegan2'),
)
# fmt: on


def protocol(
  number: int, aigc: Sequence[ForgeryClass] = ()
) -> tuple[ForgeryClass, ...]:
  """The classes of Protocol 1, 2, 3 or 4 in the order of their ids.

  Args:
    number: 1 and 3 leave the real faces out; 3 and 4 add `aigc`.
    aigc: the classes that OW-DFA++ adds, in the order of their table. Known
      ones come after the known ones of OW-DFA, novel ones last.
  """
  classes = [*OWDFA, *(aigc if number >= 3 else ())]
  if number in (1, 3):
    classes = [entry for entry in classes if entry.forgery_type != REAL]
  return tuple(sorted(classes, key=lambda entry: not entry.known))
