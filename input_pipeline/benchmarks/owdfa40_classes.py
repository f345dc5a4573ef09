"""The classes of OWDFA-40: 41 in each of three protocols.

The released folders are called `<index>_<type>_<name>`. The released code reads
only the index of a name, and so does this package.
"""

from input_pipeline.benchmarks.benchmark_class import (
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

# Images of a class before the split; fewer where the folder has fewer.
KNOWN, NOVEL = 2000, 1500
PER_REAL_FOLDER = 10000
# The labelled share of a known class.
LABELLED_SHARE = 0.75

_DF40 = 'DF40'
# fmt: off
# (index, the papers' code, method, forgery type, dataset). The datasets of
# FaceSwap and DeepFaceLab are OW-DFA's; OWDFA-40's paper has them swapped.
_CLASSES = (
  (0, 'REAL', 'Real', REAL, 'FaceForensics++ and CelebDF'),
  (1, 'S1', 'Deepfakes', SWAP, FF),
  (2, 'S2', 'FaceSwap', SWAP, FF),
  (3, 'S3', 'DeepFaceLab', SWAP, NET),
  (4, 'S4', 'FaceShifter', SWAP, NET),
  (5, 'S5', 'FSGAN', SWAP, NET),
  (6, 'R1', 'Face2Face', EXPRESSION, FF),
  (7, 'R2', 'NeuralTextures', EXPRESSION, FF),
  (8, 'R3', 'FOMM', EXPRESSION, NET),
  (9, 'R4', 'ATVG-Net', EXPRESSION, NET),
  (10, 'R5', 'Talking-Head-Video', EXPRESSION, NET),
  (11, 'E1', 'MaskGAN', ATTRIBUTE, NET),
  (12, 'E2', 'StarGAN2', ATTRIBUTE, NET),
  (13, 'E3', 'SC-FEGAN', ATTRIBUTE, NET),
  (14, 'E4', 'FaceAPP', ATTRIBUTE, DFFD),
  (15, 'E5', 'StarGAN', ATTRIBUTE, DFFD),
  (16, 'G1', 'StyleGAN2', SYNTHESIS, NET),
  (17, 'G2', 'StyleGAN', SYNTHESIS, DFFD),
  (18, 'G3', 'PGGAN', SYNTHESIS, DFFD),
  (19, 'G4', 'CycleGAN', SYNTHESIS, NIR),
  (20, 'G5', 'StyleGAN2', SYNTHESIS, NIR),
  (21, 'S6', 'BlendFace', SWAP, _DF40),
  (22, 'S7', 'UniFace', SWAP, _DF40),
  (23, 'S8', 'MobileSwap', SWAP, _DF40),
  (24, 'S9', 'e4s', SWAP, _DF40),
  (25, 'S10', 'FaceDancer', SWAP, _DF40),
  (26, 'R6', 'TPSMM', EXPRESSION, _DF40),
  (27, 'R7', 'LIA', EXPRESSION, _DF40),
  (28, 'R8', 'DaGAN', EXPRESSION, _DF40),
  (29, 'R9', 'SadTalker', EXPRESSION, _DF40),
  (30, 'R10', 'MCNet', EXPRESSION, _DF40),
  (31, 'R11', 'HyperReenact', EXPRESSION, _DF40),
  (32, 'G6', 'StyleGAN-XL', SYNTHESIS, _DF40),
  (33, 'G7', 'SD2.1', SYNTHESIS, _DF40),
  (34, 'G8', 'RDDM', SYNTHESIS, _DF40),
  (35, 'G9', 'PixArt', SYNTHESIS, _DF40),
  (36, 'G10', 'DiT-XL', SYNTHESIS, _DF40),
  (37, 'G11', 'SiT-XL', SYNTHESIS, _DF40),
  (38, 'E6', 'e4e', ATTRIBUTE, _DF40),
  (39, 'G12', 'StyleGAN3', SYNTHESIS, _DF40),
  (40, 'R12', 'OneShot', EXPRESSION, _DF40),
)
_SECOND = 'REAL S1 S3 S6 S8 S10 R1 R3 R7 R9 R11 E1 E4'
_FIRST = _SECOND + ' G2 G4 G7 G9 G11 G12'
KNOWN_CODES = {
  1: frozenset(_FIRST.split()),
  2: frozenset(_SECOND.split()),
  3: frozenset(f'{_FIRST} S5 S9 R2 R5 R6 E3 E6 G3 G5 G10'.split()),
}
# fmt: on


def owdfa40_protocol(number: int) -> tuple[BenchmarkClass, ...]:
  """Returns the 41 classes of Protocol 1, 2 or 3 in the order of their ids.

  Known classes come first; the known and the novel ones are each ordered by
  their folder's index.
  """
  classes = []
  for index, code, method, forgery_type, dataset in _CLASSES:
    known = code in KNOWN_CODES[number]
    size = KNOWN if known else NOVEL
    if forgery_type == REAL:
      size = 2 * PER_REAL_FOLDER
    labelled = int(size * LABELLED_SHARE) if known else 0
    classes.append(
      BenchmarkClass(
        method,
        forgery_type,
        dataset,
        (labelled, size - labelled),
        str(index),
        code,
      )
    )
  return tuple(sorted(classes, key=lambda entry: not entry.known))
