"""The customers: requests that come independently of each other, from many clients, some of them badly written."""

import http.client
import json
import math
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

# Addresses that belong to nobody; few customers come often and many seldom.
CLIENTS = [f"198.18.{n // 250}.{n % 250 + 1}" for n in range(400)]
WEIGHTS = [1 / (n + 8) for n in range(400)]
MONITOR = "10.42.0.2"
SCANNER = "203.0.113.77"

WORDS = ("lamp", "chair", "table", "shelf", "mirror", "carpet", "desk", "clock", "vase", "bench")
TEXTS = ("good", "works as described", "came late, but is fine", "my second one", "too small for us")

# What a scanner tries.
PLACES = ("admin", "wp-login.php", ".env", "backup.zip", "phpmyadmin", "config.json", ".git/config", "server-status")
BELOW = ("old", "new", "test", "v1", "v2", "private", "internal", "cgi-bin", "portal", "shop", "staging", "data")


def product():
    """Few products are asked for often."""
    return min(600, int(random.paretovariate(0.7)))


# Requests a second, the method, and what makes the path and the body.
ROUTES = {
    "products": (5.0, "GET", lambda: (f"/api/products?page={random.randint(1, 12)}", None)),
    "product": (10.0, "GET", lambda: (f"/api/products/{product()}", None)),
    "search": (5.0, "GET", lambda: (f"/api/search?q={random.choice(WORDS)}", None)),
    "reviews": (4.0, "GET", lambda: (f"/api/products/{product()}/reviews", None)),
    "review": (2.0, "POST", lambda: (f"/api/products/{product()}/reviews", {"text": random.choice(TEXTS)})),
    "cart": (3.5, "GET", lambda: (f"/api/carts/{random.randint(1, 900)}", None)),
    "add": (4.5, "POST", lambda: (f"/api/carts/{random.randint(1, 900)}/items", {"product": product()})),
    "empty": (1.2, "DELETE", lambda: (f"/api/carts/{random.randint(1, 900)}", None)),
    "checkout": (2.6, "POST", lambda: ("/api/checkout", {"cents": random.randint(500, 30000)})),
    "order": (2.2, "GET", lambda: (f"/api/orders/{random.randint(1000, 9000)}", None)),
    # A bookmark of old that leads nowhere.
    "lost": (0.15, "GET", lambda: (f"/shop/{random.choice(WORDS)}", None)),
}

# A client of this route was written in haste: it tries again five times, and at once.
HASTY = "add"


class Traffic:
    def __init__(self, port):
        self.port = port
        self.local = threading.local()
        self.pool = ThreadPoolExecutor(max_workers=200)
        self.stopped = threading.Event()
        # What events change: how busy the shop is, the requests a second of a scanner and of the monitoring, and
        # routes that nobody asks for.
        self.factor = 1.0
        self.scans = 0.0
        self.checks = 1.0
        self.silent = set()
        self.sent = 0

    def start(self):
        self.began = time.monotonic()
        self.threads = [threading.Thread(target=self._arrivals, args=(name,), daemon=True) for name in ROUTES]
        self.threads.append(threading.Thread(target=self._others, args=(lambda: self.scans, self._scan), daemon=True))
        self.threads.append(threading.Thread(target=self._others, args=(lambda: self.checks, self._check), daemon=True))
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join(5)
        self.pool.shutdown()

    def _load(self):
        """Mild waves, and the weather of the hour."""
        minutes = (time.monotonic() - self.began) / 60
        return self.factor * (1 + 0.12 * math.sin(minutes / 3.7) + 0.06 * math.sin(minutes / 1.3 + 1))

    def _arrivals(self, name):
        rate, method, make = ROUTES[name]
        due = time.monotonic()
        while not self.stopped.is_set():
            due += random.expovariate(rate * self._load())
            time.sleep(max(0, due - time.monotonic()))
            if name not in self.silent:
                path, body = make()
                client = random.choices(CLIENTS, WEIGHTS)[0]
                self.pool.submit(self._ask, method, path, body, client, 5 if name == HASTY else 1)

    def _others(self, rate, ask):
        while not self.stopped.is_set():
            now = rate()
            if now == 0:
                time.sleep(0.2)
                continue
            time.sleep(random.expovariate(now))
            ask()

    def _scan(self):
        path = f"/{random.choice(BELOW)}{random.randint(1, 40)}/{random.choice(PLACES)}"
        self.pool.submit(self._ask, "GET", path, None, SCANNER, 0)

    def _check(self):
        self.pool.submit(self._ask, "GET", "/healthz", None, MONITOR, 0)

    def _ask(self, method, path, body, client, patience):
        for attempt in range(patience + 1):
            self.sent += 1
            status = self._exchange(method, path, body, client)
            if status is not None and status < 500:
                return
            if patience > 1:
                time.sleep(random.uniform(0.1, 0.4))
            elif random.random() < 0.3:
                time.sleep(random.uniform(1, 4))
            else:
                return

    def _exchange(self, method, path, body, client):
        """The status, or nothing where the connection broke."""
        connection = getattr(self.local, "connection", None)
        if connection is None:
            connection = self.local.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Host": "shop", "X-Forwarded-For": client})
            response = connection.getresponse()
            response.read()
            return response.status
        except OSError:
            connection.close()
            return None
        except http.client.HTTPException:
            connection.close()
            return None
