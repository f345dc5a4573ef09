"""The names that settings are checked against are those of the networks."""

from owdfa_jax.models import backbones, create, front_end, names


def test_backbones():
  assert names.BACKBONE_NAMES == tuple(backbones.BACKBONES)


def test_dtypes():
  assert names.DTYPE_NAMES == tuple(create.DTYPES)


def test_front_ends():
  assert names.FRONT_END_NAMES == tuple(front_end.FRONT_ENDS)
