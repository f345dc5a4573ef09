"""Reads the golden files: which cases they have, and in what layout."""

import jax.numpy as jnp
import numpy as np

from owdfa_jax.methods.base import Rows


def cases(golden_file):
  """The case prefixes (`c0`, `c1`, ...) of a golden file, however many."""
  prefixes = {key.split('_')[0] for key in golden_file}
  return sorted(p for p in prefixes if p[0] == 'c' and p[1:].isdigit())


LOSS = {'rtol': 1e-5, 'atol': 1e-7}


GRADIENT = {'rtol': 0, 'atol': 1e-5}


def indices(g, prefix, suffix):
  """The numbers i for which `<prefix><i><suffix>` was recorded."""
  return sorted(
    int(key[len(prefix) : -len(suffix)])
    for key in g
    if key.startswith(prefix)
    and key.endswith(suffix)
    and key[len(prefix) : -len(suffix)].isdigit()
  )


def recorded(file, case, mask='mask_1'):
  """The golden's labelled-first layout as masks over the whole batch."""
  get = lambda name: file[f'{case}_{name}']
  logits, target = get('logits'), get('target')
  num_labelled = int(get('labelled_len'))
  unlabelled = len(logits) - num_labelled
  label = np.concatenate([target, np.full(unlabelled, -1)]).astype(np.int32)
  gumbel = np.zeros_like(logits)
  gumbel[num_labelled:] = get('gumbel')
  vote = np.zeros(len(logits), bool)
  vote[num_labelled:] = get(mask) > 0
  rows = Rows(label=jnp.array(label), index=jnp.arange(len(label)))
  return logits, rows, get('pos_pairs').astype(np.int32), vote, gumbel
