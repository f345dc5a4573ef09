"""The rules for names of images and classes in tables and indices."""

import re
import unicodedata

# Control characters (category Cc), the halves of surrogate pairs that stand
# for bytes that are not UTF-8 (Cs), and the separators of lines and paragraphs
# (Zl, Zp). They break lines, or cannot be written as UTF-8.
_REFUSED = re.compile('[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]')
# What tables say in the place of a source.
_IN_PLACE_OF_SOURCES = (
  'none of these',
  'inconclusive',
  'no true class',
  'unreadable',
)
# A cluster without a name, or a part of one.
_CLUSTER = re.compile(r'novel-[0-9]+(\.[0-9]+)?')


def is_one_line(text: str) -> bool:
  """Returns whether `text` is UTF-8 without control characters on one line.

  Any other character may be in a name, also a space that is not ASCII: the
  names of screenshots have those.
  """
  # The first test alone refuses too much, but is far faster on the ids of a
  # million images.
  return text.isprintable() or _REFUSED.search(text) is None


def look_of(name: str) -> str:
  """Returns the same text for names that people would not tell apart."""
  return ' '.join(unicodedata.normalize('NFKC', name).casefold().split())


def why_taken(name: str) -> str:
  """Returns why a source cannot have a name, or '' if it can.

  Tables and answers use some names for other images: `novel-3`, `none of
  these`, ... A source of that name could not be told from these.
  """
  look = look_of(name)
  if look in _IN_PLACE_OF_SOURCES:
    return 'tables say so of images without a source'
  if _CLUSTER.fullmatch(look):
    return 'the name of a cluster without a name'
  return ''
