"""Pairing against recorded decisions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers.recorded import cases
from owdfa_jax.losses import pairing, similarity

SIMILARITY = {'rtol': 1e-5, 'atol': 5e-6}


def cells_first(recorded):
  """Converts recorded parts, [B, C, P], to ours, [B, P, C]."""
  return jnp.asarray(recorded.swapaxes(1, 2))


def recorded_batch(g, case):
  """Returns labels (-1 if unlabelled), labelled rows, and true labels."""
  known, hidden = g[f'{case}_labels'], g[f'{case}_labels_unlabelled']
  label = np.concatenate([known, np.full_like(hidden, -1)])
  return label, label >= 0, np.concatenate([known, hidden])


@pytest.mark.golden
def test_cpl_pairs_as_recorded(golden):
  g = golden('cpl_pairs')

  @jax.jit
  def compute(label, labelled, feature, parts):
    draw = jnp.zeros(len(label))
    local = similarity.part_similarity(parts)
    return (
      similarity.cosine_similarity(feature),
      local,
      similarity.second_largest(local, 1),
      similarity.second_largest(local, 0),
      pairing.glv_partners(
        draw=draw,
        label=label,
        labelled=labelled,
        feature=feature,
        parts=parts,
      ),
    )

  for case in cases(g):
    label, labelled, _ = recorded_batch(g, case)
    unlabelled = ~labelled
    cosine, local, row, column, pairs = jax.device_get(
      compute(label, labelled, g[f'{case}_f_g'], cells_first(g[f'{case}_f_p']))
    )
    candidate = g[f'{case}_global_top2_idx'][:, 1]
    for value, recorded in (
      (cosine, 'global_sim'),
      (local, 'part_sim'),
      (row[unlabelled], 'part_vals2'),
      (column[candidate], 'col_second_best'),
    ):
      np.testing.assert_allclose(value, g[f'{case}_{recorded}'], **SIMILARITY)
    for value, recorded in (
      (pairs.nearest[unlabelled], candidate),
      (pairs.vote[unlabelled], g[f'{case}_mask_1'] == 1),
      (pairs.index[unlabelled], g[f'{case}_pos_idx_unlabelled']),
    ):
      np.testing.assert_array_equal(value, recorded)
    assert not pairs.vote[labelled].any()


@pytest.mark.golden
@pytest.mark.parametrize('name', ['cpl_pairs', 'mpsl_pairs'])
def test_labelled_partners_are_the_recorded_choices(golden, name):
  g = golden(name)
  draws = np.linspace(0, 1, 200, endpoint=False, dtype=np.float32)
  for case in cases(g):
    label, labelled, _ = recorded_batch(g, case)

    def partner(draw, label=label, labelled=labelled):
      draw = jnp.full(len(label), draw)
      return pairing.same_class_partner(
        draw=draw, label=label, labelled=labelled
      )

    chosen = np.asarray(jax.jit(jax.vmap(partner))(draws))[:, labelled]
    reached = np.zeros((labelled.sum(), len(label)), bool)
    reached[np.arange(labelled.sum()), chosen] = True
    np.testing.assert_array_equal(
      reached[:, labelled], g[f'{case}_valid_pos_labelled']
    )


@pytest.fixture(scope='module')
def recorded_mpsl(golden):
  """Returns the file, and by case the batch, true labels and our pairing."""
  g = golden('mpsl_pairs')
  found, pair = {}, jax.jit(pairing.mpsl_partners)
  for case in cases(g):
    label, labelled, true_label = recorded_batch(g, case)
    batch = {
      'draw': np.zeros(len(label), np.float32),
      'label': label,
      'labelled': labelled,
      'feature': g[f'{case}_f_g'],
      'parts': [cells_first(g[f'{case}_part{i}']) for i in (1, 2, 3)],
      'bands': [cells_first(g[f'{case}_freq{i}']) for i in (1, 2, 3)],
    }
    found[case] = batch, true_label, jax.device_get(pair(**batch))
  return g, found


@pytest.mark.golden
def test_mpsl_similarities_as_recorded(recorded_mpsl):
  g, found = recorded_mpsl
  band_similarity = jax.jit(similarity.band_similarity)
  part_similarity = jax.jit(similarity.part_similarity)
  for case, (batch, _, _) in found.items():
    for i, (band, part) in enumerate(
      zip(batch['bands'], batch['parts'], strict=True), 1
    ):
      np.testing.assert_allclose(
        band_similarity(band), g[f'{case}_freq_sim{i}'], **SIMILARITY
      )
      np.testing.assert_allclose(
        part_similarity(part), g[f'{case}_part_sim{i}'], **SIMILARITY
      )


@pytest.mark.golden
def test_mpsl_pairs_as_recorded(recorded_mpsl):
  g, found = recorded_mpsl
  for case, (batch, _, (pairs, band, grid)) in found.items():
    unlabelled = ~batch['labelled']
    for i in range(3):
      for view, kind in ((band, 'freq'), (grid, 'part')):
        np.testing.assert_array_equal(
          view.accepted[i, unlabelled], g[f'{case}_mask_{kind}{i + 1}'] == 1
        )
    for value, recorded in (
      (pairs.vote, g[f'{case}_mask_x'] == 1),
      (pairs.either, g[f'{case}_mask_u'] == 1),
      (pairs.index, g[f'{case}_pos_idx_unlabelled']),
    ):
      np.testing.assert_array_equal(value[unlabelled], recorded)


@pytest.mark.golden
def test_meters_as_recorded(recorded_mpsl):
  g, found = recorded_mpsl
  for case, (batch, true_label, views) in found.items():
    known = true_label <= batch['label'].max()
    counted = {}
    for name, partner in pairing.perspective_partners(*views).items():
      name = name.replace('band', 'freq').replace('grid', 'part')
      name = name.replace('any_', 'un_')
      for group, rows in (('known', known), ('novel', ~known)):
        rows = rows & ~batch['labelled']
        # These meters also count a row that is paired with itself as right.
        right = rows & (true_label[partner] == true_label)
        counted[f'{name}_{group}'] = right.sum(), rows.sum()
    names = g[f'{case}_meter_names']
    assert set(counted) == set(names)
    right, judged = zip(*(counted[name] for name in names), strict=True)
    np.testing.assert_array_equal(right, g[f'{case}_meter_value'])
    np.testing.assert_array_equal(judged, g[f'{case}_meter_size'])
