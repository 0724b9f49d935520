"""Questions that wait for their answers, by correlation id."""

from __future__ import annotations

import threading
import uuid

from kilonova.rpc.bus import NoAnswer
from kilonova.rpc.messages import Message


class Question:
    """One call under way."""

    def __init__(self) -> None:
        self.number = uuid.uuid4().hex
        self._settled = threading.Event()
        self._answer: Message | None = None
        self._why = ""

    def answer(self, message: Message) -> None:
        """The answer is here."""
        self._answer = message
        self._settled.set()

    def give_up(self, why: str) -> None:
        """There will be none."""
        self._why = why
        self._settled.set()

    def wait(self, topic: str, timeout_s: float) -> Message:
        """The answer. Raises NoAnswer."""
        if not self._settled.wait(timeout_s):
            raise NoAnswer(f"{topic} did not answer in time")
        if self._answer is None:
            raise NoAnswer(self._why)
        return self._answer


class Calls:
    """All calls of a process."""

    def __init__(self) -> None:
        self._open: dict[str, Question] = {}
        self._lock = threading.Lock()

    def ask(self) -> Question:
        """A new one."""
        question = Question()
        with self._lock:
            self._open[question.number] = question
        return question

    def find(self, number: str | None) -> Question | None:
        """The one that this is about, if it still waits."""
        return None if number is None else self._open.get(number)

    def forget(self, question: Question) -> None:
        """Nobody waits for it any more."""
        with self._lock:
            self._open.pop(question.number, None)

    def give_up_all(self, why: str) -> None:
        """No answer can come any more: the queue that they would come to is gone."""
        with self._lock:
            questions = list(self._open.values())
        for question in questions:
            question.give_up(why)
