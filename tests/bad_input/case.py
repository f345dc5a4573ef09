"""One bad input: how it is made, the command it is given to, what to expect."""

import pathlib
import shlex
from collections.abc import Callable
from typing import NamedTuple

# Makes the input in a folder.
Make = Callable[[pathlib.Path], None]


class Case(NamedTuple):
  """One bad input.

  Attributes:
    name: unique in the table.
    command: what follows `owdfa` on the command line, as a shell takes it.
    words: what the line must contain.
    make: makes the input, in the folder where the command then runs.
    is_error: whether the command must fail. If not, it must print the words
      and end with status 0.
    leaves: patterns of the files that the command may add or change.
    memory: the megabytes that the command may take beyond an idle process. To
      make a network takes about 200; what a bad input must not do takes far
      more than the default.
    trained: whether the input has a trained run, which takes seconds to make.
  """

  name: str
  command: str
  words: tuple[str, ...]
  make: Make = lambda folder: None
  is_error: bool = True
  leaves: tuple[str, ...] = ()
  memory: int = 400
  trained: bool = False

  @property
  def arguments(self) -> list[str]:
    """The words of the command line."""
    return shlex.split(self.command)


class Ended(NamedTuple):
  """How a command ended.

  Attributes:
    status: its exit status; negative: the signal that killed it.
    timed_out: whether it was killed because it took too long.
    out: what it printed.
    err: what it wrote to stderr.
    changed: the files that it added, changed or removed.
    memory: the megabytes that it took beyond an idle process.
  """

  status: int
  timed_out: bool
  out: str
  err: str
  changed: list[str]
  memory: int


def together(*makes: Make) -> Make:
  """Returns a function that makes several inputs, one after another."""

  def make(folder: pathlib.Path) -> None:
    for one in makes:
      one(folder)

  return make
