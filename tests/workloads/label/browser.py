"""A headless Chromium, driven through its debugging pipe (no port, no library) → what a page shows.

The protocol: JSON messages, each ended by a zero byte; https://chromedevtools.github.io/devtools-protocol.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pathlib import Path

DEADLINE_S = 90.0


class Browser:
    """One tab. A page that does not become what is waited for raises TimeoutError."""

    def __init__(self, profile: Path, width: int = 1280, height: int = 800) -> None:
        program = shutil.which("chromium")
        assert program, "apt-get install chromium"
        options = [
            "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", "--disable-sync", "--disable-component-update",
            f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank",
        ]  # fmt: skip
        # The browser reads what it shall do from descriptor 3 and says what it did to 4.
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", 'exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null', program, *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
        )  # fmt: skip
        assert self._process.stdin
        assert self._process.stdout
        self._out, self._in = self._process.stdin, self._process.stdout
        self._number, self._session, self._buffer = 0, "", b""
        self.said: list[dict[str, Any]] = []  # dialogs, exceptions, requests: every event
        target = self.call("Target.getTargets")["targetInfos"][0]["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(TimeoutError, OSError):
            self.call("Browser.close")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._out.close()
        self._in.close()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask the browser for something, and wait for its answer."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session and not method.startswith(("Target.", "Browser.")):
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        until = time.monotonic() + DEADLINE_S
        while True:
            answer = self._next(until)
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                told: dict[str, Any] = answer["result"]
                return told
            self.said.append(answer)

    def open(self, url: str) -> None:
        """Go there."""
        self.call("Page.navigate", url=url)

    def value(self, script: str) -> Any:
        """What a JavaScript expression is; promises are awaited."""
        told = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """The first value of the expression that counts as true; while it fails it does not."""
        until = time.monotonic() + DEADLINE_S
        tried = (
            f"(() => {{ try {{ const it = {script}; return [Boolean(it), it] }} catch (e) {{ return [false] }} }})()"
        )
        while time.monotonic() < until:
            told = self.value(tried)
            if told[0]:
                return told[1]
            time.sleep(0.1)
        raise TimeoutError(script)

    def picture(self, file: Path) -> None:
        """The tab as PNG."""
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def events(self, method: str) -> list[dict[str, Any]]:
        """What the browser told of its own accord, of one kind."""
        return [each["params"] for each in self.said if each.get("method") == method]

    def _next(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise TimeoutError("the browser does not answer")
            read = os.read(self._in.fileno(), 1 << 20)
            assert read, "the browser ended"
            self._buffer += read
        message, _, self._buffer = self._buffer.partition(b"\0")
        told: dict[str, Any] = json.loads(message)
        return told
