"""Runs the work of one process of a pod in a child of its supervisor."""

import contextlib
import json
import os
import re
import signal
import socket
import sys
import threading
import traceback
import types
from typing import Any

from input_pipeline import escape
from input_pipeline.errors import (
  MISUSED,
  UsageError,
  UserError,
  one_line_errors,
)
from owdfa_jax.pods.failures import Kind
from owdfa_jax.pods.supervisor import Supervisor

# How JAX's errors begin that follow from the loss of another process: with a
# status, and for some of them with words further on. Gloo's are ValueErrors as
# often as JaxRuntimeErrors. The words alone may be parts of a file's name.
_LOST_CONNECTION = re.compile(
  r'(UNAVAILABLE|DEADLINE_EXCEEDED|ABORTED|CANCELLED): '
  r'|(UNKNOWN|INTERNAL|FAILED_PRECONDITION): .*('
  r'UNAVAILABLE|DEADLINE_EXCEEDED|ABORTED'
  r'|(?i:gloo|nccl|socket closed|connection (reset|closed|refused)|broken pipe'
  r'|coordination|heartbeat|barrier))',
  re.DOTALL,
)


class PodProcess:
  """Runs a block in a child process, which ends if the pod has to end.

  As a context manager, it splits the process in two: the child runs the block,
  and the process itself becomes the child's supervisor (see `Supervisor`),
  which raises `SystemExit` at the end. A separate supervisor detects every end
  of the work, and can end work that hangs in a collective or in C++.

  Must be entered before jax is imported: jax starts threads, which a fork would
  lose.

  Attributes:
    timeout: as given.
  """

  def __init__(self, timeout: int):
    """Changes nothing until the context is entered.

    Args:
      timeout: seconds without a sign of life after which a process of the pod
        counts as lost.
    """
    self.timeout = timeout

  def __enter__(self) -> 'PodProcess':
    self._listener = _listen()
    ours, theirs = socket.socketpair()
    native_read, native_write = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
      theirs.close()
      os.close(native_write)
      supervisor = Supervisor(
        child, ours, native_read, self._listener, self.timeout
      )
      sys.exit(supervisor.run())
    ours.close()
    os.close(native_read)
    self._messages = theirs
    # A new group, which the supervisor can kill as a whole. Ctrl-C reaches only
    # the supervisor.
    os.setsid()
    _divert_native_messages(native_write)
    self._released = threading.Event()
    threading.Thread(target=self._wait_for_release, daemon=True).start()
    return self

  def joined(
    self, process: int, count: int, host: str, port: int, token: str
  ) -> None:
    """Gives the supervisor the address of process 0.

    Args:
      process: the number of this process.
      count: the number of processes.
      host: the host of process 0.
      port: the port of process 0's supervisor.
      token: a secret of the processes of this pod.
    """
    self._tell({'joined': [process, count, host, port, token]})
    # The supervisor has its own copy, and alone decides how long the port is
    # open.
    self._listener.close()

  @property
  def port(self) -> int:
    """The port of this process's supervisor; not after `joined`."""
    return self._listener.getsockname()[1]

  def __exit__(
    self,
    kind: type[BaseException] | None,
    error: BaseException | None,
    trace: types.TracebackType | None,
  ) -> None:
    status = 0
    if isinstance(error, SystemExit):
      status = error.code if isinstance(error.code, int) else bool(error.code)
    elif error is not None:
      self._fail(error)
    try:
      sys.stdout.flush()
    except OSError as full:
      self._fail(full)
    self._tell({'ends': status})

  def _fail(self, error: BaseException) -> None:
    """Reports an error, prints it, and ends the process."""
    text = escape.message(f'{type(error).__name__}: {error}')
    status = 1
    if isinstance(error, UserError):
      text = escape.message(str(error))
      kind = Kind.ERROR
      if isinstance(error, UsageError):
        kind, status = Kind.USAGE, MISUSED
      self._tell({'failed': [kind, text]})
      print(f'error: {text}', file=sys.stderr)
    elif is_lost_connection(error):
      self._tell({'failed': [Kind.CONSEQUENCE, text]})
      # The supervisor ends this process if it receives a better reason.
      self._released.wait()
      traceback.print_exception(error)
    elif isinstance(error, OSError) and (end := _stdout_status(error)):
      status = end
      self._tell({'failed': [Kind.ERROR, f'cannot write to stdout: {text}']})
    else:
      self._tell({'failed': [Kind.EXCEPTION, text]})
      traceback.print_exception(error)
    # JAX would wait at its exit for the other processes.
    with contextlib.suppress(OSError):
      sys.stdout.flush()
      sys.stderr.flush()
    os._exit(status)

  def _tell(self, message: dict[str, Any]) -> None:
    self._messages.sendall(json.dumps(message).encode() + b'\n')

  def _wait_for_release(self) -> None:
    """Waits for the supervisor's release; ends the work if it is gone."""
    # The connection is reset if the supervisor has not read everything.
    with contextlib.suppress(ConnectionResetError):
      while self._messages.recv(1):
        self._released.set()
    # What the work has started ends first; see the supervisor.
    os.killpg(0, signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGKILL)


def _listen() -> socket.socket:
  """Returns a socket that listens on a free port of all addresses."""
  if socket.has_dualstack_ipv6():
    with contextlib.suppress(OSError):
      return socket.create_server(
        ('', 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128
      )
  return socket.create_server(('', 0), backlog=128)


def _stdout_status(error: OSError) -> int:
  """Prints the line of an error of stdout, if it is one.

  Returns:
    The exit status, or 0 if it is another error.
  """
  trace = error.__traceback__
  try:
    with one_line_errors():
      raise error
  except SystemExit as end:
    return int(end.code or 0)
  except OSError:
    error.__traceback__ = trace
    return 0


def _divert_native_messages(write: int) -> None:
  """Sends what C++ code writes to stderr to the supervisor, to be relayed."""
  # Python's own messages, and the progress bar, still go to stderr.
  stderr = os.fdopen(os.dup(2), 'w', buffering=1, errors='backslashreplace')
  sys.stderr = stderr
  os.dup2(write, 2)
  os.close(write)


def is_lost_connection(error: BaseException | None) -> bool:
  """Returns whether an error follows from the loss of another process.

  Args:
    error: what the work raised; its causes count too.
  """
  while error is not None:
    if isinstance(error, ValueError | RuntimeError):
      if _LOST_CONNECTION.match(str(error)):
        return True
    error = error.__cause__ or error.__context__
  return False
