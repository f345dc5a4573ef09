"""`owdfa discover` prints nothing that its phases say of other commands."""

import pytest

from input_pipeline.errors import UsageError, UserError
from owdfa_jax.commands.discover_voice import is_of_discover, one_voice


@pytest.mark.parametrize(
  'line, expected',
  [
    ('written: x; train with --config.data.path=x', False),
    ('packing holds out; --test_root of `prepare folder` gives', False),
    ('give --root x', False),
    ('evaluate the run again (`owdfa eval`)', False),
    ('shrunk: 9 %; cut tiles (--tiles 6) or give a larger --size', True),
    ('only 20 steps; --config.passes_per_epoch=400 gives more', True),
    ('train with --config.data.path=x', False),
    ('warning: not drawn; `owdfa report RUN` tries again', True),
    ('class  known -- images', True),
    ('skipped: unreadable image: /owdfa data/x.png: damaged', True),
    ('writes to /home/me/my owdfa runs/main.py', True),
    ('  /heap/--old/1.png = /heap/2.png', True),
    ('make it with `owdfa pack` (python -m input_pipeline.pack)', False),
    ('', True),
  ],
)
def test_lines_of_other_commands(line, expected):
  assert is_of_discover(line) == expected


def test_lines_are_passed_on_as_they_end(capsys):
  with one_voice():
    print('a', end='')
    print('b\nwritten: x\nc')
    assert capsys.readouterr().out == 'ab\nc\n'
    print('d', end='')
  assert capsys.readouterr().out == 'd\n'


@pytest.mark.parametrize('kind', [UserError, UsageError])
def test_errors_name_the_option_of_discover(kind):
  with pytest.raises(kind, match=r'^wait, or choose another --out$') as raised:
    with one_voice():
      raise kind('wait, or choose another --workdir')
  assert type(raised.value) is kind
