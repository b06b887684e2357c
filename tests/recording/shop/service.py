"""What every service of the shop is made of: HTTP, a log, a configuration that is read again on SIGHUP, a drain on
SIGTERM, and the numbers that a metrics endpoint shows."""

import argparse
import json
import logging
import logging.handlers
import math
import os
import random
import re
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# So many requests are worked on at once; the others wait, and that is the depth of the queue.
WORKERS = 16

# So long a service that has to go still answers while its proxy looks for another one.
DRAIN_SECONDS = 4


class Refused(Exception):
    """An answer other than success that the service means to give."""

    def __init__(self, status, reason):
        super().__init__(reason)
        self.status = status


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request, client_address):
        # A proxy that hangs up is nothing to report.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Request:
    def __init__(self, match, query, body):
        self.match = match
        self.query = query
        self.body = body

    def id(self):
        return int(self.match.group("id"))


class Service:
    """A subclass names its routes: a method, a pattern of the path, and the function that answers."""

    name = ""
    routes = ()
    server_class = Server

    def __init__(self):
        arguments = argparse.ArgumentParser()
        arguments.add_argument("--port", type=int, required=True)
        arguments.add_argument("--config", required=True)
        arguments.add_argument("--log", required=True)
        self.arguments = arguments.parse_args()
        self.log = self._open_log()
        self.config = {}
        self._read_config()
        self.draining = False
        self.workers = threading.BoundedSemaphore(WORKERS)
        self.lock = threading.Lock()
        self.numbers = {"requests_total": 0, "errors_total": 0, "in_flight": 0, "queue_depth": 0}
        self.compiled = [(method, re.compile(pattern + "$"), answer) for method, pattern, answer in self.routes]

    def prepare(self):
        """Whatever has to be there before the first request."""

    def reloaded(self):
        """The configuration is a new one."""

    def flush(self):
        """What is cached is to be forgotten."""

    def figures(self):
        """Metrics beside those that every service has."""
        return {}

    def pause(self, median_ms, spread=0.25):
        """Waits as for a disk or a network that this machine does not have: log-normal, with a few long ones."""
        seconds = median_ms / 1000 * math.exp(random.gauss(0, spread))
        if random.random() < 0.004:
            seconds *= random.uniform(3, 8)
        time.sleep(seconds)

    def run(self):
        self.prepare()
        self.server = self.server_class(("127.0.0.1", self.arguments.port), _handler(self))
        signal.signal(signal.SIGHUP, lambda *_: self._reload())
        signal.signal(signal.SIGUSR1, lambda *_: self._flush())
        signal.signal(signal.SIGTERM, lambda *_: self._drain())
        self.log.info("listening on 127.0.0.1:%d with %d workers", self.arguments.port, WORKERS)
        threading.Thread(target=self.server.serve_forever, args=(0.1,), daemon=True).start()
        # Only the main thread hears signals.
        while not self.draining:
            time.sleep(0.2)
        until = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < until or (self.numbers["in_flight"] and time.monotonic() < until + 5):
            time.sleep(0.05)
        self.server.shutdown()
        self.log.info("stopped after %d requests", self.numbers["requests_total"])
        logging.shutdown()

    def _open_log(self):
        # Opened anew when somebody has moved it away, as log rotation does.
        handler = logging.handlers.WatchedFileHandler(self.arguments.log)
        form = _Form("%(asctime)s - " + self.name + " - %(levelname)s - %(message)s")
        handler.setFormatter(form)
        log = logging.getLogger(self.name)
        log.setLevel(logging.INFO)
        log.addHandler(handler)
        return log

    def _read_config(self):
        with open(self.arguments.config) as file:
            self.config = json.load(file)

    def _reload(self):
        self._read_config()
        self.log.info("configuration read again, %d settings", len(self.config))
        self.reloaded()

    def _flush(self):
        self.log.info("cache flushed on request")
        self.flush()

    def _drain(self):
        if not self.draining:
            self.draining = True
            self.log.info("draining for %d s", DRAIN_SECONDS)

    def answer(self, method, target, body):
        """Status and body for a request."""
        path, _, query = target.partition("?")
        for wanted, pattern, function in self.compiled:
            match = pattern.match(path)
            if wanted == method and match:
                break
        else:
            return 404, {"error": "no such path"}
        with self.lock:
            self.numbers["requests_total"] += 1
            self.numbers["queue_depth"] += 1
        with self.workers:
            with self.lock:
                self.numbers["queue_depth"] -= 1
                self.numbers["in_flight"] += 1
            try:
                return 200, function(self, Request(match, query, body))
            except Refused as refused:
                if refused.status >= 500:
                    self._count_error()
                return refused.status, {"error": str(refused)}
            except Exception:
                self._count_error()
                self.log.exception("unhandled exception in %s %s", method, path)
                return 500, {"error": "internal error"}
            finally:
                with self.lock:
                    self.numbers["in_flight"] -= 1

    def _count_error(self):
        with self.lock:
            self.numbers["errors_total"] += 1


class _Form(logging.Formatter):
    """Times in UTC, and traces in which the folders are those of a container, not of the machine that recorded."""

    converter = time.gmtime

    def formatException(self, info):
        trace = super().formatException(info)
        trace = trace.replace(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "/srv")
        return trace.replace(os.path.dirname(os.__file__), "/usr/lib/python3")


def _handler(service):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one packet, and no waiting for more.
        wbufsize = -1
        disable_nagle_algorithm = True

        def _serve(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else b""
            if self.path == "/healthz":
                status, answer = (503, {"status": "draining"}) if service.draining else (200, {"status": "ok"})
            elif self.path == "/metricz":
                with service.lock:
                    status, answer = 200, {**service.numbers, **service.figures()}
            else:
                status, answer = service.answer(self.command, self.path, body)
            payload = json.dumps(answer).encode()
            self.send_response_only(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            if service.draining:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_DELETE = _serve

        def log_message(self, *_):
            pass

    return Handler
