"""The classes of OW-DFA, and the protocols of OW-DFA and OW-DFA++.

The released ids follow the order of pandas' `value_counts`, which is undefined
between classes of equal size. Here the place of a class in its protocol is its
id, so that the ids do not depend on the version of pandas.
"""

from collections.abc import Sequence

from input_pipeline.benchmarks.benchmark_class import (
  CELEB,
  DFFD,
  FF,
  NET,
  NIR,
  BenchmarkClass,
)
from input_pipeline.forgery_types import (
  ATTRIBUTE,
  EXPRESSION,
  REAL,
  SWAP,
  SYNTHESIS,
)

# Raised whenever an id, a count or a known class changes.
TABLE_VERSION = 1

# Images of a class, (labelled, unlabelled), at `--size=benchmark`.
_KNOWN, _NOVEL = (1500, 500), (0, 1500)
_REAL_KNOWN, _REAL_NOVEL = (15000, 5000), (0, 5000)
# The released notebook is written for the large size: five times as many.
SIZE_FACTORS = {'benchmark': 1, 'large': 5}

_HUB = 'https://github.com'
# fmt: off
# In the order of Protocol 2's ids: the known classes, then the novel ones.
OWDFA = (
  BenchmarkClass('Real', REAL, FF, _REAL_KNOWN, 'original_sequences/youtube'),
  BenchmarkClass('Deepfakes', SWAP, FF, _KNOWN,
    'manipulated_sequences/Deepfakes', f'{_HUB}/deepfakes/faceswap'),
  BenchmarkClass('DeepFaceLab', SWAP, NET, _KNOWN, '3',
    f'{_HUB}/iperov/DeepFaceLab'),
  BenchmarkClass('Face2Face', EXPRESSION, FF, _KNOWN,
    'manipulated_sequences/Face2Face'),
  BenchmarkClass('FOMM', EXPRESSION, NET, _KNOWN, '10',
    f'{_HUB}/AliaksandrSiarohin/first-order-model'),
  BenchmarkClass('MaskGAN', ATTRIBUTE, NET, _KNOWN, '12',
    f'{_HUB}/switchablenorms/CelebAMask-HQ'),
  BenchmarkClass('FaceAPP', ATTRIBUTE, DFFD, _KNOWN, 'faceapp',
    'https://faceapp.com/app'),
  BenchmarkClass('StyleGAN', SYNTHESIS, DFFD, _KNOWN, 'stylegan_ffhq',
    f'{_HUB}/NVlabs/stylegan'),
  BenchmarkClass('CycleGAN', SYNTHESIS, NIR, _KNOWN, 'cyclegan',
    f'{_HUB}/junyanz/CycleGAN'),
  BenchmarkClass('Real', REAL, CELEB, _REAL_NOVEL, 'Celeb-real'),
  BenchmarkClass('FaceSwap', SWAP, FF, _NOVEL,
    'manipulated_sequences/FaceSwap', f'{_HUB}/MarekKowalski/FaceSwap'),
  BenchmarkClass('FaceShifter', SWAP, NET, _NOVEL, '1',
    f'{_HUB}/mindslab-ai/faceshifter'),
  BenchmarkClass('FSGAN', SWAP, NET, _NOVEL, '2', f'{_HUB}/YuvalNirkin/fsgan'),
  BenchmarkClass('NeuralTextures', EXPRESSION, FF, _NOVEL,
    'manipulated_sequences/NeuralTextures', f'{_HUB}/SSRSGJYD/NeuralTexture'),
  BenchmarkClass('ATVG-Net', EXPRESSION, NET, _NOVEL, '8',
    f'{_HUB}/lelechen63/ATVGnet'),
  BenchmarkClass('Talking-Head-Video', EXPRESSION, NET, _NOVEL, '7',
    f'{_HUB}/sibozhang/Text2Video'),
  BenchmarkClass('StarGAN2', ATTRIBUTE, NET, _NOVEL, '13',
    f'{_HUB}/clovaai/stargan-v2'),
  BenchmarkClass('SC-FEGAN', ATTRIBUTE, NET, _NOVEL, '14',
    f'{_HUB}/run-youngjoo/SC-FEGAN'),
  BenchmarkClass('StarGAN', ATTRIBUTE, DFFD, _NOVEL, 'stargan',
    f'{_HUB}/yunjey/stargan'),
  BenchmarkClass('StyleGAN2', SYNTHESIS, NET, _NOVEL, '11',
    f'{_HUB}/NVlabs/stylegan2'),
  BenchmarkClass('PGGAN', SYNTHESIS, DFFD, _NOVEL, 'pggan_v2',
    f'{_HUB}/tkarras/progressive_growing_of_gans'),
  BenchmarkClass('StyleGAN2', SYNTHESIS, NIR, _NOVEL, 'stylegan2',
    f'{_HUB}/NVlabs/stylegan2'),
)
# fmt: on


def owdfa_protocol(
  number: int, aigc: Sequence[BenchmarkClass] = ()
) -> tuple[BenchmarkClass, ...]:
  """Returns the classes of Protocol 1, 2, 3 or 4 in the order of their ids.

  Args:
    number: the protocol. Protocols 1 and 3 leave out the real faces; 3 and 4
      add the classes `aigc`.
    aigc: the classes that OW-DFA++ adds, in the order of their table. Known
      ones follow the known classes of OW-DFA, novel ones come last.
  """
  classes = [*OWDFA, *(aigc if number >= 3 else ())]
  if number in (1, 3):
    classes = [entry for entry in classes if entry.forgery_type != REAL]
  return tuple(sorted(classes, key=lambda entry: not entry.known))
