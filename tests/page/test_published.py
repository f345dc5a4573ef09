"""Published results are shown for the classes of their protocol alone."""

import pytest

from helpers.page_runs import write_run
from input_pipeline.benchmarks.owdfa40_classes import owdfa40_protocol
from input_pipeline.benchmarks.owdfa_classes import owdfa_protocol
from owdfa_jax.page.content import published_table
from owdfa_jax.page.published import published_rows
from owdfa_jax.page.run_files import read_run


def pairs(classes):
  return [(entry.name, entry.known) for entry in classes]


@pytest.mark.parametrize(
  'classes, protocol, row',
  [
    (owdfa_protocol(1), 'OW-DFA, Protocol 1', {'all_acc': 83.70}),
    (owdfa_protocol(2), 'OW-DFA, Protocol 2', {'novel_acc': 59.92}),
    (owdfa40_protocol(1), 'OWDFA-40, Protocol 1', {'new_acc': 64.3}),
    (owdfa40_protocol(2), 'OWDFA-40, Protocol 2', {'known_acc': 95.0}),
    (owdfa40_protocol(3), 'OWDFA-40, Protocol 3', {'all_ari': 79.2}),
  ],
)
def test_classes_find_their_protocol(classes, protocol, row):
  found = published_rows(pairs(classes))
  assert found.protocol == protocol
  of_cpl = dict(zip(found.columns, found.rows['CPL'], strict=True))
  assert row.items() <= of_cpl.items()
  assert all(len(x) == len(found.columns) for x in found.rows.values())


def test_other_classes_have_no_rows():
  classes = pairs(owdfa_protocol(1))
  assert published_rows(classes[1:]) is None
  # All known: an upper bound is another protocol.
  assert published_rows([(name, True) for name, _ in classes]) is None


def test_the_last_row_is_of_the_run(tmp_path, monkeypatch):
  write_run(tmp_path / 'run')
  run = read_run(tmp_path / 'run')
  assert published_table(run) is None
  found = published_rows(pairs(owdfa40_protocol(1)))
  monkeypatch.setattr(
    'owdfa_jax.page.content.published_rows', lambda classes: found
  )
  table = published_table(run)
  name, values = table['rows'][-1]
  assert name == 'this run'
  assert table['header'][3] == 'New ACC'
  assert values[3] == 100 * run.figures['new_acc']
