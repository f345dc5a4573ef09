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
  against = reference or cost
  cells = [
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
    name,
    *(
      f'{value:.3f} ({value / base:.3f})' if reference else f'{value:.3f}'
      for value, base in cells
    ),
    *(f'{size / 1e9:.3f}' for size in received),
  ]
