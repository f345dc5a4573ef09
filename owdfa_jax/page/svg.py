"""SVG files of matplotlib, and the same pictures inside a page.

Pictures are drawn with the colours below. Inside a page these become colours of
its style sheet, so that a picture follows its light and its dark form.
"""

import contextlib
import io
import re
from xml.etree import ElementTree

import markupsafe
from matplotlib import rc_context
from matplotlib.figure import Figure

# Blue and vermilion of the palette of Okabe and Ito, which people with colour
# vision deficiency can tell apart.
INK, MUTED, RULE = '#1f2328', '#59636e', '#c9ced4'
KNOWN, NOVEL, PAPER = '#0072b2', '#c04e00', '#fdfdfe'
# Of the groups of a map, of the same palette. They differ a little from those
# above, so that each has a form of its own on a dark page.
GROUPS = ('#0072b3', '#d55e00', '#009e73', '#cc79a7', '#56b4ea', '#e69f00')
_VARIABLES = {
  **{colour: f'var(--group-{n})' for n, colour in enumerate(GROUPS)},
  INK: 'var(--ink)',
  MUTED: 'var(--muted)',
  RULE: 'var(--rule)',
  KNOWN: 'var(--known)',
  NOVEL: 'var(--novel)',
  PAPER: 'var(--paper)',
}
_COLOUR = re.compile('|'.join(_VARIABLES))
_SVG = 'http://www.w3.org/2000/svg'
_LINK = 'http://www.w3.org/1999/xlink'
_SETTINGS = {
  # Text stays text, which is small and can be read aloud and searched.
  'svg.fonttype': 'none',
  'svg.hashsalt': 'owdfa',
  'font.family': 'sans-serif',
  'font.size': 10,
  'text.color': INK,
  'axes.labelcolor': INK,
  'axes.edgecolor': RULE,
  'axes.titlecolor': INK,
  'xtick.color': RULE,
  'ytick.color': RULE,
  'xtick.labelcolor': MUTED,
  'ytick.labelcolor': MUTED,
}


def style() -> contextlib.AbstractContextManager[None]:
  """Returns the context in which pictures are drawn."""
  return rc_context(_SETTINGS)


def svg_file(figure: Figure) -> bytes:
  """Returns a figure as an SVG file with a white ground, the same each time.

  Args:
    figure: drawn inside `style`.
  """
  drawn = io.BytesIO()
  with style():
    figure.savefig(
      drawn, format='svg', facecolor='white', metadata={'Date': None}
    )
  return drawn.getvalue()


def inline_svg(svg: bytes, name: str, description: str) -> markupsafe.Markup:
  """Returns an SVG file as an element of a page.

  The file is parsed and written anew, so that no text in it becomes markup.

  Args:
    svg: what `svg_file` returned.
    name: sets its ids apart from those of other pictures on the page.
    description: read aloud in place of the picture.
  """
  root = ElementTree.fromstring(svg)
  for parent in root.iter():
    for child in [*parent]:
      # Metadata, and the ground of the figure: the page has its own.
      if child.tag == f'{{{_SVG}}}metadata' or child.get('id') == 'patch_1':
        parent.remove(child)
  for element in root.iter():
    for key, value in element.attrib.items():
      if key == 'id':
        value = f'{name}-{value}'
      elif key in ('href', f'{{{_LINK}}}href') and value.startswith('#'):
        value = f'#{name}-{value[1:]}'
      value = value.replace('url(#', f'url(#{name}-')
      element.set(key, _COLOUR.sub(lambda x: _VARIABLES[x[0]], value))
  for key in ('width', 'height', 'version'):
    root.attrib.pop(key, None)
  root.set('role', 'img')
  root.set('aria-label', description)
  ElementTree.register_namespace('', _SVG)
  ElementTree.register_namespace('xlink', _LINK)
  return markupsafe.Markup(ElementTree.tostring(root, encoding='unicode'))
