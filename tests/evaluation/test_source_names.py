"""What names of sources say of photographs."""

import dataclasses

import pytest

from helpers.records import make_dataset
from owdfa_jax.evaluation.source_names import no_real_source


@pytest.mark.parametrize(
  ('kind', 'real', 'begins'),
  [
    ('IdentitySwap', (), 'no source of real images was trained, so a real'),
    ('Unknown', (), 'folders do not say which sources are photographs; if'),
    ('IdentitySwap', (1,), ''),
    # A novel class does not count: nothing tells which outputs are of it.
    ('IdentitySwap', (4,), 'no source of real images'),
  ],
)
def test_a_run_without_a_real_source_says_so(tmp_path, kind, real, begins):
  dataset = make_dataset(tmp_path)
  classes = tuple(
    dataclasses.replace(
      entry, forgery_type=kind, face_type=int(entry.label in real)
    )
    for entry in dataset.classes
  )
  line = no_real_source(dataclasses.replace(dataset, classes=classes))
  assert line.startswith(begins) and bool(line) == bool(begins)
