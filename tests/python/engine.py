"""Runs the smallest case through the engine under the official Python package of wasmtime.

Another embedding, of another version, written by others: when it gives the same bytes, the component
keeps to the standard and not only to what our own host happens to do.
"""

import json
import sys
from pathlib import Path

from wasmtime import Engine, Store
from wasmtime.component import Component, Linker

FORMATS = {"input.ndjson": "ndjson", "input.csv": "csv", "input.log": "text", "input.prom": "prometheus"}
# The package converts a list byte by byte: 64 KiB take a tenth of a second.
CHUNK = 4096


class Guest:
    """One instance of the engine; its exports are its methods."""

    def __init__(self, component: Path) -> None:
        engine = Engine()
        self.store = Store(engine)
        self.instance = Linker(engine).instantiate(self.store, Component.from_file(engine, str(component)))

    def call(self, name: str, *arguments: object) -> object:
        function = self.instance.get_func(self.store, name)
        if function is None:
            raise SystemExit(f"the engine does not export `{name}`")
        result = function(self.store, *arguments)
        function.post_return(self.store)
        return result

    def accept(self, name: str, argument: str) -> None:
        """Calls what returns nothing, or a message when it refuses."""
        refusal = self.call(name, argument)
        if refusal is not None:
            raise SystemExit(f"`{name}` refused: {refusal}")

    def lines(self, name: str, *arguments: object) -> bytes:
        return bytes(self.call(name, *arguments))


def smallest(cases: Path) -> tuple[Path, str]:
    # A case that expects nothing would be passed by an engine that says nothing.
    inputs = [
        path
        for path in cases.glob("*/input.*")
        if path.name in FORMATS and (path.parent / "expected.ndjson").stat().st_size > 0
    ]
    if not inputs:
        raise SystemExit(f"{cases} has no cases, so nothing was tested")
    path = min(inputs, key=lambda path: (path.stat().st_size, path))
    return path, FORMATS[path.name]


def text(path: Path, default: str) -> str:
    return path.read_text() if path.exists() else default


def main(component: Path, cases: Path) -> None:
    path, input_format = smallest(cases)
    folder = path.parent
    guest = Guest(component)
    guest.accept("configure", text(folder / "config.json", ""))
    guest.accept("begin", json.dumps({"format": input_format} | json.loads(text(folder / "input.json", "{}"))))
    data = path.read_bytes()
    found = b"".join(guest.lines("push", data[at : at + CHUNK]) for at in range(0, len(data), CHUNK))
    found += guest.lines("finish") + guest.lines("close")
    expected = (folder / "expected.ndjson").read_bytes()
    if found != expected:
        pairs = zip(expected.split(b"\n"), found.split(b"\n"), strict=False)
        line = next((n for n, (a, b) in enumerate(pairs, 1) if a != b), "at the end")
        raise SystemExit(f"{folder.name}: line {line} is not what is expected")
    print(f"the case {folder.name} gives the same {len(found)} bytes under the Python package")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
