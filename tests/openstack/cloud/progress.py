"""What the run says of itself: each step with the time that it took."""

from __future__ import annotations

import time


class Progress:
    def __init__(self) -> None:
        self._begun = self._since = time.monotonic()

    def elapsed(self) -> float:
        return time.monotonic() - self._begun

    def step(self, what: str) -> None:
        """That has just been done."""
        now = time.monotonic()
        print(f"[{now - self._begun:6.1f} s] {now - self._since:6.1f} s  {what}", flush=True)
        self._since = now

    def note(self, what: str) -> None:
        print(f"{'':21}{what}", flush=True)
