"""Orders: paid through `payments`, which is asked through the proxy, and kept in a database file."""

import http.client
import itertools
import json
import random
import sqlite3
import threading

from .service import Refused, Service


class Checkout(Service):
    name = "checkout"

    def prepare(self):
        self.access = threading.Lock()
        self.database = sqlite3.connect(self.config["database"], check_same_thread=False)
        self.database.execute("pragma journal_mode = wal")
        self.database.execute("create table if not exists orders (id integer primary key, cents integer)")
        (last,) = self.database.execute("select coalesce(max(id), 1000) from orders").fetchone()
        self.ids = itertools.count(last + 1)

    def pay(self, order, cents):
        connection = http.client.HTTPConnection("127.0.0.1", self.config["proxy_port"], timeout=6)
        try:
            body = json.dumps({"order": order, "cents": cents})
            connection.request("POST", "/payments", body, {"Host": "payments", "X-Forwarded-For": "10.42.0.13"})
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()

    def order(self, request):
        cents = json.loads(request.body)["cents"]
        order = next(self.ids)
        self.pause(9)
        status = self.pay(order, cents)
        if status == 402:
            self.log.info("order %d declined by the bank", order)
            raise Refused(402, "declined")
        if status != 200:
            self.log.error("order %d not placed, payments answered %d", order, status)
            raise Refused(502, "payment failed")
        with self.access, self.database:
            self.database.execute("insert into orders values (?, ?)", (order, cents))
        self.log.info("order %d placed, %d cents", order, cents)
        if random.random() < 0.01:
            self.log.warning("order %d: confirmation by mail is late", order)
        return {"order": order}

    def view(self, request):
        self.pause(7)
        with self.access:
            row = self.database.execute(
                "select id, cents from orders order by abs(id - ?) limit 1", (request.id(),)
            ).fetchone()
        if row is None:
            raise Refused(404, "no such order")
        return {"order": row[0], "cents": row[1]}


Checkout.routes = (
    ("POST", r"/api/checkout", Checkout.order),
    ("GET", r"/api/orders/(?P<id>\d+)", Checkout.view),
)

if __name__ == "__main__":
    Checkout().run()
