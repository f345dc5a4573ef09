"""Tests of the connections between the supervisors of a pod."""

import contextlib
import socket
import time
from concurrent import futures
from multiprocessing.connection import wait

import pytest

from owdfa_jax.pods import channel, hub
from owdfa_jax.pods.failures import Failure, Kind, root_cause
from owdfa_jax.pods.hub import Hub
from owdfa_jax.pods.member import Member

GLOO = Failure(1, Kind.CONSEQUENCE, 'Gloo all-reduce failed')


@contextlib.contextmanager
def pod(timeout=30.0, count=2, members=1):
  """Yields the links of process 0 and of the others that have started."""
  listener = socket.create_server(('localhost', 0))
  links = [Hub(listener, 'token', count, timeout)]
  for process in range(1, members + 1):
    address = listener.getsockname()[:2]
    links.append(Member(process, address, 'token', timeout))
  yield links
  # Each waits for the other to close.
  with futures.ThreadPoolExecutor() as pool:
    list(pool.map(lambda link: link.close(), links))


def verdicts(links):
  """Returns what each link decides, once all have decided."""
  until = time.monotonic() + 20
  while not all(found := [link.step() for link in links]):
    assert time.monotonic() < until
    time.sleep(0.01)
  return found


def test_consequence_alone_counts_as_the_cause_in_the_end(monkeypatch):
  monkeypatch.setattr(hub, '_CAUSE_SECONDS', 0.2)
  with pod() as links:
    links[1].report(GLOO)
    began = time.monotonic()
    assert verdicts(links) == [GLOO, GLOO]
    assert time.monotonic() - began >= 0.2


def test_cause_that_is_reported_later_counts():
  cause = Failure(0, Kind.KILLED, 'SIGKILL')
  with pod() as links:
    links[1].report(GLOO)
    for _ in range(20):
      assert [link.step() for link in links] == [None, None]
      time.sleep(0.01)
    links[0].report(cause)
    assert verdicts(links) == [cause, cause]


def test_process_that_does_not_connect_is_lost(monkeypatch):
  monkeypatch.setattr(hub, '_LATE_SECONDS', 0.1)
  with pod(timeout=0.2, count=3, members=0) as links:
    assert verdicts(links) == [Failure(1, Kind.LOST, 'it did not connect')]


def test_end_waits_for_a_missing_process_without_spinning(monkeypatch):
  monkeypatch.setattr(hub, '_LATE_SECONDS', 0.5)
  waits = []
  monkeypatch.setattr(hub, 'wait', lambda *x: waits.append(x) or wait(*x))
  with pod(timeout=0.2, count=3) as links:
    verdicts(links)
  assert 1 <= len(waits) < 10


def test_end_waits_for_all_processes_together(monkeypatch):
  monkeypatch.setattr(channel, '_CLOSE_SECONDS', 1)
  with pod(count=5, members=4) as links:
    links[0].report(Failure(0, Kind.KILLED, 'SIGKILL'))
    verdicts(links)
    began = time.monotonic()
    links[0].close()  # the others stay
    assert 1 <= time.monotonic() - began < 3


def test_process_0_that_is_away_cannot_be_reached():
  with socket.create_server(('localhost', 0)) as listener:
    address = listener.getsockname()[:2]
  with pytest.raises(OSError):
    Member(1, address, 'token', 1)


def test_root_cause_explains_most():
  failures = [
    Failure(i, kind, '') for i, kind in enumerate(reversed(list(Kind)))
  ]
  assert root_cause(failures).kind is Kind.LOST
  # Of two that tell as much, the first one.
  assert root_cause([GLOO, GLOO._replace(process=2)]) == GLOO


@pytest.mark.parametrize('kind', Kind)
def test_status_and_line(kind):
  failure = Failure(1, kind, 'why')
  assert failure.status == {Kind.USAGE: 2, Kind.ERROR: 1}.get(kind, 75)
  line = failure.line(3)
  assert line.startswith('error: ')
  assert 'process 1 of 3' in line and 'why' in line
  assert 'this process' in failure.line(0)
