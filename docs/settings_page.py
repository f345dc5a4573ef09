"""Makes docs/settings.md: every setting, its default, its range and meaning.

Ranges are those that are checked, defaults those of the configs, and meanings
the comments and docstrings beside them.
"""

import ast
import dataclasses
import inspect
import re
from typing import Any

from owdfa_jax.configs import default, spectrum, staged
from owdfa_jax.discovery.stage_plan import LABEL_BY
from owdfa_jax.losses.pseudo_label_rules.parameters import RULE_PARAMETERS
from owdfa_jax.methods.parameters import (
  PARAMETERS,
  PSEUDO_FILTER_NAMES,
  VOTE_RULE_NAMES,
)
from owdfa_jax.setting_checks import CHOICES, flatten_settings
from owdfa_jax.setting_ranges import RANGES

# By setting, the names that it takes, besides those of `CHOICES`.
_NAMES = {
  **CHOICES,
  'pseudo.rule': tuple(RULE_PARAMETERS),
  'method.params.vote_rule': VOTE_RULE_NAMES,
  'method.params.pseudo_filter': PSEUDO_FILTER_NAMES,
  'stages.label_by': LABEL_BY,
}
HEADER = """\
# Settings

Every setting, its default and what it takes. A value of another type or out of
its range is refused before anything starts. `--config.NAME=VALUE` sets one. The
defaults are those of [configs/default.py](../configs/default.py); a method and
a benchmark may have others.

This page is made from the code: `python docs/make_pages.py`.
"""
_TABLE = (
  '| setting | default | takes | what it is |',
  '| --- | --- | --- | --- |',
)


def settings_page() -> str:
  """Returns the text of docs/settings.md."""
  lines = [HEADER, '## All runs', '', *_TABLE]
  config = default.get_config('supervised', 'folder')
  values = flatten_settings(config.to_dict())
  for name, meaning in comments(inspect.getsource(default)).items():
    if name in values:
      lines.append(row(name, values[name], meaning))
  for word, section, classes in (
    ('Method', 'method.params', PARAMETERS),
    ('Rule', 'pseudo.params', RULE_PARAMETERS),
  ):
    for title, parameters in classes.items():
      fields = dataclasses.fields(parameters)
      if fields:
        lines += ['', f'## {word} {title}', '', *_TABLE]
      for field in fields:
        meaning = attribute(parameters, field.name)
        lines.append(row(f'{section}.{field.name}', field.default, meaning))
  for title, module, argument, prefix in (
    ('Training in stages', staged, 'cpl,folder', 'stages.'),
    ('The spectrum', spectrum, 'folder', 'spectrum.'),
  ):
    lines += ['', f'## {title}', '', *_TABLE]
    values = flatten_settings(module.get_config(argument).to_dict())
    for name, meaning in comments(inspect.getsource(module)).items():
      if name.startswith(prefix):
        lines.append(row(name, values[name], meaning))
  return '\n'.join(lines) + '\n'


def row(name: str, value: Any, meaning: str) -> str:
  """Returns the line of a setting in its table."""
  if not meaning:
    raise ValueError(f'{name} has no comment above it')
  usual = 'none' if value in ('', None) else f'`{value}`'
  meaning = (meaning[0].upper() + meaning[1:]).replace('|', '&#124;')
  return f'| `{name}` | {usual} | {takes(name, value)} | {meaning} |'


def takes(name: str, value: Any) -> str:
  """Returns what a setting takes."""
  if name in RANGES:
    allowed = RANGES[name]
    text = str(allowed).removeprefix('from ')
    reason = f' ({allowed.reason})' if allowed.reason else ''
    return f'{text}{reason}{", or none" if allowed.optional else ""}'
  if name in _NAMES:
    return ', '.join(f'`{choice}`' for choice in _NAMES[name])
  return 'true or false' if isinstance(value, bool) else 'a text'


def comments(source: str) -> dict[str, str]:
  """Returns the comment above each setting of a config file.

  A setting directly below another one shares its comment.

  Args:
    source: the text of the file.
  """
  lines = source.splitlines()
  tree = ast.parse(source)
  sections = {'config': '', 'stages': 'stages.'}
  for node in ast.walk(tree):
    # `config.eval = _evaluation()`, whose settings are those of `evaluation`.
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
      function = ast.unparse(node.value.func)
      if function.startswith('_'):
        section = ast.unparse(node.targets[0]).removeprefix('config.')
        sections[returned(tree, function)] = f'{section}.'
  found: dict[str, str] = {}
  above = {}
  for node in ast.walk(tree):
    if not isinstance(node, ast.Assign):
      continue
    target, dot, field = ast.unparse(node.targets[0]).partition('.')
    if not dot or target not in sections:
      continue
    text = comment_above(lines, node.lineno)
    above[node.end_lineno] = text or above.get(node.lineno - 1, '')
    found[f'{sections[target]}{field}'] = above[node.end_lineno]
  return found


def returned(tree: ast.Module, function: str) -> str:
  """Returns the name of the variable that a function of a file returns."""
  for node in tree.body:
    if isinstance(node, ast.FunctionDef) and node.name == function:
      last = node.body[-1]
      assert isinstance(last, ast.Return) and isinstance(last.value, ast.Name)
      return last.value.id
  raise ValueError(f'no function {function}')


def comment_above(lines: list[str], number: int) -> str:
  """Returns the comment that ends above a line, counted from 1."""
  first = number - 1
  while first and lines[first - 1].lstrip().startswith('#'):
    first -= 1
  return ' '.join(line.strip(' #') for line in lines[first : number - 1])


def attribute(owner: type, name: str) -> str:
  """Returns what the docstring of a class or of its bases says of a field."""
  for each in owner.__mro__:
    text = inspect.cleandoc(each.__doc__ or '')
    found = re.search(
      rf'^  {name}: (.*?)(?=^  \w+: |\Z)', text, re.MULTILINE | re.DOTALL
    )
    if found:
      return ' '.join(found[1].split())
  raise ValueError(f'{owner.__name__} does not document {name}')
