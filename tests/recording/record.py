"""Records what the shop does while things happen to it: access log, service logs, metrics, and the truth.

    python3 record.py --envoy PROGRAM --schedule schedule.json --out DIR [--wasm MODULE]

DIR is made. It gets `access.ndjson`, `metrics.ndjson`, `logs/`, `envoy.log` and `truth.json`, and `recording.ndjson`:
all of the first three in the order of time, as a collector hands them on that parses the lines of the services.
"""

import argparse
import json
import math
import os
import re
import signal
import sys
import threading
import time
import urllib.request
from datetime import datetime, timezone
from pathlib import Path

import events
from traffic import Traffic
from world import PROCESSES, World, favour

SAMPLED_SECONDS = 10
SETTLING_SECONDS = 5
PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--envoy", type=Path, required=True)
    arguments.add_argument("--schedule", type=Path, required=True)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--wasm", type=Path)
    given = arguments.parse_args()
    # Whoever is told to stop stops what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    schedule = json.loads(given.schedule.read_text())
    out = given.out.absolute()
    out.mkdir(parents=True, exist_ok=False)
    favour()
    world = World(out, given.envoy.absolute(), given.wasm and given.wasm.absolute())
    start = time.time() + SETTLING_SECONDS + 5
    expiry = [at["at"] for at in schedule["events"] if at["event"] == "certificate_expiry"]
    world.certify(start + expiry[0] if expiry else start + 86_400)
    try:
        world.start()
        traffic = Traffic(world.ports["shop"])
        traffic.start()
        try:
            time.sleep(max(0, start - time.time()))
            truth = play(schedule, start, world, traffic)
        finally:
            traffic.stop()
    finally:
        world.stop()
    merge(out, truth)
    print(f"{traffic.sent} requests sent; recording in {out}")


def play(schedule, start, world, traffic):
    """Lets everything happen at its time, while metrics are sampled. Returns the truth."""
    truth = {
        "start": math.floor(start),
        "end": math.ceil(start + schedule["seconds"]),
        "history_end": math.floor(start + schedule["history_seconds"]),
        # Counted when all of them are there.
        "history_lines": 0,
        "lines": 0,
        "incidents": [],
        "harmless": [],
    }
    threads = [
        threading.Thread(target=_happen, args=(planned, start, world, traffic, truth), daemon=True)
        for planned in schedule["events"]
    ]
    for thread in threads:
        thread.start()
    with open(world.home / "metrics.ndjson", "w") as file:
        sampler = Sampler(world)
        for n in range(1, schedule["seconds"] // SAMPLED_SECONDS + 1):
            time.sleep(max(0, start + n * SAMPLED_SECONDS - time.time()))
            for row in sampler.rows():
                file.write(json.dumps(row) + "\n")
            file.flush()
    for thread in threads:
        thread.join()
    for told in (truth["incidents"], truth["harmless"]):
        told.sort(key=lambda one: one["start"])
    return truth


def _happen(planned, start, world, traffic, truth):
    event = events.EVENTS[planned["event"]]()
    time.sleep(max(0, start + planned["at"] - time.time()))
    print(f"{_moment(time.time())} {event.name}", flush=True)
    began, ended = events.run(event, planned.get("for", 0), world, traffic)
    span = {"name": event.name, "kind": event.kind, "start": math.floor(began)}
    if event.is_harmless:
        truth["harmless"].append({**span, "end": math.ceil(ended), "service": event.service})
        return
    told = {
        **span,
        "onset": math.floor(began),
        # Later where the logs say so.
        "impact": math.floor(began),
        "end": math.ceil(ended),
        "at_fault": event.at_fault,
        "affected": event.affected,
        "description": event.description,
        "shows_in": event.shows_in,
    }
    if hasattr(event, "client"):
        told["client"] = event.client
    truth["incidents"].append(told)


class Sampler:
    """What a node exporter and the metrics endpoints of the services would say."""

    def __init__(self, world):
        self.world = world
        self.before = {}

    def rows(self):
        now = time.time()
        for name, (service, instance) in PROCESSES.items():
            # The bank belongs to somebody else.
            if service == "bank":
                continue
            try:
                of_process = self._process(name, now)
            except (OSError, ValueError):
                # It is gone: so are its metrics.
                continue
            row = {"timestamp": _moment(now), "service": service}
            if instance is not None:
                row["instance"] = instance
            yield {**row, **of_process, **self._endpoint(name)}

    def _process(self, name, now):
        pid = self.world.running[name].pid
        folder = Path("/proc") / str(pid)
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        # A zombie has no memory and no open files.
        if fields[0] == "Z":
            raise ValueError
        used = (int(fields[11]) + int(fields[12])) / TICKS
        then, used_then = self.before.get(pid, (None, None))
        self.before[pid] = (now, used)
        row = {
            "rss_bytes": int(fields[21]) * PAGE,
            "open_files": len(os.listdir(folder / "fd")),
            "threads": int(fields[17]),
        }
        if then is not None:
            row["cpu_percent"] = round(100 * (used - used_then) / (now - then), 2)
        return row

    def _endpoint(self, name):
        try:
            url = f"http://127.0.0.1:{self.world.ports[name]}/metricz"
            return json.loads(urllib.request.urlopen(url, timeout=1).read())
        except OSError:
            return {}


def merge(out, truth):
    """Writes everything in the order in which it became known, and the truth, which counts it."""
    records = []
    for path in out.glob("access.ndjson*"):
        for line in path.read_text().splitlines():
            if line.strip():
                told = json.loads(line)
                records.append((_seconds(told["start_time"]) + told["duration"] / 1000, line))
    for line in (out / "metrics.ndjson").read_text().splitlines():
        records.append((_seconds(json.loads(line)["timestamp"]), line))
    for path in sorted((out / "logs").iterdir()):
        # Nobody here reads what the bank writes.
        if path.name.startswith("bank"):
            continue
        for record in _log_records(path.read_text().splitlines()):
            at, service, level, message = record.split(" - ", 3)
            stamp = at.replace(",", ".").replace(" ", "T") + "Z"
            row = {"time": stamp, "level": level, "service": service, "message": message}
            records.append((_seconds(stamp), json.dumps(row)))
    records = [record for record in records if truth["start"] <= record[0] < truth["end"]]
    records.sort(key=lambda record: record[0])
    (out / "recording.ndjson").write_text("".join(line + "\n" for _, line in records))
    for incident in truth["incidents"]:
        felt = next(event.felt for event in events.EVENTS.values() if event.kind == incident["kind"])
        if felt is not None:
            signs = (seconds for seconds, line in records if seconds >= incident["start"] and felt in line)
            incident["impact"] = math.floor(next(signs, incident["end"]))
    truth["history_lines"] = sum(seconds < truth["history_end"] for seconds, _ in records)
    truth["lines"] = len(records)
    (out / "truth.json").write_text(json.dumps(truth, indent=2) + "\n")


def _log_records(lines):
    """Lines with the traces below them."""
    record = []
    for line in lines:
        if re.match(r"\d{4}-\d\d-\d\d ", line) and record:
            yield "\n".join(record)
            record = []
        record.append(line)
    if record:
        yield "\n".join(record)


def _moment(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds(stamp):
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


if __name__ == "__main__":
    main()
