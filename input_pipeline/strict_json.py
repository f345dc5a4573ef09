"""Parses JSON strictly: no NaN, no infinity, no key twice."""

import json
import math
from typing import Any


def loads(content: str | bytes) -> Any:
  """Parses JSON, in which every number is finite and every key unique.

  Raises:
    ValueError: it is not such JSON, or nested too deeply.
  """
  try:
    return json.loads(
      content,
      parse_constant=_finite,
      parse_float=_finite,
      object_pairs_hook=_unique,
    )
  except RecursionError as error:
    raise ValueError('nested too deeply') from error


def _finite(text: str) -> float:
  number = float(text)
  if not math.isfinite(number):
    raise ValueError(f'{text[:20]} is not a finite number')
  return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
  fields = dict(pairs)
  if len(fields) < len(pairs):
    raise ValueError('a key occurs twice')
  return fields
