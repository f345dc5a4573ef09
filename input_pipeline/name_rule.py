"""The rule for names of images and classes in tables and indices."""

import re

# Control characters (category Cc), the halves of surrogate pairs that stand
# for bytes that are not UTF-8 (Cs), and the separators of lines and paragraphs
# (Zl, Zp). They break lines, or cannot be written as UTF-8.
_REFUSED = re.compile('[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]')


def is_one_line(text: str) -> bool:
  """Returns whether `text` is UTF-8 without control characters on one line.

  Any other character may be in a name, also a space that is not ASCII: the
  names of screenshots have those.
  """
  # The first test alone refuses too much, but is far faster on the ids of a
  # million images.
  return text.isprintable() or _REFUSED.search(text) is None
