"""A relay between the driver and a server of MongoDB's protocol that loses or changes answers, as networks may do."""

import re
import socket
import struct
from contextlib import suppress
from threading import Lock, Thread
from time import monotonic, sleep


class Relay:
    """Listens on a port of its own; `uri` leads through it."""

    outlives_the_tests = True

    def __init__(self, uri: str, **renamed: str) -> None:
        """Begin. renamed: words of questions and answers that become others of the same length."""
        self._target = re.search(r"//([^/:]+):(\d+)", uri)
        self._renamed = [(old.encode() + b"\0", new.encode() + b"\0") for old, new in renamed.items()]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.uri = uri.replace(self._target[0], f"//127.0.0.1:{self._listener.getsockname()[1]}")
        self.lost = 0
        self._losing, self._left, self._closing, self._lock = b"", 0, False, Lock()
        self._slow = (b"", 0.0)
        self._hangs, self._hung_until = (b"", 0.0), 0.0
        self._begins = b""
        self._swallowed = (b"", 0.0)
        self._sockets: list[socket.socket] = []
        Thread(target=self._accept, daemon=True).start()

    def lose_answers_to(self, command: bytes, times: int, *, then_close: bool = False, after: bytes = b"") -> None:
        """Pass a command on, and cut the connection instead of passing its answer back.

        after: begin when a question that holds this word has come.
        """
        self._losing, self._left, self._closing, self._begins = command, times, then_close, after

    def delay_answer_to(self, command: bytes, seconds: float) -> None:
        """Pass the next answer to a command back late."""
        self._slow = (command + b"\0", seconds)

    def swallow(self, command: bytes, seconds: float) -> None:
        """Take the next command of a kind without passing it on; cut its connection after some time."""
        self._swallowed = (command + b"\0", seconds)

    def hang_at(self, command: bytes, seconds: float, *, after: bytes = b"") -> None:
        """Pass no answer back for some time, to any question, from the next command of a kind on.

        after: begin when a question that holds this word has come.
        """
        self._hangs, self._begins = (command + b"\0", seconds), after

    def close(self) -> None:
        """Stop listening and cut all connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection((self._target[1], int(self._target[2]))) as server:
            self._sockets += [client, server]
            while (question := _message(client)) and (answer := self._passed(question, server)):
                client.sendall(answer)

    def _passed(self, question: bytes, server: socket.socket) -> bytes:
        with self._lock:
            if self._begins and self._begins + b"\0" in question:
                self._begins = b""
            if self._hangs[0] and not self._begins and self._hangs[0] in question:
                self._hung_until, self._hangs = monotonic() + self._hangs[1], (b"", 0.0)
        if self._swallowed[0] and self._swallowed[0] in question:
            seconds, self._swallowed = self._swallowed[1], (b"", 0.0)
            sleep(seconds)
            return b""
        server.sendall(self._as_others(question))
        answer = self._as_others(_message(server))
        if self._slow[0] and self._slow[0] in question:
            seconds, self._slow = self._slow[1], (b"", 0.0)
            sleep(seconds)
        sleep(max(0.0, self._hung_until - monotonic()))
        with self._lock:
            if self._left and not self._begins and self._losing + b"\0" in question:
                self._left -= 1
                self.lost += 1
                if self._closing:
                    self.close()
                return b""
        return answer

    def _as_others(self, message: bytes) -> bytes:
        for old, new in self._renamed:
            message = message.replace(old, new)
        return message


def _message(source: socket.socket) -> bytes:
    """Return one whole message of the protocol; b"" when the connection has ended."""
    head = _exactly(source, 4)
    return head + _exactly(source, struct.unpack("<i", head)[0] - 4) if head else b""


def _exactly(source: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        part = source.recv(size - len(parts))
        if not part:
            return b""
        parts += part
    return parts
