"""Tables that commands write load in pandas, with numbers as numbers."""

import dataclasses
import io
import types

import numpy as np
import pandas
import pytest
from pandas.api.types import is_float_dtype, is_integer_dtype

from owdfa_jax.evaluation.attributions_table import write_attributions
from owdfa_jax.evaluation.predictions import Predictions
from owdfa_jax.inference.answers import COLUMNS, Answer, Answers
from owdfa_jax.inference.tables import write_table
from owdfa_jax.leaderboard.table import Entry, rows_csv, runs_csv
from owdfa_jax.report_fields import TABLE_COLUMNS
from owdfa_jax.training.metric_lines import encode_line

NAMES = ('a, "b"', '=c', 'novel-2')


def as_float32(*numbers):
  return np.array(numbers, np.float32)


def test_metrics_have_a_row_for_each_line():
  lines = (
    encode_line(10, {'train/loss': 1.5, 'eval/known_acc': None}),
    encode_line(20, {'train/loss': float('nan')}),
    encode_line(30, {'eval/known_acc': 0.5}),
  )
  table = pandas.read_json(io.StringIO(''.join(lines)), lines=True)
  assert table['step'].tolist() == [10, 20, 30]
  assert is_float_dtype(table['train/loss'])
  assert table['eval/known_acc'].isna().tolist() == [True, True, False]


def test_attributions_of_an_evaluation():
  split = types.SimpleNamespace(
    label=np.array([0, 1, -1]),
    group=np.arange(3),
    ids=lambda rows: [f'-{row}, x.png' for row in rows],
  )
  entry = types.SimpleNamespace
  inputs = types.SimpleNamespace(
    dataset=types.SimpleNamespace(
      test=split, num_known=2, classes=[entry(name=name) for name in NAMES]
    ),
    config=types.SimpleNamespace(eval=types.SimpleNamespace(split='test')),
  )
  predictions = Predictions(
    np.arange(3, dtype=np.int32),
    np.array([0, 2, 1], np.int32),
    as_float32(0.9, 0.4, 0.8),
    as_float32(1, 1, 1),
    unseen_score=as_float32(0.1, 0.2, 7),
  )
  file = io.StringIO(newline='')
  write_attributions(file, inputs, predictions, NAMES, 3.0)
  file.seek(0)
  table = pandas.read_csv(file)
  assert table['output'].tolist() == [0, 2, 1]
  assert table['confidence'].tolist() == [0.9, 0.4, 0.8]
  assert table['unseen_score'].tolist() == [0.1, 0.2, 7]
  assert table['source'].tolist() == ['a, "b"', 'novel-2', "'=c"]
  assert table['true_source'].isna().tolist() == [False, False, True]
  assert table['verdict'].tolist() == ['known', 'inconclusive', 'none of these']


ANSWERS = (
  Answer(
    'x, y.png',
    'known',
    'a, "b"',
    0.75,
    output=0,
    unseen_score=1.5,
    nearest=('1.png', '2.png'),
  ),
  Answer('z.png', error='unreadable image: z.png: "?"'),
)


@pytest.mark.parametrize('kind', ['csv', 'jsonl', 'parquet'])
def test_attributions_of_new_images(tmp_path, kind):
  path = tmp_path / f'table.{kind}'
  write_table(path, COLUMNS, (answer.columns() for answer in ANSWERS))
  table = {
    'csv': pandas.read_csv,
    'jsonl': lambda path: pandas.read_json(path, lines=True),
    'parquet': pandas.read_parquet,
  }[kind](path)
  assert [*table.columns] == [*COLUMNS]
  assert table['image'].tolist() == ['x, y.png', 'z.png']
  assert table['confidence'].tolist()[:1] == [0.75]
  assert table['unseen_score'].isna().tolist() == [False, True]
  assert table['error'].isna().tolist() == [True, False]
  for column in ('confidence', 'unseen_score', 'output'):
    assert is_float_dtype(table[column]) or is_integer_dtype(table[column])


@pytest.fixture
def answers():
  """Answers with every field, for a frame and a file, and with an error."""
  return Answers(
    [
      dataclasses.replace(
        ANSWERS[0],
        second_choice='c',
        second_confidence=0.125,
        unseen_threshold=2.0,
        fake_probability=0.25,
        stability=1.0,
        frames=3,
        faces=1,
        box=(1, 2, 3, 4),
        credentials='signed',
      ),
      dataclasses.replace(ANSWERS[0], frame=1, face=0),
      ANSWERS[1],
    ]
  )


def test_answers_have_one_missing_value(answers):
  table = answers.to_pandas()
  assert [*table.columns] == [*COLUMNS] and len(table) == 3
  kinds = {name: str(kind) for name, kind in table.dtypes.items()}
  assert kinds['confidence'] == 'Float64' and kinds['output'] == 'Int64'
  assert kinds['nearest'] == kinds['box'] == 'object'
  assert kinds['source'] == kinds['error'] == 'string'
  for name in table:
    missing = table[name][table[name].isna()]
    assert len(missing) or name == 'image'
    assert all(value is pandas.NA for value in missing)
  assert table['box'][0] == (1, 2, 3, 4)
  # No answers at all have the same types.
  assert (Answers([]).to_pandas().dtypes == table.dtypes).all()


def test_the_csv_file_reads_back_as_the_table(answers, tmp_path):
  answers.to_csv(tmp_path / 'table.csv')
  table = answers.to_pandas()
  plain = pandas.read_csv(tmp_path / 'table.csv')
  typed = pandas.read_csv(
    tmp_path / 'table.csv', dtype_backend='numpy_nullable'
  )
  # In a file, lists are texts.
  same = [name for name in COLUMNS if name not in ('nearest', 'box')]
  for name in same:
    assert typed[name].dtype == table[name].dtype
    assert typed[name].equals(table[name]), name
    assert plain[name].isna().tolist() == table[name].isna().tolist()
    assert plain[name].dropna().tolist() == table[name].dropna().tolist()


@pytest.mark.parametrize('write', [rows_csv, runs_csv])
def test_tables_of_a_leaderboard(write):
  report = dict.fromkeys(TABLE_COLUMNS, 0.5)
  rows = [Entry('=CPL, b', '', 11, (0, 1), {0: report, 1: report})]
  table = pandas.read_csv(io.StringIO(write(rows)))
  assert {*table['row']} == {"'=CPL, b"}
  found = [name for name in table if name.startswith('all_acc')]
  assert found and all(is_float_dtype(table[name]) for name in found)
