"""The class table of OW-DFA: ids and counts as published."""

from input_pipeline.benchmarks.benchmark_class import CELEB, FF, NET, NIR
from input_pipeline.benchmarks.owdfa_classes import owdfa_protocol
from input_pipeline.forgery_types import REAL
from input_pipeline.simulate.simulated_classes import CLASSES

P2_KNOWN = (
  'Real Deepfakes DeepFaceLab Face2Face FOMM MaskGAN FaceAPP StyleGAN CycleGAN'
)
P2_NOVEL = (
  'Real FaceSwap FaceShifter FSGAN NeuralTextures ATVG-Net Talking-Head-Video '
  'StarGAN2 SC-FEGAN StarGAN StyleGAN2 PGGAN StyleGAN2'
)


def total(classes):
  return sum(sum(entry.counts) for entry in classes)


def test_protocol_2_has_these_ids():
  classes = owdfa_protocol(2)
  assert [e.method for e in classes] == f'{P2_KNOWN} {P2_NOVEL}'.split()
  assert [e.known for e in classes] == [True] * 9 + [False] * 13
  assert classes[0].dataset == FF and classes[9].dataset == CELEB
  assert classes[19].dataset == NET and classes[21].dataset == NIR


def test_protocol_1_is_protocol_2_without_real_faces_as_released():
  ids_1 = {entry: label for label, entry in enumerate(owdfa_protocol(1))}
  for label, entry in enumerate(owdfa_protocol(2)):
    if entry.forgery_type != REAL:
      assert ids_1[entry] == (label - 1 if label < 9 else label - 2)
  assert len(ids_1) == 20


def test_the_totals_are_the_published_ones():
  assert total(owdfa_protocol(1)) == 34000
  assert total(owdfa_protocol(2)) == 59000
  assert sum(e.counts[0] for e in owdfa_protocol(2)) == 8 * 1500 + 15000


def test_the_simulated_benchmark_has_the_same_ids():
  for entry in CLASSES:
    ours = owdfa_protocol(2)[entry.label_2]
    assert (ours.method, ours.forgery_type) == (
      entry.method,
      entry.forgery_type,
    )
    if entry.label_1 is not None:
      assert owdfa_protocol(1)[entry.label_1] == ours
