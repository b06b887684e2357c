"""The processes of a recording: the proxy, the services behind it, their configuration and certificates."""

import json
import os
import signal
import socket
import string
import subprocess
import sys
import time
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path

HERE = Path(__file__).parent

# A process, the module of its service, and the name that its rows of metrics have beside that of the service.
PROCESSES = {
    "catalog-1": ("catalog", "catalog-1"),
    "catalog-2": ("catalog", "catalog-2"),
    "cart": ("cart", None),
    "checkout": ("checkout", None),
    "payments": ("payments", None),
    "reviews": ("reviews", None),
    "bank": ("bank", None),
}

# Comes before every ordinary program, all of which have the lowest priority of all: 0.
PRIORITY = 10

AUTHORITY = """
[ca]
default_ca = authority
[authority]
dir = .
new_certs_dir = .
database = index.txt
serial = serial.txt
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
"""


class World:
    def __init__(self, home, envoy, wasm):
        self.home = home
        self.envoy = envoy
        self.wasm = wasm
        self.running = {}
        self.ports = _free_ports([*PROCESSES, "shop", "admin"])
        for folder in ("config", "logs", "tls"):
            (home / folder).mkdir(parents=True)
        self.configs = {
            "catalog-1": {"ranking": "name"},
            "catalog-2": {"ranking": "name"},
            "cart": {"pool": 8, "store_ms": 6},
            "checkout": {"database": str(home / "orders.db"), "proxy_port": self.ports["shop"]},
            "payments": {"authority": str(home / "tls" / "ca.pem"), "bank_port": self.ports["bank"]},
            "reviews": {"journal": str(home / "journal.ndjson")},
            "bank": {
                "certificate": str(home / "tls" / "bank.pem"),
                "key": str(home / "tls" / "bank.key"),
                "ledger_ms": 35,
            },
        }
        self._make_authority()

    def start(self):
        for name in PROCESSES:
            self.start_process(name)
        for name in PROCESSES:
            self.wait_for(name)
        self._start_envoy()

    def start_process(self, name):
        module, _ = PROCESSES[name]
        config = self._write_config(name)
        command = [sys.executable, "-m", f"shop.{module}", "--port", str(self.ports[name]), "--config", config]
        command += ["--log", str(self.home / "logs" / f"{name}.log")]
        with open(self.home / f"{name}.stderr", "ab") as errors:
            self.running[name] = subprocess.Popen(
                command, cwd=HERE, stderr=errors, stdout=errors, start_new_session=True
            )

    def wait_for(self, name):
        """Until a port is open."""
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.ports[name]), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"{name} did not start; see {self.home}")

    def signal(self, name, number):
        self.running[name].send_signal(number)

    def restart(self, name):
        """Lets a process drain, and starts the next one in its place."""
        self.signal(name, signal.SIGTERM)
        self.running[name].wait(30)
        self.start_process(name)
        self.wait_for(name)

    def configure(self, name, **settings):
        """Changes settings of a running process, as a rollout does."""
        self.configs[name].update(settings)
        self._write_config(name)
        self.signal(name, signal.SIGHUP)

    def certify(self, until):
        """A certificate for the bank that ends at a unix time."""
        tls = self.home / "tls"
        if not (tls / "bank.key").exists():
            _openssl(tls, "ecparam -name prime256v1 -genkey -noout -out bank.key")
            _openssl(tls, "req -new -key bank.key -out bank.csr -config ca.cnf -subj /CN=bank.example "
                          "-addext subjectAltName=DNS:bank.example")
        stamp = "%Y%m%d%H%M%SZ"
        begin = (datetime.now(timezone.utc) - timedelta(minutes=5)).strftime(stamp)
        end = datetime.fromtimestamp(until, timezone.utc).strftime(stamp)
        _openssl(tls, f"ca -batch -notext -config ca.cnf -cert ca.pem -keyfile ca.key -in bank.csr -out bank.new "
                      f"-startdate {begin} -enddate {end}")
        (tls / "bank.new").rename(tls / "bank.pem")

    def rotate_logs(self):
        """What logrotate does: files are moved away, and their writers told."""
        for path in [*(self.home / "logs").glob("*.log"), self.home / "access.ndjson"]:
            number = 1
            while (old := path.with_name(f"{path.name}.{number}")).exists():
                number += 1
            path.rename(old)
        url = f"http://127.0.0.1:{self.ports['admin']}/reopen_logs"
        urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=5).read()

    def stop(self):
        # The proxy last: what it still has to write, it writes at its end.
        for name in sorted(self.running, key="envoy".__eq__):
            process = self.running[name]
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in self.running.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()

    def _start_envoy(self):
        ports = {f"{name.upper().replace('-', '_')}_PORT": port for name, port in self.ports.items()}
        text = string.Template((HERE / "envoy.yaml").read_text()).substitute(
            ports, HOME=self.home, WASM_FILTER=_wasm_filter(self.wasm)
        )
        config = self.home / "envoy.yaml"
        config.write_text(text)
        command = [str(self.envoy), "-c", str(config), "--concurrency", "2", "--use-dynamic-base-id"]
        with open(self.home / "envoy.log", "ab") as log:
            self.running["envoy"] = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        self.wait_for("shop")

    def _write_config(self, name):
        path = self.home / "config" / f"{name}.json"
        new = path.with_suffix(".new")
        new.write_text(json.dumps(self.configs[name]))
        new.rename(path)
        return str(path)

    def _make_authority(self):
        tls = self.home / "tls"
        (tls / "ca.cnf").write_text(AUTHORITY)
        (tls / "index.txt").touch()
        (tls / "serial.txt").write_text("01\n")
        _openssl(tls, "ecparam -name prime256v1 -genkey -noout -out ca.key")
        _openssl(tls, "req -x509 -new -key ca.key -out ca.pem -days 2 -subj /CN=authority")


def favour():
    """Has this process and those that it starts come before others on the machine, whose load must not look like
    trouble of the shop."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))
    except OSError:
        print("no right to real-time scheduling: other programs will show in the latencies", file=sys.stderr)


def _openssl(folder, arguments):
    done = subprocess.run(["openssl", *arguments.split()], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"openssl {arguments} failed:\n{done.stderr}")


def _wasm_filter(wasm):
    """The filter of Watchpost as it is by default, or none."""
    if wasm is None:
        return ""
    return f"""- name: watchpost
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
                      config:
                        name: watchpost
                        failure_policy: FAIL_OPEN
                        vm_config:
                          runtime: envoy.wasm.runtime.v8
                          code: {{ local: {{ filename: {wasm} }} }}"""


def _free_ports(names):
    sockets = {}
    for name in names:
        sockets[name] = socket.socket()
        sockets[name].bind(("127.0.0.1", 0))
    ports = {name: found.getsockname()[1] for name, found in sockets.items()}
    for found in sockets.values():
        found.close()
    return ports
