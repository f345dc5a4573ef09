"""The file of centres: what is written is read, and damage is found."""

import jax.numpy as jnp
import numpy as np
import pytest
from etils import epath

from helpers.runs import start_run
from input_pipeline.errors import UserError
from owdfa_jax.evaluation.centres import Centres
from owdfa_jax.evaluation.centres_file import (
  CENTRES,
  read_centres,
  write_centres,
)
from owdfa_jax.evaluation.whitening_map import Whitening


@pytest.fixture
def written(packed, tmp_path):
  """A run with a checkpoint and centres, and these centres."""
  start_run(packed, tmp_path)
  rng = np.random.default_rng(0)
  centres = Centres(
    Whitening(
      jnp.asarray(rng.normal(size=6), jnp.float32),
      jnp.asarray(rng.normal(size=(6, 3)), jnp.float32),
    ),
    jnp.asarray(rng.normal(size=(4, 3)), jnp.float32),
    jnp.array([True, True, False, True]),
  )
  workdir = epath.Path(tmp_path)
  write_centres(
    workdir, workdir / 'checkpoints' / '5', centres, {'setting': 'auto'}
  )
  return workdir, centres


def test_what_is_written_is_read(written):
  workdir, centres = written
  found = read_centres(workdir, 5)
  np.testing.assert_array_equal(
    found.centres.whitening.matrix, centres.whitening.matrix
  )
  np.testing.assert_array_equal(found.centres.in_use, centres.in_use)
  assert found.made == {'setting': 'auto'}
  assert read_centres(workdir, 6) is None


@pytest.mark.parametrize('place', [0.1, 0.5, 0.9])
def test_changed_byte_is_found(written, place):
  workdir, _ = written
  path = CENTRES.path(workdir, 5)
  content = bytearray(path.read_bytes())
  content[int(place * len(content))] ^= 1
  path.write_bytes(content)
  with pytest.raises(UserError, match=r'damaged centres: .*centres-5.npz'):
    read_centres(workdir, 5)


def test_array_of_another_file_is_found(written):
  """Each member is whole, but they do not belong together."""
  workdir, _ = written
  path = CENTRES.path(workdir, 5)
  content = dict(np.load(path))
  content['in_use'] = np.ones(4, bool)
  np.savez(path, **content)
  with pytest.raises(UserError, match='changed since it was written'):
    read_centres(workdir, 5)
