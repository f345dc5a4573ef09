"""Config files that are missing, damaged, or configure something else."""

from bad_input.case import Case
from bad_input.inputs import directory, fifo, file, link, nothing

_MINE = 'train --config=mine.py --workdir=run'
_START = 'from owdfa_jax.configs import cpl\ndef get_config():\n'


def _mine(name: str, text: str | bytes, *words: str) -> Case:
  return Case(
    f'config file: {name}',
    _MINE,
    words or ('mine.py',),
    file('mine.py', text),
  )


CASES = (
  Case(
    'config: misspelt, and nothing else',
    'train --confg=cpl:folder64',
    ('--confg=cpl:folder64', 'did you mean --config?'),
  ),
  Case('no command line at all', 'train', ('--config=METHOD',)),
  Case('config: empty', 'train --config=', ('--config=METHOD',)),
  Case('config: no value', 'train --config', ('--config=METHOD',)),
  Case('config: unknown', 'train --config=nowhere', ('--config=nowhere',)),
  Case(
    'config: given twice',
    'train --config=cpl:folder64 --config=cpl:folder64 --workdir=run',
    ('more than once',),
  ),
  Case(
    'config: of the leaderboard',
    'train --config=leaderboard',
    ('of another command',),
  ),
  Case(
    'config: shared code, no config',
    'train --config=benchmarks --workdir=run',
    ('--config=benchmarks',),
  ),
  Case('config: unknown benchmark', 'train --config=cpl:owdfa9', ('owdfa9',)),
  Case(
    'config: no benchmark after the colon',
    'train --config=cpl:',
    ('benchmark=',),
  ),
  Case(
    'config: no benchmark and no colon',
    'train --config=cpl --workdir=run',
    ('data/packed/owdfa1',),
  ),
  Case(
    'config: method unknown in stages',
    'train --config=staged:dpl,folder',
    ('dpl',),
  ),
  Case(
    'config: too many commas in stages',
    'train --config=staged:cpl,cpl,folder --workdir=run',
    ('cpl,cpl',),
  ),
  Case(
    'config: a name with control characters',
    "train '--config=\x1b[31mred\nline' --workdir=run",
    ('red',),
  ),
  Case(
    'config: a very long name',
    f'train --config={"x" * 9999}',
    ('--config=xxx',),
  ),
  Case(
    'config: a folder',
    _MINE,
    ('mine.py',),
    directory('mine.py'),
  ),
  Case('config: a FIFO', _MINE, ('mine.py',), fifo('mine.py')),
  Case('config: endless', _MINE, ('mine.py',), link('mine.py', '/dev/zero')),
  _mine('empty', '', 'get_config'),
  _mine('not Python', 'this is no Python', 'line 1'),
  _mine('binary', bytes(range(256))),
  _mine('NUL bytes', b'x = 1\0\n'),
  _mine('deep', 'x = ' + '(' * 5000 + ')' * 5000),
  _mine('deep at run time', 'def f(): f()\nf()\n', 'RecursionError'),
  _mine('raises', 'raise ValueError("broken\\nhere")', 'line 1'),
  _mine('exits', 'import sys\nsys.exit(0)\n'),
  _mine('exits in get_config', 'def get_config():\n  raise SystemExit(3)\n'),
  _mine('asserts', 'def get_config():\n  assert False\n', 'AssertionError'),
  _mine('imports nothing there', 'import no_such_module_at_all\n', 'line 1'),
  _mine('get_config is no function', 'get_config = 3\n', 'get_config'),
  _mine('returns None', 'def get_config():\n  pass\n', 'None'),
  _mine('returns a dict', 'def get_config():\n  return {}\n', 'dict'),
  _mine('wants an argument', 'def get_config(x):\n  return x\n', 'mine.py'),
  _mine(
    'an empty config',
    'import ml_collections\ndef get_config():\n'
    '  return ml_collections.ConfigDict()\n',
    "'method'",
  ),
  _mine(
    'lacks a section',
    _START + '  config = cpl.get_config("folder64")\n'
    '  del config["optimizer"]\n  return config\n',
    'optimizer',
  ),
  _mine(
    'has a section as a text',
    _START + '  config = cpl.get_config("folder64")\n'
    '  config.unlock()\n  del config["data"]\n  config.data = "here"\n'
    '  return config\n',
    'data',
  ),
  _mine(
    'has a number as a text',
    _START + '  config = cpl.get_config("folder64")\n'
    '  del config["epochs"]\n  config.epochs = "ten"\n  return config\n',
    'epochs',
  ),
  _mine(
    'has a text as None',
    _START + '  config = cpl.get_config("folder64")\n'
    '  del config.data["path"]\n  config.data.path = None\n  return config\n',
    'data.path',
  ),
  Case(
    'flags: an unknown one',
    'train --config=cpl:folder64 --wordkir=run',
    ('wordkir',),
  ),
  Case(
    'flags: a stray word',
    'train --config=cpl:folder64 stray',
    ('stray',),
  ),
  Case(
    'flags: a mode of its own',
    'train --mode=eval --config=cpl:folder64',
    ('--mode',),
  ),
  Case(
    'flags: no file of flags',
    'train --config=cpl:folder64 --flagfile=nowhere',
    ('nowhere',),
  ),
  Case(
    'flags: a file of flags that names itself',
    'train --config=cpl:folder64 --flagfile=flags.txt',
    ('flags.txt',),
    file('flags.txt', '--flagfile=flags.txt\n'),
  ),
  Case(
    'flags: a binary file of flags',
    'train --config=cpl:folder64 --flagfile=flags.txt',
    ('flags.txt',),
    file('flags.txt', bytes(range(256))),
  ),
  Case(
    'flags: a folder of flags',
    'train --config=cpl:folder64 --flagfile=flags.txt',
    ('flags.txt',),
    directory('flags.txt'),
  ),
  Case(
    'flags: a FIFO of flags',
    'train --config=cpl:folder64 --flagfile=flags.txt',
    ('flags.txt',),
    fifo('flags.txt'),
  ),
  Case('command: none such', 'trian --config=cpl:folder64', ('trian',)),
  Case('command: a flag', '--config=cpl:folder64', ('--config=cpl:folder64',)),
  Case('command: control characters', "'\x1b[2J\x07'", ('unknown',)),
  Case('command: an empty word', "''", ('unknown command',), nothing),
)
