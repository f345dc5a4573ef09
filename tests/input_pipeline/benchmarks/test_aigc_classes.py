"""The classes that OW-DFA++ adds: the shipped table and a user's own."""

import json

import pytest

from input_pipeline.benchmarks.aigc_classes import read_aigc_classes
from input_pipeline.benchmarks.benchmark_class import DF3
from input_pipeline.benchmarks.owdfa_classes import owdfa_protocol
from input_pipeline.errors import UserError


def test_every_class_of_the_shipped_table_is_marked_as_a_guess():
  extra = read_aigc_classes()
  assert len(extra) == 5 and all(entry.guess for entry in extra)
  assert len(owdfa_protocol(3, extra)) == 25
  classes = owdfa_protocol(4, extra)
  assert len(classes) == 27
  assert classes[:9] == owdfa_protocol(2)[:9]
  assert [e.known for e in classes] == sorted(
    [e.known for e in classes], reverse=True
  )


def test_a_users_table_is_read(tmp_path):
  file = tmp_path / 'mine.json'
  entry = {'method': 'A', 'folder': 'a', 'labelled': 3, 'unlabelled': 1}
  novel = entry | {'method': 'B', 'labelled': 0, 'source': 'Mine'}
  file.write_text(json.dumps({'classes': [novel, entry]}))
  b, a = read_aigc_classes(file)
  assert (a.known, a.dataset, a.counts) == (True, DF3, (3, 1))
  assert (b.known, b.dataset) == (False, 'Mine')
  classes = owdfa_protocol(4, (b, a))
  assert classes[9] == a and classes[-1] == b


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    ({'method': None}, 'method=None: wrong type; give a text'),
    ({'method': ''}, 'method is missing'),
    ({'labelled': True}, 'labelled=True: wrong type; give a whole number'),
    ({'labelled': -1}, 'labelled=-1, unlabelled=1: out of range; give from 0'),
    ({'labelled': 0, 'unlabelled': 0}, 'not both 0'),
    ({'labelled': 10**400}, 'labelled=1000.*: out of range'),
    ({'labelled': 1e999}, 'not JSON'),
    ({'folder': 'a\nb'}, 'control characters'),
    ({'folder': '../../etc'}, "folder='../../etc': it lies outside"),
    ({'folder': '/etc'}, "folder='/etc': it lies outside"),
    ({'forgery_type': 'Fake'}, 'use one of RealFace'),
    ({'colour': 'x'}, "no field is called 'colour'"),
    ({'method': 'FOMM', 'source': 'ForgeryNet'}, 'appears twice'),
  ],
)
def test_an_error_names_the_wrong_field(tmp_path, change, message):
  file = tmp_path / 'mine.json'
  entry = {'method': 'A', 'folder': 'a', 'labelled': 3, 'unlabelled': 1}
  file.write_text(json.dumps({'classes': [entry | change]}))
  with pytest.raises(UserError, match=message):
    read_aigc_classes(file)


def test_an_error_names_a_file_that_is_not_a_table(tmp_path):
  file = tmp_path / 'mine.json'
  with pytest.raises(UserError, match='cannot read'):
    read_aigc_classes(file)
  for text in '{', '[]', '{"classes": []}', '{"classes": [1]}':
    file.write_text(text)
    with pytest.raises(UserError, match='bad table'):
      read_aigc_classes(file)
