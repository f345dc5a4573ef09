"""Reads the files of recorded losses: their cases and their layout."""

import jax.numpy as jnp
import numpy as np

from owdfa_jax.methods.base import VisibleLabels

# Tolerances of recorded losses and gradients.
LOSS = {'rtol': 1e-5, 'atol': 1e-7}
GRADIENT = {'rtol': 0, 'atol': 1e-5}


def cases(golden_file):
  """Returns the prefixes (`c0`, `c1`, ...) of a file's cases, sorted."""
  prefixes = {key.split('_')[0] for key in golden_file}
  return sorted(p for p in prefixes if p[0] == 'c' and p[1:].isdigit())


def indices(g, prefix, suffix):
  """Returns the numbers i for which `<prefix><i><suffix>` was recorded."""
  return sorted(
    int(key[len(prefix) : -len(suffix)])
    for key in g
    if key.startswith(prefix)
    and key.endswith(suffix)
    and key[len(prefix) : -len(suffix)].isdigit()
  )


def recorded_cases(file, mask):
  """Yields each case's name and the arguments of `weighted_terms` for it.

  The recorded layout, labelled rows first, becomes masks over the whole batch.

  Args:
    file: the arrays of a golden file of losses.
    mask: the recorded name of the rows with a pseudo-label; None for all.
  """
  for case in cases(file):
    get = lambda name, case=case: file[f'{case}_{name}']
    logits, target = get('logits'), get('target')
    num_labelled = int(get('labelled_len'))
    unlabelled = len(logits) - num_labelled
    label = np.concatenate([target, np.full(unlabelled, -1)]).astype(np.int32)
    gumbel = np.zeros_like(logits)
    gumbel[num_labelled:] = get('gumbel')
    vote = np.ones(len(logits), bool)
    if mask:
      vote[:num_labelled] = False
      vote[num_labelled:] = get(mask) > 0
    labels = VisibleLabels(label=jnp.array(label), index=jnp.arange(len(label)))
    partner = get('pos_pairs').astype(np.int32)
    yield (
      case,
      {
        'logits': logits,
        'labels': labels,
        'partner': partner,
        'chosen': vote,
        'gumbel': gumbel,
      },
    )


def check_terms(result, file, case, names):
  """Compares a total and its terms with those recorded.

  Args:
    result: (total, terms) as `weighted_terms` returns them.
    file: the arrays of a golden file of losses.
    case: the name of the case.
    names: from our name of a term to the recorded one.
  """
  total, terms = result
  np.testing.assert_allclose(total, file[f'{case}_total_loss'], rtol=1e-5)
  for ours, theirs in names.items():
    np.testing.assert_allclose(
      terms[ours], file[f'{case}_{theirs}_loss'], **LOSS
    )


def check_gradients(gradient, logits, file, case):
  """Compares the gradient of the total with the recorded one."""
  assert np.isfinite(gradient).all()
  # For larger logits PyTorch's binary cross entropy replaces the gradient.
  if np.abs(logits).max() < 100:
    np.testing.assert_allclose(
      gradient, file[f'{case}_grad_total_loss'], **GRADIENT
    )
