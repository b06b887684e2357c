"""Carts, behind a pool of connections to their store."""

import json
import random
import threading

from .service import Refused, Service

# Who gets no connection within this time is turned away.
PATIENCE_SECONDS = 0.06


class Cart(Service):
    name = "cart"

    def prepare(self):
        self.carts = {}
        self.reloaded()

    def reloaded(self):
        self.pool = threading.Semaphore(self.config["pool"])

    def figures(self):
        return {"carts": len(self.carts)}

    def store(self):
        """The time with the store, on one of the connections of the pool."""
        pool = self.pool
        if not pool.acquire(timeout=PATIENCE_SECONDS):
            self.log.error("no connection to the store within %.0f ms, pool of %d is exhausted",
                           1000 * PATIENCE_SECONDS, self.config["pool"])
            raise Refused(503, "store is busy")
        try:
            self.pause(self.config["store_ms"])
        finally:
            pool.release()

    def view(self, request):
        self.store()
        return {"cart": request.id(), "items": self.carts.get(request.id(), [])}

    def add(self, request):
        id, product = request.id(), json.loads(request.body)["product"]
        self.store()
        if random.random() < 0.004:
            self.log.warning("cart %d was changed by another request", id)
            raise Refused(409, "conflict")
        items = self.carts.setdefault(id, [])
        items.append(product)
        del items[:-20]
        self.log.info("cart %d holds %d items, added product %d", id, len(items), product)
        return {"cart": id, "items": items}

    def remove(self, request):
        self.store()
        items = self.carts.pop(request.id(), [])
        self.log.info("cart %d emptied, %d items", request.id(), len(items))
        return {"cart": request.id(), "items": []}


Cart.routes = (
    ("GET", r"/api/carts/(?P<id>\d+)", Cart.view),
    ("POST", r"/api/carts/(?P<id>\d+)/items", Cart.add),
    ("DELETE", r"/api/carts/(?P<id>\d+)", Cart.remove),
)

if __name__ == "__main__":
    Cart().run()
