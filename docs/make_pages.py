"""Writes the parts of the docs that are made from docstrings.

  python docs/make_pages.py

docs/api.md gets every public class and function with its signature and the
first paragraph of its docstring; docs/architecture.md gets its tables of
modules. Nothing is imported for them: the sources are parsed. docs/settings.md
is made by settings_page.py.
"""

import ast
import pathlib
import runpy
import sys
from collections.abc import Iterator

DOCS = pathlib.Path(__file__).resolve().parent
ROOT = DOCS.parent
PACKAGES = ('owdfa_jax', 'input_pipeline', 'configs')
# The tables of modules stand between these lines of architecture.md.
BEGIN, END = '<!-- modules -->', '<!-- /modules -->'
HEADER = """\
# API

Every public class and function, with the first paragraph of its docstring.
Arguments, shapes and errors are in the source behind each link. What each
module is for is in [architecture.md](architecture.md).

This page is made from the docstrings: `python docs/make_pages.py`.
"""

Documented = ast.Module | ast.ClassDef | ast.FunctionDef


def pages() -> dict[pathlib.Path, str]:
  """Returns the pages that this script writes, by path."""
  architecture = DOCS / 'architecture.md'
  before, _, rest = architecture.read_text().partition(BEGIN)
  _, _, after = rest.partition(END)
  tables = '\n'.join(
    line for folder in all_folders() for line in module_table(folder)
  )
  return {
    DOCS / 'api.md': api_page(),
    DOCS / 'settings.md': settings_page(),
    architecture: f'{before}{BEGIN}\n{tables}\n{END}{after}',
  }


def settings_page() -> str:
  """Returns the text of docs/settings.md."""
  sys.path.insert(0, str(ROOT))
  try:
    return runpy.run_path(str(DOCS / 'settings_page.py'))['settings_page']()
  finally:
    sys.path.remove(str(ROOT))


def api_page() -> str:
  """Returns the text of docs/api.md."""
  lines = [HEADER]
  for folder in all_folders():
    lines += [f'## {dotted(folder)}', '', package_summary(folder), '']
    for path in modules(folder):
      lines += api_entry(path)
  return '\n'.join(lines)


def module_table(folder: pathlib.Path) -> list[str]:
  """Returns the lines of a package's table of modules, with its summary."""
  lines = [f'### {folder.relative_to(ROOT)}', '', package_summary(folder), '']
  paths = list(modules(folder))
  if folder == ROOT / 'owdfa_jax':
    paths.append(ROOT / 'main.py')
  lines += ['| module | what it does |', '| --- | --- |']
  for path in paths:
    text = summary(ast.parse(path.read_text())).replace('|', '&#124;')
    lines.append(f'| [{path.name}](../{path.relative_to(ROOT)}) | {text} |')
  return [*lines, '']


def all_folders() -> Iterator[pathlib.Path]:
  """Yields the packages and their sub-packages.

  Links, such as the one to the configs, are not followed.
  """
  waiting = [ROOT / package for package in PACKAGES]
  while waiting:
    folder = waiting.pop(0)
    yield folder
    below = [
      path.parent
      for path in sorted(folder.glob('*/__init__.py'))
      if not path.parent.is_symlink()
    ]
    waiting = below + waiting


def modules(folder: pathlib.Path) -> Iterator[pathlib.Path]:
  """Yields the modules of a package, itself left out."""
  for path in sorted(folder.glob('*.py')):
    if path.name != '__init__.py':
      yield path


def package_summary(folder: pathlib.Path) -> str:
  """Returns the first paragraph of a package's docstring."""
  return summary(ast.parse((folder / '__init__.py').read_text()))


def dotted(path: pathlib.Path) -> str:
  """Returns the name by which Python imports a file or folder."""
  return '.'.join(path.relative_to(ROOT).with_suffix('').parts)


def api_entry(path: pathlib.Path) -> list[str]:
  """Returns the lines on a module: its summary, then what is public in it."""
  tree = ast.parse(path.read_text())
  link = f'../{path.relative_to(ROOT)}'
  lines = [f'### [{dotted(path)}]({link})', '', summary(tree), '']
  items = [line for node in tree.body for line in list_items(node)]
  return [*lines, *items, ''] if items else lines


def list_items(node: ast.stmt, owner: str = '') -> list[str]:
  """Returns the list items on a class or function; none for a private one."""
  if not isinstance(node, ast.ClassDef | ast.FunctionDef):
    return []
  if node.name.startswith('_'):
    return []
  indent = '  ' if owner else ''
  text = summary(node)
  after = f': {text}' if text else ''
  if isinstance(node, ast.FunctionDef):
    return [f'{indent}- `{owner}{signature(node)}`{after}']
  methods = [
    line for each in node.body for line in list_items(each, f'{node.name}.')
  ]
  return [f'{indent}- class `{node.name}`{after}', *methods]


def signature(node: ast.FunctionDef) -> str:
  """Returns `name(arguments) -> type`, without parentheses for a property."""
  returns = f' -> {ast.unparse(node.returns)}' if node.returns else ''
  if 'property' in map(ast.unparse, node.decorator_list):
    return node.name + returns
  arguments = ast.unparse(node.args)
  for receiver in ('self', 'cls'):
    if arguments == receiver or arguments.startswith(f'{receiver}, '):
      arguments = arguments.removeprefix(receiver).removeprefix(', ')
  return f'{node.name}({arguments}){returns}'


def summary(node: Documented) -> str:
  """Returns the first paragraph of a docstring as one line; '' for none."""
  text = ast.get_docstring(node) or ''
  return ' '.join(text.split('\n\n')[0].split())


if __name__ == '__main__':
  for target, text in pages().items():
    target.write_text(text)
    print(f'written: {target.relative_to(ROOT)}')
