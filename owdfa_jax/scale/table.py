"""The table of what a step costs, against the supervised step."""

from input_pipeline.text_tables import markdown
from owdfa_jax.scale.program import Cost

HEADER = (
  'method',
  'Tflop',
  'GB read and written',
  'GB of memory',
  'GB gathered',
  'GB reduced',
  'GB sent on',
)
ALIGN = 'l' + 'r' * (len(HEADER) - 1)
# The method that the others are compared with.
REFERENCE = 'supervised'


def cost_table(costs: dict[str, Cost | None]) -> str:
  """Returns a Markdown table of costs per device, a row for each method.

  Args:
    costs: by method; None for a step that does not fit into the memory of a
      device. Numbers in brackets are multiples of the supervised step's, if it
      is there.
  """
  rows = [_row(name, costs[name], costs.get(REFERENCE)) for name in costs]
  return markdown(HEADER, rows, ALIGN)


def _row(name: str, cost: Cost | None, reference: Cost | None) -> list[str]:
  if cost is None:
    return [name, 'does not fit', *[''] * (len(HEADER) - 2)]
  sent = cost.sent
  return [
    name,
    _number(cost.flops / 1e12, reference and reference.flops / 1e12),
    _number(cost.moved / 1e9, reference and reference.moved / 1e9),
    _number(cost.peak / 1e9, reference and reference.peak / 1e9),
    _number(sent['all-gather'] / 1e9),
    _number((sent['all-reduce'] + sent['reduce-scatter']) / 1e9),
    _number((sent['collective-permute'] + sent['all-to-all']) / 1e9),
  ]


def _number(value: float, reference: float | None = None) -> str:
  text = f'{value:.3f}'
  return f'{text} ({value / reference:.3f})' if reference else text
