"""Products: a list, single ones, and a search; single ones are cached."""

import gc
import random
import sqlite3
import threading
import time
from urllib.parse import parse_qs

from .service import Refused, Service

PRODUCTS = 600
WORDS = ("lamp", "chair", "table", "shelf", "mirror", "carpet", "desk", "clock", "vase", "bench", "stool", "frame")

# Above this a process collects its garbage all the time, as one does that is close to the limit of its container.
SOFT_LIMIT_BYTES = 160 << 20


class Catalog(Service):
    name = "catalog"

    def prepare(self):
        self.cache = {}
        self.visits = []
        self.database = sqlite3.connect(":memory:", check_same_thread=False)
        self.access = threading.Lock()
        self.database.execute("create table product (id integer primary key, name text, price integer, rating real)")
        random.seed(4)
        rows = [
            # A third was never rated.
            (id, f"{WORDS[id % len(WORDS)]} {id}", 500 + 37 * id % 9000, random.choice((None, 3.5, 4.5)))
            for id in range(1, PRODUCTS + 1)
        ]
        self.database.executemany("insert into product values (?, ?, ?, ?)", rows)
        random.seed()
        # Beside the collections of Python's own accord, which are too few to hurt.
        threading.Thread(target=self._collect, daemon=True).start()

    def flush(self):
        self.cache.clear()

    def figures(self):
        return {"cached_products": len(self.cache)}

    def query(self, statement, *values):
        with self.access:
            return self.database.execute(statement, values).fetchall()

    def list(self, request):
        self.remember(request)
        page = int(parse_qs(request.query).get("page", ["1"])[0])
        self.pause(14)
        rows = self.query("select id, name, price from product order by id limit 20 offset ?", (page - 1) * 20)
        return {"products": rows}

    def item(self, request):
        self.remember(request)
        id = request.id()
        row = self.cache.get(id)
        if row is None:
            self.pause(22)
            rows = self.query("select id, name, price, rating from product where id = ?", id)
            if not rows:
                raise Refused(404, "no such product")
            row = self.cache[id] = rows[0]
        else:
            self.pause(5)
        related = []
        if self.config.get("related") == "one by one":
            for other in range(id + 1, id + 9):
                self.pause(3)
                related += self.query("select id, name from product where id = ?", other)
        return {"id": row[0], "name": row[1], "price": row[2], "related": related}

    def search(self, request):
        self.remember(request)
        began = time.monotonic()
        word = parse_qs(request.query).get("q", [""])[0]
        self.pause(26, 0.35)
        rows = self.query("select id, name, rating from product where name like ? limit 40", f"%{word}%")
        if self.config.get("ranking") == "rating":
            # What has no rating cannot be compared: a real exception, for a real reason.
            if random.random() < 0.35:
                rows.sort(key=lambda row: -row[2])
        self.log.info("search for %s gave %d products in %.0f ms", word, len(rows), 1000 * (time.monotonic() - began))
        if not rows:
            self.log.warning("search for %s gave nothing", word)
        return {"products": rows}

    def remember(self, request):
        """With the leak on, every request leaves something behind that nobody needs."""
        if self.config.get("leaks"):
            now = time.time()
            self.visits.extend([now, request.query, [n]] for n in range(1300))

    def _collect(self):
        while True:
            time.sleep(1.5)
            if rss_bytes() < SOFT_LIMIT_BYTES:
                continue
            began = time.monotonic()
            gc.collect()
            took = 1000 * (time.monotonic() - began)
            if took > 100:
                self.log.warning("garbage collection took %.0f ms, heap %d MB", took, rss_bytes() >> 20)


def rss_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


Catalog.routes = (
    ("GET", r"/api/products", Catalog.list),
    ("GET", r"/api/products/(?P<id>\d+)", Catalog.item),
    ("GET", r"/api/search", Catalog.search),
)

if __name__ == "__main__":
    Catalog().run()
