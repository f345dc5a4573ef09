"""Text is shown as text, whatever is in it."""

import csv
import io

import pytest

from input_pipeline import escape

NFC, NFD = 'caf\xe9', 'cafe\u0301'


@pytest.mark.parametrize(
  ('text', 'shown'),
  [
    ('FF++ é 写真 🙂', 'FF++ é 写真 🙂'),
    ('\x1b[31mred\x07', r'\x1b[31mred\x07'),
    ('a\r\nb\tc', r'a\r\nb\tc'),
    ('\u202egnp.exe\u2066', r'\u202egnp.exe\u2066'),
    ('a\u200bb\xa0c\ufeff', r'a\u200bb\xa0c\ufeff'),
    ('\x9b2J\u2028\udc80', r'\x9b2J\u2028\udc80'),
    ('\U000e0041', r'\U000e0041'),
  ],
)
def test_a_terminal_gets_no_control_characters(text, shown):
  assert escape.terminal(text) == shown
  assert shown.isprintable()


def test_a_message_is_one_line_and_keeps_blanks():
  text = "no class 'a  b '\n  in\r\n\nx\x1b[2J\u202e; remove it"
  assert escape.message(text) == (
    r"no class 'a  b ' in x\x1b[2J\u202e; remove it"
  )


def test_values_are_quoted_and_shortened():
  assert escape.quoted('F2F ') == "'F2F '"
  assert escape.quoted(NFC) == "'café'"
  assert escape.quoted(NFD) == r"'cafe\u0301'"
  assert escape.quoted('a\n') == r"'a\n'"
  assert escape.quoted('a' * 10**6 + 'b', 8) == "'aaaa...aaab'"


@pytest.mark.parametrize(
  ('names', 'shown'),
  [
    (['a', 'b c', 'é'], ['a', 'b c', 'é']),
    ([NFC, NFD, 'x'], ["'café'", r"'cafe\u0301'", 'x']),
    (['F2F', 'F2F '], ["'F2F'", "'F2F '"]),
    (['a b', 'a  b', 'a\xa0b'], ["'a b'", "'a  b'", r"'a\xa0b'"]),
    (['a', 'a\u200b'], ["'a'", r"'a\u200b'"]),
    (['fi', '\ufb01'], ["'fi'", r"'\ufb01'"]),
    (['x ', 'y'], ["'x '", 'y']),
    (['a', 'a'], ['a', 'a']),
  ],
)
def test_names_that_look_alike_are_shown_differently(names, shown):
  assert escape.distinct(names) == shown


@pytest.mark.parametrize(
  ('text', 'shown'),
  [
    ('Celeb-DF_v2 (FF++)', 'Celeb-DF_v2 (FF++)'),
    ('a | b', 'a &#124; b'),
    ('<script>x</script>', '&lt;script&gt;x&lt;/script&gt;'),
    ('&lt;', '&amp;lt;'),
    ('[a](http://b) ![c](d)', r'\[a\](http://b) \!\[c\](d)'),
    ('**a** _b_ `c` ~~d~~ $e$', r'\*\*a\*\* \_b\_ \`c\` \~\~d\~\~ \$e\$'),
    ('a\n# b', r'a\\n\# b'),
    ('\\', r'\\'),
  ],
)
def test_a_page_shows_text_as_it_is(text, shown):
  assert escape.markdown_text(text) == shown
  assert escape.markdown_text(escape.markdown_text(text)) == shown


def test_prose_has_no_blocks():
  text = '\n# a\n- b\n1. c\n    d\n===\n\n> e\x1b\n'
  assert escape.prose(text).splitlines() == [
    *(r'\# a', r'\- b', r'1\. c', 'd', r'\===', '', r'&gt; e\\x1b')
  ]


def test_code():
  assert escape.code('--a=b_c') == '`--a=b_c`'
  assert escape.code('a`b\n') == '`` a`b\\n ``'
  assert escape.code_block('@misc{\n\ta}\n') == '```\n@misc{\n        a}\n```'
  assert escape.code_block('```\n# b\x1b') == '````\n```\n# b\\x1b\n````'


def test_links():
  url = 'https://a.org/b_c?d=e&f#g'
  assert escape.link(url) == f'<{url}>'
  assert escape.link('javascript:a|b') == 'javascript:a&#124;b'
  assert escape.link('https://a>b') == 'https://a&gt;b'


@pytest.mark.parametrize(
  'text',
  [
    '=1+1',
    '+1',
    '-x',
    '@a',
    '\t=a',
    "'=a",
    "''-",
    '\uff1da',
    'a',
    "'a",
    "'",
    '',
  ],
)
def test_a_spreadsheet_gets_no_formula_and_reads_back(text):
  cell = escape.spreadsheet(text)
  assert cell == text or cell == f"'{text}"
  assert not cell.startswith(('=', '+', '-', '@', '\t', '\uff1d'))
  file = io.StringIO()
  csv.writer(file).writerow([cell])
  (read,) = next(csv.reader(io.StringIO(file.getvalue(), newline='')))
  assert escape.from_spreadsheet(read) == text


def test_a_picture_has_no_formulas():
  assert escape.picture('$a_b$ \x1b') == r'\$a_b\$ \x1b'
