"""The record of what a heap's table was made by."""

import pytest

from helpers.page_runs import write_run
from input_pipeline.errors import UserError
from owdfa_jax.evaluation import heap_record, names_file
from owdfa_jax.evaluation.heap_record import (
  HeapRecord,
  read_heap_record,
  what_changed,
  write_heap_record,
)

BEFORE = {
  'step': 7,
  'checkpoint': 'abc',
  'classified_by': 'centres',
  'centres': 'def',
  'names': {},
  'parts': {},
  'sources': '',
}


@pytest.mark.parametrize(
  ('now', 'words'),
  [
    ({}, ''),
    ({'step': 9, 'checkpoint': 'other'}, 'the checkpoint'),
    ({'checkpoint': 'other'}, 'the checkpoint'),
    # The run was copied without its checkpoint.
    ({'checkpoint': ''}, ''),
    ({'centres': 'x', 'names': {'novel-3': 'X'}}, 'the clusters, the names'),
    ({'parts': {'novel-3.1': ''}}, 'the parts of split clusters'),
    ({'sources': 'other'}, 'the parts of split clusters'),
  ],
)
def test_what_has_changed_is_said_in_words(now, words):
  assert what_changed(BEFORE, BEFORE | now) == words


def test_clusters_without_a_name_are_no_names(tmp_path):
  write_run(tmp_path)
  plain = heap_record.made_by(tmp_path, 7, 'head')
  clusters = names_file.clusters_of(tmp_path, 7, 'head')
  found = names_file.NamesFile(clusters, {2: '', 3: ''})
  names_file.write_names(tmp_path, found)
  assert heap_record.made_by(tmp_path, 7, 'head') == plain
  names_file.write_names(tmp_path, found._replace(names={2: 'X', 3: ''}))
  assert heap_record.made_by(tmp_path, 7, 'head')['names'] == {'novel-2': 'X'}


def test_parts_depend_on_the_images_that_the_run_carries(tmp_path):
  write_run(tmp_path)
  clusters = names_file.clusters_of(tmp_path, 7, 'head')
  found = names_file.NamesFile(clusters, {}, {3: ('', 'X')})
  names_file.write_names(tmp_path, found)
  digests = []
  for content in (b'a', b'b'):
    (tmp_path / 'sources-7.npz').write_bytes(content)
    made = heap_record.made_by(tmp_path, 7, 'head')
    digests.append(made['sources'])
  assert made['parts'] == {'novel-3.1': '', 'novel-3.2': 'X'}
  assert len({*digests}) == 2


def test_a_record_is_read_as_it_was_written(tmp_path):
  assert read_heap_record(tmp_path) == HeapRecord()
  record = HeapRecord(table=BEFORE, begun=None)
  write_heap_record(tmp_path, record)
  assert read_heap_record(tmp_path) == record


@pytest.mark.parametrize(
  'content',
  ['', '[]', '{"version": 1}', '{"version": 1, "table": 3, "begun": null}'],
)
def test_a_damaged_record_is_one_line(tmp_path, content):
  (tmp_path / 'heap_attributions.json').write_text(content)
  with pytest.raises(UserError, match=r'damaged file: .*; remove it, and give'):
    read_heap_record(tmp_path)
