"""The table of what programs cost, printed row by row."""

from collections.abc import Sequence

from input_pipeline.escape import terminal_lines
from input_pipeline.text_tables import markdown
from owdfa_jax.scale.program import Cost

COSTS = (
  'Tflop',
  'GB read and written',
  'GB of memory',
  'GB gathered',
  'GB reduced',
  'GB sent on',
)


class CostTable:
  """A Markdown table that is printed while its rows are computed."""

  def __init__(
    self, caption: str, names: Sequence[str], extra: Sequence[str] = ()
  ):
    """Prints the head of the table.

    Args:
      caption: what the table shows.
      names: titles of the columns before the costs; the first is text, the
        others are numbers.
      extra: titles of columns of numbers behind them.
    """
    self._header = (*names, *COSTS, *extra)
    numbers = len(self._header) - 1
    head = markdown(self._header, [], 'l' + 'r' * numbers)
    _print(f'\n{caption}; of each chip:\n\n{head}')

  def add(
    self,
    names: Sequence[str],
    cost: Cost | None,
    reference: Cost | None = None,
    extra: Sequence[str] = (),
  ) -> None:
    """Prints a row.

    Args:
      names: the cells before the costs.
      cost: None for a program that does not fit into the memory of a device.
      reference: what the numbers in brackets are multiples of, if there is one.
      extra: the cells behind the costs.
    """
    cells = (*names, *cost_cells(cost, reference), *extra)
    _print(markdown(self._header, [cells]).splitlines()[-1])


def cost_cells(cost: Cost | None, reference: Cost | None) -> list[str]:
  """Returns the cells of the columns `COSTS`; see `CostTable.add`."""
  if cost is None:
    return ['does not fit', *[''] * (len(COSTS) - 1)]
  sent = cost.sent
  against = reference or cost
  pairs = [
    (cost.flops / 1e12, against.flops / 1e12),
    (cost.moved / 1e9, against.moved / 1e9),
    (cost.peak / 1e9, against.peak / 1e9),
  ]
  received = (
    sent['all-gather'],
    sent['all-reduce'] + sent['reduce-scatter'],
    sent['collective-permute'] + sent['all-to-all'],
  )
  return [
    *(
      f'{value:.3f} ({value / base:.3f})'
      if reference and base
      else f'{value:.3f}'
      for value, base in pairs
    ),
    *(f'{size / 1e9:.3f}' for size in received),
  ]


def _print(text: str) -> None:
  # At once: what follows may take an hour.
  print(terminal_lines(text), flush=True)
