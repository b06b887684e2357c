"""Reviews: what customers write is appended to a journal on disk, and that disk can be full."""

import json
import os
import random

from .service import Refused, Service


class Reviews(Service):
    name = "reviews"

    def prepare(self):
        self.reviews = {}

    def list(self, request):
        self.pause(11)
        return {"reviews": self.reviews.get(request.id(), [])}

    def add(self, request):
        text = json.loads(request.body)["text"]
        self.pause(8)
        if random.random() < 0.01:
            self.log.warning("review of product %d refused, too short", request.id())
            raise Refused(422, "too short")
        with open(self.config["journal"], "a") as journal:
            journal.write(json.dumps({"product": request.id(), "text": text}) + "\n")
            journal.flush()
            os.fdatasync(journal.fileno())
        reviews = self.reviews.setdefault(request.id(), [])
        reviews.append(text)
        del reviews[:-10]
        self.log.info("review of product %d kept, %d characters", request.id(), len(text))
        return {"reviews": len(reviews)}


Reviews.routes = (
    ("GET", r"/api/products/(?P<id>\d+)/reviews", Reviews.list),
    ("POST", r"/api/products/(?P<id>\d+)/reviews", Reviews.add),
)

if __name__ == "__main__":
    Reviews().run()
