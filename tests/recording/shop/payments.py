"""Payments, charged at a bank over TLS. Nothing here knows when the bank's certificate expires."""

import http.client
import json
import random
import ssl
import time

from .service import Refused, Service


class Payments(Service):
    name = "payments"

    def prepare(self):
        self.trust = ssl.create_default_context(cafile=self.config["authority"])

    def charge(self, request):
        asked = json.loads(request.body)
        began = time.monotonic()
        self.pause(4)
        try:
            answer = self.ask_bank(asked)
        except OSError:
            self.log.exception("charge of order %d failed", asked["order"])
            raise Refused(502, "bank unreachable")
        took = 1000 * (time.monotonic() - began)
        if took > 400:
            self.log.warning("bank took %.0f ms for order %d", took, asked["order"])
        if not answer["accepted"]:
            self.log.info("charge of order %d declined, code %d", asked["order"], random.choice((51, 54, 61)))
            raise Refused(402, "declined")
        self.log.info("charged %d cents for order %d in %.0f ms", asked["cents"], asked["order"], took)
        return {"charged": asked["cents"]}

    def ask_bank(self, asked):
        connection = _Bank(self.config["bank_port"], self.trust)
        try:
            connection.request("POST", "/charges", json.dumps(asked))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


class _Bank(http.client.HTTPSConnection):
    """The name in the certificate is the bank's, whatever its address."""

    def __init__(self, port, trust):
        super().__init__("127.0.0.1", port, timeout=5, context=trust)
        self.trust = trust

    def connect(self):
        http.client.HTTPConnection.connect(self)
        self.sock = self.trust.wrap_socket(self.sock, server_hostname="bank.example")


Payments.routes = (("POST", r"/payments", Payments.charge),)

if __name__ == "__main__":
    Payments().run()
