"""The names that settings are checked against are those of the networks."""

from owdfa_jax.models import classifier, names, resnet


def test_backbones():
  assert names.BACKBONE_NAMES == tuple(resnet.CONFIGS)


def test_dtypes():
  assert names.DTYPE_NAMES == tuple(classifier.DTYPES)
