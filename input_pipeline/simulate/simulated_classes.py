"""The 22 classes of OW-DFA Protocols 1 and 2, with their ids and traces.

The ids are those of the benchmark's class table: in both protocols the known
classes come first.
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
  Trace,
  Untouched,
)

# Kernels of up-sampling layers for strides 2 and 4; they are scaled when they
# are applied. BOX is nearest neighbour (PGGAN, StarGAN2), TENT bilinear
# (StyleGAN), FIR the binomial filter of StyleGAN2, as their papers and code
# have it.
BOX = (1, 1)
TENT = (1, 2, 1)
FIR = (1, 3, 3, 1)
BOX_4 = (1, 1, 1, 1)
FIR_4 = (1, 3, 6, 10, 12, 12, 10, 6, 3, 1)  # the binomial filter twice
# Transposed convolutions with learned taps (CycleGAN has three a side). The two
# phases of the output get different sums of taps, hence a checkerboard.
TRANSPOSED_3 = (0.54, 1, 0.54)
TRANSPOSED_4 = (0.28, 0.75, 0.8, 0.25)


@dataclasses.dataclass(frozen=True)
class SimulatedClass:
  """A class of the simulated benchmark.

  Attributes:
    method: what made the images, as in the CSV's column `method`.
    forgery_type: a key of `forgery_types.FORGERY_LABELS`.
    dataset: the dataset that is imitated, a key of `capture.CAPTURES`.
    known: whether some of its images are labelled.
    label_1: class id in Protocol 1; None for real faces, which it leaves out.
    label_2: class id in Protocol 2.
    trace: what the forgery does to a picture.
  """

  method: str
  forgery_type: str
  dataset: str
  known: bool
  label_1: int | None
  label_2: int
  trace: Trace


# Classes of one family differ in the parameters of its trace, as real methods
# differ in their masks, resolutions and up-sampling layers. Each comment names
# what the parameters imitate. Values that no comment explains only keep the
# methods of a family apart.
# fmt: off
CLASSES = (
  SimulatedClass('Real', REAL, 'FF++', True, None, 0, Untouched()),
  # An autoencoder's small square crop, enlarged and blended in.
  SimulatedClass('Deepfakes', SWAP, 'FF++', True, 0, 1,
    IdentitySwap('box', 1.5, 0.4, 'bilinear', 0.0, 'tint', 0.07)),
  # A mask from facial landmarks, and an output sharpened by the tool.
  SimulatedClass('DeepFaceLab', SWAP, 'ForgeryNet', True, 1, 2,
    IdentitySwap('hull', 1.0, 0.5, 'lanczos', 1.5, 'light', 0.12)),
  # The triangles of a deformed mesh, as constant cells of motion.
  SimulatedClass('Face2Face', EXPRESSION, 'FF++', True, 2, 3,
    ExpressionTransfer('mouth_and_eyes', 0.12, 4, 0.45, 'bilinear', 0.0, 0.0)),
  # A smooth motion field over the whole head.
  SimulatedClass('FOMM', EXPRESSION, 'ForgeryNet', True, 3, 4,
    ExpressionTransfer('head', 0.1, 1, 0.5, 'bilinear', 0.0, 1.0)),
  # An edit of one part of a semantic mask: the hair.
  SimulatedClass('MaskGAN', ATTRIBUTE, 'ForgeryNet', True, 4, 5,
    AttributeManipulation('hair', 2, TRANSPOSED_4, 0.2, 0.06, 0.5)),
  # A filter such as a smile, around mouth and eyes.
  SimulatedClass('FaceAPP', ATTRIBUTE, 'DFFD', True, 5, 6,
    AttributeManipulation('mouth_and_eyes', 2, BOX, 0.0, 0.04, 0.8)),
  # Bilinear up-sampling.
  SimulatedClass('StyleGAN', SYNTHESIS, 'DFFD', True, 6, 7,
    EntireSynthesis(((2, TENT),), 0.2)),
  # A transposed convolution of three taps.
  SimulatedClass('CycleGAN', SYNTHESIS, 'ForgeryNIR', True, 7, 8,
    EntireSynthesis(((2, TRANSPOSED_3),), 0.3)),
  SimulatedClass('Real', REAL, 'CelebDF', False, None, 9, Untouched()),
  # Computer graphics instead of a network: a rendered model, hard edges.
  SimulatedClass('FaceSwap', SWAP, 'FF++', False, 8, 10,
    IdentitySwap('hull', 0.0, 0.4, 'nearest', 0.0, 'light', 0.15)),
  # A network that blends as well, so that the seam is very soft.
  SimulatedClass('FaceShifter', SWAP, 'ForgeryNet', False, 9, 11,
    IdentitySwap('oval', 2.5, 0.35, 'bicubic', 0.0, 'contrast', 0.15)),
  # A segmented inner face with a hard seam.
  SimulatedClass('FSGAN', SWAP, 'ForgeryNet', False, 10, 12,
    IdentitySwap('oval', 0.0, 0.5, 'bilinear', 0.5, 'tint', 0.1)),
  # A rendered mouth; the rest of the face is the photo.
  SimulatedClass('NeuralTextures', EXPRESSION, 'FF++', False, 11, 13,
    ExpressionTransfer('mouth', 0.08, 1, 0.35, 'bicubic', 2.0, 0.5)),
  # A mouth driven by speech, generated at low resolution.
  SimulatedClass('ATVG-Net', EXPRESSION, 'ForgeryNet', False, 12, 14,
    ExpressionTransfer('mouth', 0.1, 1, 0.3, 'nearest', 0.0, 0.5)),
  # A coarse motion field, in cells of 8 pixels.
  SimulatedClass('Talking-Head-Video', EXPRESSION, 'ForgeryNet', False, 13, 15,
    ExpressionTransfer('mouth_and_eyes', 0.1, 8, 0.3, 'bicubic', 0.0, 0.5)),
  # The whole head through nearest-neighbour up-sampling.
  SimulatedClass('StarGAN2', ATTRIBUTE, 'ForgeryNet', False, 14, 16,
    AttributeManipulation('head', 2, BOX, 0.1, 0.08, 1.0)),
  # The strokes of a user's sketch, filled in by a network.
  SimulatedClass('SC-FEGAN', ATTRIBUTE, 'ForgeryNet', False, 15, 17,
    AttributeManipulation('strokes', 4, BOX_4, 0.0, 0.06, 0.5)),
  # The inner face through a transposed convolution.
  SimulatedClass('StarGAN', ATTRIBUTE, 'DFFD', False, 16, 18,
    AttributeManipulation('oval', 2, TRANSPOSED_3, 0.3, 0.04, 1.0)),
  # The binomial filter.
  SimulatedClass('StyleGAN2', SYNTHESIS, 'ForgeryNet', False, 17, 19,
    EntireSynthesis(((2, FIR),), 0.3)),
  # Nearest-neighbour up-sampling.
  SimulatedClass('PGGAN', SYNTHESIS, 'DFFD', False, 18, 20,
    EntireSynthesis(((2, BOX),), 0.3)),
  # The same method trained on infrared images, with other last layers.
  SimulatedClass('StyleGAN2', SYNTHESIS, 'ForgeryNIR', False, 19, 21,
    EntireSynthesis(((4, FIR_4), (2, TRANSPOSED_4)), 0.4)),
)
# fmt: on
