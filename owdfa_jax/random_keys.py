"""Keys of random draws that were added beside older ones."""

import jax
import numpy as np

# `split(key, n)[i]` is `fold_in(key, i)`, so a small number would give a key
# that is split off elsewhere.
_FURTHER = np.uint32(2**32 - 1)


def further_key(key: jax.Array) -> jax.Array:
  """Returns a key for draws beside those that use or split a key already.

  Those stay what they are. The key is none of what `jax.random.split` makes of
  the same one.

  Args:
    key: from which other draws are made too.
  """
  return jax.random.fold_in(key, _FURTHER)
