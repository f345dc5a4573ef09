"""Prints tables: Markdown for pages, aligned columns for terminals."""

from collections.abc import Sequence

from input_pipeline import escape

# The rule under a Markdown header, by a column's alignment.
_RULES = {'l': '---', 'r': '---:'}


def percent(value: float | None) -> str:
  """Formats a fraction in percent with two decimals; None as 'n/a'."""
  # Without the sign of a value that is rounded to 0.
  return 'n/a' if value is None else f'{100 * value:z.2f}'


def counted(number: int, noun: str) -> str:
  """Returns a number of things, such as '1 process' or '2 processes'.

  Args:
    number: how many.
    noun: of what, for one of them.
  """
  plural = f'{noun}es' if noun.endswith('s') else f'{noun}s'
  return f'{number} {noun if number == 1 else plural}'


def markdown(
  header: Sequence[str], rows: Sequence[Sequence[str]], align: str = ''
) -> str:
  """Returns a Markdown table.

  Args:
    header: the column titles.
    rows: the cells, as many in each row as there are titles. A cell shows its
      text as it is; one that is `escape.Markdown` may have markup.
    align: 'l' or 'r' for each column; '' aligns all columns to the left.

  Returns:
    The lines of the table, without a newline at the end.
  """
  rules = [_RULES[side] for side in align or 'l' * len(header)]
  titles, *cells = (
    [escape.markdown_text(cell) for cell in line] for line in (header, *rows)
  )
  lines = [titles, rules, *cells]
  return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def aligned(
  header: Sequence[str], rows: Sequence[Sequence[str]], align: str = ''
) -> str:
  """Returns a table for a terminal: columns padded, two spaces between them.

  The arguments are those of `markdown`. Characters that control a terminal are
  shown as escapes.
  """
  lines = [[escape.terminal(cell) for cell in line] for line in (header, *rows)]
  widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
  sides = align or 'l' * len(header)
  return '\n'.join(
    '  '.join(
      cell.rjust(width) if side == 'r' else cell.ljust(width)
      for cell, width, side in zip(line, widths, sides, strict=True)
    ).rstrip()
    for line in lines
  )
