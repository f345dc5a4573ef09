"""Every name of a folder can be typed, and messages say how."""

import subprocess

import pytest

from helpers.imagesets import write_set
from input_pipeline import meta, prepare
from input_pipeline.class_names import split_names, suggested, typed
from input_pipeline.errors import UserError

NFC, NFD = 'caf\xe9', 'cafe\u0301'
NAMES = [
  'Deepfakes,c23', 'F2F ', ' F2F', 'a  b', '"q"', 'a"b', ',', '"', NFC, NFD,
  'nbsp\xa0', '-x', "it's", 'a\\b', '$HOME', '\u5199\u771f', 'x',
]  # fmt: skip


@pytest.mark.parametrize(
  ('text', 'names'),
  [
    ('A,B', ['A', 'B']),
    (' A , second one ,', ['A', 'second one']),
    ('"A,1",B', ['A,1', 'B']),
    ('A, "B " ,C', ['A', 'B ', 'C']),
    ('"a ""b"" c"', ['a "b" c']),
    ('a"b', ['a"b']),
    ('', []),
    (',,', []),
    ('nbsp\xa0', ['nbsp\xa0']),
  ],
)
def test_names_are_split_as_in_a_csv(text, names):
  assert split_names(text) == names


@pytest.mark.parametrize('text', ['"a', 'a,"b', '"a"b', '"a" b,c'])
def test_a_quote_without_an_end_is_refused(text):
  with pytest.raises(UserError, match='a quotation mark that is not closed'):
    split_names(text)


def test_what_is_suggested_can_be_typed():
  value = typed(NAMES)
  done = subprocess.run(
    ['bash', '-c', f'printf %s {value}'], capture_output=True, check=True
  )
  assert split_names(done.stdout.decode()) == NAMES
  for name in NAMES:
    done = subprocess.run(
      ['bash', '-c', f'printf %s {typed([name])}'], capture_output=True
    )
    assert split_names(done.stdout.decode()) == [name]


def test_a_plain_name_is_suggested_as_it_is():
  assert suggested('StyleGAN2') == 'StyleGAN2'
  assert suggested('Größe') == "'Größe'" and suggested('my GAN') == "'my GAN'"
  assert suggested('F2F ') == "'F2F ' (written '\"F2F \"')"
  assert suggested(NFD) == r"'cafe\u0301' (written $'cafe\U00000301')"


@pytest.fixture
def root(tmp_path):
  """Folders whose names only differ in a comma, blanks or their form."""
  write_set(tmp_path, novel=4)
  names = ('Deepfakes,c23', 'F2F ', 'F2F', NFC, NFD, 'x')
  (tmp_path / 'root').mkdir()
  for number, name in enumerate(names):
    (tmp_path / str(number)).rename(tmp_path / 'root' / name)
  return tmp_path / 'root'


def run(root, *options):
  out = root.parent / 'meta'
  prepare.main(['folder', '--root', str(root), '--out', str(out), *options])
  return [c.name for c in meta.classes(meta.read_meta(out / 'meta.csv'))]


def test_every_folder_can_be_named(root, capsys):
  names = run(
    root,
    *('--known', '"Deepfakes,c23"', '--known', f'"F2F ",{NFD}'),
    *('--exclude', f'F2F,{NFC}'),
  )
  assert names == ['Deepfakes,c23', 'F2F ', NFD, 'x']
  names = run(root, '--known', '"F2F ",F2F')
  assert names == ['F2F ', 'F2F', 'Deepfakes,c23', NFD, NFC, 'x']
  table = capsys.readouterr().out
  assert "'F2F '" in table and "'F2F' " in table
  assert "'café'" in table and r"'cafe\u0301'" in table


@pytest.mark.parametrize(
  ('options', 'suggestion'),
  [
    (['--known', 'Deepfakes,c23'], "'Deepfakes,c23' (written '\"Deepfakes,c23"),
    (['--known', 'F2F  '], 'F2F'),
    (['--known', 'x', '--exclude', 'Deepfakes'], '(written '),
    (['--known', 'x', '--exclude', 'cafe'], r"(written $'cafe\U00000301')"),
  ],
)
def test_a_message_says_how_a_name_is_typed(root, capsys, options, suggestion):
  if options == ['--known', 'F2F  ']:
    (root / 'F2F').rename(root / 'y')
    suggestion = "'F2F ' (written '\"F2F \"')"
  with pytest.raises(SystemExit):
    run(root, *options)
  error = capsys.readouterr().err
  assert error.count('\n') == 1
  assert suggestion in error
