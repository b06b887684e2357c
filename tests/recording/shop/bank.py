"""A bank that belongs to somebody else: it speaks TLS, and nobody here reads its log."""

import random
import ssl

from .service import Server, Service


class Bank(Service):
    name = "bank"

    def prepare(self):
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.reloaded()
        tls = self.tls

        class Encrypted(Server):
            def get_request(self):
                connection, address = super().get_request()
                connection.settimeout(10)
                # The handshake is left to the thread of the connection: a slow one would hold up all.
                return tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

        self.server_class = Encrypted

    def reloaded(self):
        self.tls.load_cert_chain(self.config["certificate"], self.config["key"])

    def charge(self, request):
        self.pause(self.config["ledger_ms"], 0.3)
        return {"accepted": random.random() > 0.02}


Bank.routes = (("POST", r"/charges", Bank.charge),)

if __name__ == "__main__":
    Bank().run()
