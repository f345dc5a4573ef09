"""Tables of answers: kinds of files."""

import json

import pyarrow.parquet
import pytest

from helpers.csv_files import read_csv
from input_pipeline.errors import UserError
from owdfa_jax.inference.tables import check_out, write_table

COLUMNS = ('image', 'source', 'confidence', 'output', 'error')
ROWS = [
  {'image': '=a.png', 'source': 'm1', 'confidence': 0.25, 'output': 1},
  {'image': 'b.png', 'error': 'unreadable'},
]


def written(path):
  write_table(path, COLUMNS, iter(ROWS))
  return path


def test_csv(tmp_path):
  assert read_csv(written(tmp_path / 'a.csv')) == [
    {
      'image': "'=a.png",
      'source': 'm1',
      'confidence': '0.2500',
      'output': '1',
      'error': '',
    },
    {
      'image': 'b.png',
      'source': '',
      'confidence': '',
      'output': '',
      'error': 'unreadable',
    },
  ]


def test_json_lines(tmp_path):
  lines = written(tmp_path / 'a.jsonl').read_text().splitlines()
  empty = dict.fromkeys(COLUMNS)
  assert [json.loads(line) for line in lines] == [empty | x for x in ROWS]


@pytest.mark.parametrize('at_a_time', [1, 2, 10])
def test_parquet(tmp_path, monkeypatch, at_a_time):
  monkeypatch.setattr('owdfa_jax.inference.tables._ROWS_AT_A_TIME', at_a_time)
  table = pyarrow.parquet.read_table(written(tmp_path / 'a.parquet'))
  empty = dict.fromkeys(COLUMNS)
  assert table.to_pylist() == [empty | x for x in ROWS]
  types = {field.name: str(field.type) for field in table.schema}
  assert types['confidence'] == 'double' and types['output'] == 'int32'
  assert types['source'] == 'string'


def test_out_is_a_new_file_of_a_known_kind(tmp_path):
  for suffix in ('csv', 'jsonl', 'parquet'):
    check_out(f'{tmp_path}/new/a.{suffix}')
  (tmp_path / 'old.csv').symlink_to('nowhere')
  for out, message in (
    ('a.txt', r'end its name with one of \.csv, '),
    ('', 'an empty path: --out='),
    ('gs://bucket/a.csv', '--out=.* is a URL'),
    (f'{tmp_path}/old.csv', 'the file exists'),
  ):
    with pytest.raises(UserError, match=message):
      check_out(out)
