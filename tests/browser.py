"""A real browser, driven over the W3C WebDriver protocol by what comes with Python."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting_for import wait_for

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LONGEST = 300.0
"""Seconds that anything is waited for: far more than a busy machine takes, and less than for ever."""

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the name that the protocol gives a reference to an element


class Browser:
    """One window."""

    def __init__(self, url: str, downloads: Path) -> None:
        self._url = url
        self.downloads = downloads

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if method in ("GET", "DELETE") else json.dumps(body or {}).encode()
        request = urllib.request.Request(
            f"{self._url}{path}", data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=2 * LONGEST) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from error

    def is_ready(self) -> bool:
        try:
            return bool(self.call("GET", "/status")["ready"])
        except urllib.error.URLError:
            return False

    def open(self, page: Path) -> None:
        self.call("POST", "/url", {"url": page.resolve().as_uri()})

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what a script returns, or what the promise comes to that it returns."""
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def find(self, selector: str) -> str:
        return self.call("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def text(self, selector: str) -> str:
        """Return the text of an element as it is seen, "" of one that is hidden."""
        return self.call("GET", f"/element/{self.find(selector)}/text")

    def click(self, selector: str) -> None:
        self.call("POST", f"/element/{self.find(selector)}/click")

    def type(self, selector: str, text: str) -> None:
        self.call("POST", f"/element/{self.find(selector)}/clear")
        self.call("POST", f"/element/{self.find(selector)}/value", {"text": text})

    def press(self, *keys: str) -> None:
        """Press keys together, as a person does."""
        steps = [{"type": "keyDown", "value": k} for k in keys] + [
            {"type": "keyUp", "value": k} for k in reversed(keys)
        ]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": steps}]})

    def touch(self, selector: str) -> None:
        """Touch an element with a finger."""
        finger = [
            {"type": "pointerMove", "origin": {ELEMENT: self.find(selector)}, "x": 0, "y": 0},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        parameters = {"pointerType": "touch"}
        actions = [{"type": "pointer", "id": "finger", "parameters": parameters, "actions": finger}]
        self.call("POST", "/actions", {"actions": actions})

    def devtools(self, command: str, **parameters: Any) -> Any:
        """Give a command of Chrome's own protocol."""
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def complaints(self) -> list[str]:
        """Return what the page wrote into the console since this was last asked, at whatever level."""
        return [entry["message"] for entry in self.call("POST", "/se/log", {"type": "browser"})]

    def until(self, script: str) -> Any:
        """Wait until an expression is true; return its value."""
        return self.run(
            f"const value = () => {script};"
            "return new Promise(done => { const look = () => value() ? done(value()) : setTimeout(look, 5); look(); });"
        )

    def downloaded(self, name: str) -> Path:
        """Wait until a file was saved; return its path."""
        path = self.downloads / name
        wait_for(path.exists)
        return path


@contextlib.contextmanager
def browser(mobile: bool = False) -> Iterator[Browser]:
    """Yield a browser without a window of its own: as wide as a desk's, or a telephone with a touch screen.

    Skips the test where there is none: Chromium or Chrome, or what $GENBENCH_TEST_BROWSER names, with its chromedriver.
    """
    program = os.environ.get("GENBENCH_TEST_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("no Chromium with chromedriver here: a browser's own tests are left out")
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        process = subprocess.Popen([driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield _session(Browser(f"http://127.0.0.1:{port}", Path(folder) / "downloads"), program, folder, mobile)
        finally:
            process.terminate()
            process.wait()


def _session(server: Browser, program: str, folder: str, mobile: bool) -> Browser:
    wait_for(server.is_ready)
    server.downloads.mkdir()
    options: dict[str, Any] = {
        "binary": program,
        "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--user-data-dir={folder}/profile"],
        "prefs": {"download.default_directory": str(server.downloads), "download.prompt_for_download": False},
    }
    if mobile:
        metrics = {"width": 360, "height": 640, "pixelRatio": 2.0, "touch": True, "mobile": True}
        options["mobileEmulation"] = {"deviceMetrics": metrics}
    else:
        options["args"].append("--window-size=1000,800")
    limits = {"script": round(1000 * LONGEST)}
    logs = {"browser": "ALL"}
    wanted = {
        "capabilities": {
            "alwaysMatch": {
                "browserName": "chrome",
                "goog:chromeOptions": options,
                "goog:loggingPrefs": logs,
                "timeouts": limits,
            }
        }
    }
    session = server.call("POST", "/session", wanted)["sessionId"]
    return Browser(f"{server._url}/session/{session}", server.downloads)
