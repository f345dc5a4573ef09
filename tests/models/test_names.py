"""The names that settings are checked against are those of the networks."""

from owdfa_jax.models import classifier, names, resnet


def test_backbones():
  assert names.BACKBONES == tuple(resnet.CONFIGS)


def test_dtypes():
  assert names.DTYPES == tuple(classifier.DTYPES)
