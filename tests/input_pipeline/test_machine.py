"""How much memory there is, with the limit of a container and without."""

import os

import pytest

from input_pipeline import machine

ALL = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')


@pytest.mark.parametrize(
  'content, expected',
  [('max\n', ALL), ('4096\n', 4096), (f'{2**63}\n', ALL), (None, ALL)],
)
def test_memory(tmp_path, monkeypatch, content, expected):
  path = tmp_path / 'memory.max'
  if content is not None:
    path.write_text(content)
  monkeypatch.setattr(machine, '_CONTAINER_LIMITS', (str(path),))
  assert machine.memory_bytes() == expected
