"""The 22 classes of OW-DFA Protocols 1 and 2, with labels and traces.

Labels are written down, not counted: known classes first, in both protocols.
"""

import dataclasses

from input_pipeline.forgery_types import (
  ATTRIBUTE,
  EXPRESSION,
  REAL,
  SWAP,
  SYNTHESIS,
)
from input_pipeline.simulate.traces import (
  AttributeManipulation,
  EntireSynthesis,
  ExpressionTransfer,
  IdentitySwap,
  Untouched,
)

Trace = (
  IdentitySwap
  | ExpressionTransfer
  | AttributeManipulation
  | EntireSynthesis
  | Untouched
)

# Kernels of up-sampling layers, for strides 2 and 4 (scaled when applied).
BOX = (1, 1)  # nearest neighbour
TENT = (1, 2, 1)  # bilinear
FIR = (1, 3, 3, 1)  # StyleGAN2's binomial filter
BOX_4 = (1, 1, 1, 1)
FIR_4 = (1, 3, 6, 10, 12, 12, 10, 6, 3, 1)  # the binomial filter twice
# Learned taps: the two phases' sums differ a little, hence a checkerboard.
TRANSPOSED_3 = (0.54, 1, 0.54)
TRANSPOSED_4 = (0.28, 0.75, 0.8, 0.25)


@dataclasses.dataclass(frozen=True)
class ForgeryClass:
  """A method from one source, its labels in both protocols and its trace.

  label_1: label in Protocol 1 (None: real faces are not in it).
  label_2: label in Protocol 2.
  """

  method: str
  forgery_type: str
  source: str
  known: bool
  label_1: int | None
  label_2: int
  trace: Trace


# fmt: off
CLASSES = (
  ForgeryClass('Real', REAL, 'FF++', True, None, 0, Untouched()),
  ForgeryClass('Deepfakes', SWAP, 'FF++', True, 0, 1,
    IdentitySwap('box', 1.5, 0.4, 'bilinear', 0.0, 'tint', 0.07)),
  ForgeryClass('DeepFaceLab', SWAP, 'ForgeryNet', True, 1, 2,
    IdentitySwap('hull', 1.0, 0.5, 'lanczos', 1.5, 'light', 0.12)),
  ForgeryClass('Face2Face', EXPRESSION, 'FF++', True, 2, 3,
    ExpressionTransfer('mouth_and_eyes', 0.12, 4, 0.45, 'bilinear', 0.0, 0.0)),
  ForgeryClass('FOMM', EXPRESSION, 'ForgeryNet', True, 3, 4,
    ExpressionTransfer('head', 0.1, 1, 0.5, 'bilinear', 0.0, 1.0)),
  ForgeryClass('MaskGAN', ATTRIBUTE, 'ForgeryNet', True, 4, 5,
    AttributeManipulation('hair', 2, TRANSPOSED_4, 0.2, 0.06, 0.5)),
  ForgeryClass('FaceAPP', ATTRIBUTE, 'DFFD', True, 5, 6,
    AttributeManipulation('mouth_and_eyes', 2, BOX, 0.0, 0.04, 0.8)),
  ForgeryClass('StyleGAN', SYNTHESIS, 'DFFD', True, 6, 7,
    EntireSynthesis(((2, TENT),), 0.2)),
  ForgeryClass('CycleGAN', SYNTHESIS, 'ForgeryNIR', True, 7, 8,
    EntireSynthesis(((2, TRANSPOSED_3),), 0.3)),
  ForgeryClass('Real', REAL, 'CelebDF', False, None, 9, Untouched()),
  ForgeryClass('FaceSwap', SWAP, 'FF++', False, 8, 10,
    IdentitySwap('hull', 0.0, 0.4, 'nearest', 0.0, 'light', 0.15)),
  ForgeryClass('FaceShifter', SWAP, 'ForgeryNet', False, 9, 11,
    IdentitySwap('oval', 2.5, 0.35, 'bicubic', 0.0, 'contrast', 0.15)),
  ForgeryClass('FSGAN', SWAP, 'ForgeryNet', False, 10, 12,
    IdentitySwap('oval', 0.0, 0.5, 'bilinear', 0.5, 'tint', 0.1)),
  ForgeryClass('NeuralTextures', EXPRESSION, 'FF++', False, 11, 13,
    ExpressionTransfer('mouth', 0.08, 1, 0.35, 'bicubic', 2.0, 0.5)),
  ForgeryClass('ATVG-Net', EXPRESSION, 'ForgeryNet', False, 12, 14,
    ExpressionTransfer('mouth', 0.1, 1, 0.3, 'nearest', 0.0, 0.5)),
  ForgeryClass('Talking-Head-Video', EXPRESSION, 'ForgeryNet', False, 13, 15,
    ExpressionTransfer('mouth_and_eyes', 0.1, 8, 0.3, 'bicubic', 0.0, 0.5)),
  ForgeryClass('StarGAN2', ATTRIBUTE, 'ForgeryNet', False, 14, 16,
    AttributeManipulation('head', 2, BOX, 0.1, 0.08, 1.0)),
  ForgeryClass('SC-FEGAN', ATTRIBUTE, 'ForgeryNet', False, 15, 17,
    AttributeManipulation('strokes', 4, BOX_4, 0.0, 0.06, 0.5)),
  ForgeryClass('StarGAN', ATTRIBUTE, 'DFFD', False, 16, 18,
    AttributeManipulation('oval', 2, TRANSPOSED_3, 0.3, 0.04, 1.0)),
  ForgeryClass('StyleGAN2', SYNTHESIS, 'ForgeryNet', False, 17, 19,
    EntireSynthesis(((2, FIR),), 0.3)),
  ForgeryClass('PGGAN', SYNTHESIS, 'DFFD', False, 18, 20,
    EntireSynthesis(((2, BOX),), 0.3)),
  ForgeryClass('StyleGAN2', SYNTHESIS, 'ForgeryNIR', False, 19, 21,
    EntireSynthesis(((4, FIR_4), (2, TRANSPOSED_4)), 0.4)),
)
# fmt: on
