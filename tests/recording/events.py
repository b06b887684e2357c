"""What happens to the shop: the faults, which are really caused, and what is no fault though it shows.

A fault names where its cause is (`at_fault`), who suffers from it (`affected`), and where it can be seen at all
(`shows_in`), in the words of `watchpost simulate`: a service is an upstream of the access log, a route is the name that
the proxy has for it, and an empty subject is the site as a whole.
"""

import os
import signal
import time

from traffic import SCANNER

ROUTES = {
    "catalog": ("product-list", "product", "search"),
    "reviews": ("review-list", "review-add"),
    "cart": ("cart-view", "cart-add", "cart-empty", "health"),
    "checkout": ("checkout", "order-view"),
    "payments": ("charge",),
}

SITE = {}


def subject(service, route=None):
    return {"service": service} if route is None else {"service": service, "route": route}


def whole(service):
    """A service and every route of it."""
    return [subject(service), *(subject(service, route) for route in ROUTES[service])]


PAYING = [subject("checkout"), subject("checkout", "checkout"), SITE]


class Event:
    name = ""
    is_harmless = False
    service = None

    # What a log line says when users begin to notice; without it they do at once.
    felt = None

    def begin(self, world, traffic):
        """Causes it. What takes time may take it here, or in `end`."""

    def end(self, world, traffic):
        """Repairs it."""


class SlowDependency(Event):
    kind = "slow_dependency"
    name = "the bank answers slowly"
    description = "The bank takes 260 ms for a charge instead of 35, and payments and checkout wait for it."
    at_fault = whole("payments")
    affected = PAYING
    shows_in = ["requests", "logs"]

    def begin(self, world, traffic):
        world.configure("bank", ledger_ms=260)

    def end(self, world, traffic):
        world.configure("bank", ledger_ms=35)


class ErrorBurst(Event):
    kind = "error_burst"
    name = "search fails"
    description = (
        "A new ranking compares products that were never rated: two in five searches end in a TypeError, status 500."
    )
    at_fault = [subject("catalog", "search"), subject("catalog")]
    affected = [SITE]
    shows_in = ["requests", "metrics", "logs"]

    def begin(self, world, traffic):
        for process in ("catalog-1", "catalog-2"):
            world.configure(process, ranking="rating")

    def end(self, world, traffic):
        for process in ("catalog-1", "catalog-2"):
            world.configure(process, ranking="name")


class Crash(Event):
    kind = "crash"
    name = "cart crashes"
    description = (
        "The process of cart is killed (SIGKILL) and comes back when somebody starts it again; the proxy answers 503 "
        "meanwhile."
    )
    at_fault = whole("cart")
    affected = [SITE]
    shows_in = ["requests", "metrics", "logs"]

    def begin(self, world, traffic):
        world.signal("cart", signal.SIGKILL)

    def end(self, world, traffic):
        world.running["cart"].wait()
        world.start_process("cart")
        world.wait_for("cart")


class PathScan(Event):
    kind = "path_scan"
    name = f"{SCANNER} scans for paths"
    description = f"The client {SCANNER} asks for paths that do not exist, 8 times a second, and gets status 404."
    at_fault = []
    affected = [SITE]
    client = SCANNER
    shows_in = ["requests"]

    def begin(self, world, traffic):
        traffic.scans = 8.0

    def end(self, world, traffic):
        traffic.scans = 0.0


class DiskFull(Event):
    kind = "disk_full"
    name = "the disk of reviews is full"
    description = (
        "The journal of reviews is on a device that has no space left (/dev/full): every new review ends in an "
        "OSError, status 500."
    )
    at_fault = [subject("reviews", "review-add"), subject("reviews")]
    affected = [SITE]
    shows_in = ["requests", "metrics", "logs"]

    def begin(self, world, traffic):
        journal = world.home / "journal.ndjson"
        journal.rename(journal.with_suffix(".kept"))
        os.symlink("/dev/full", journal)

    def end(self, world, traffic):
        journal = world.home / "journal.ndjson"
        journal.unlink()
        journal.with_suffix(".kept").rename(journal)


class MemoryLeak(Event):
    kind = "memory_leak"
    name = "catalog-1 leaks memory"
    description = (
        "One of two replicas of catalog keeps something of every request, some 500 MB in three minutes; above 160 MB "
        "its garbage collector pauses it for hundreds of milliseconds at a time. It is restarted in the end."
    )
    at_fault = [subject("catalog")]
    affected = [*whole("catalog")[1:], SITE]
    felt = "garbage collection took"
    shows_in = ["requests", "metrics", "logs"]

    def begin(self, world, traffic):
        world.configure("catalog-1", leaks=True)

    def end(self, world, traffic):
        world.configs["catalog-1"]["leaks"] = False
        world.restart("catalog-1")


class CertificateExpiry(Event):
    kind = "certificate_expiry"
    name = "the bank's certificate expires"
    description = "The TLS certificate of the bank expires: no charge succeeds until there is a new one, status 502."
    at_fault = whole("payments")
    affected = PAYING
    shows_in = ["requests", "metrics", "logs"]

    # It needs nobody to begin: the certificate was made to end at this moment.

    def end(self, world, traffic):
        world.certify(time.time() + 86_400)
        world.signal("bank", signal.SIGHUP)


class RetryStorm(Event):
    kind = "retry_storm"
    name = "clients of cart try again and again"
    description = (
        "The store of cart gets slow and leaves it one connection, so that requests are turned away with status 503; "
        "the clients that add to a cart try again up to five times, at once."
    )
    at_fault = whole("cart")
    affected = [SITE]
    shows_in = ["requests", "metrics", "logs"]

    def begin(self, world, traffic):
        world.configure("cart", pool=1, store_ms=115)

    def end(self, world, traffic):
        world.configure("cart", pool=8, store_ms=6)


class Hang(Event):
    kind = "hang"
    name = "reviews hangs"
    description = (
        "The process of reviews stops in its tracks (SIGSTOP): it accepts connections and never answers, and the proxy "
        "gives up after 3 s, status 504."
    )
    at_fault = whole("reviews")
    affected = [SITE]
    shows_in = ["requests", "metrics", "logs"]

    def begin(self, world, traffic):
        world.signal("reviews", signal.SIGSTOP)

    def end(self, world, traffic):
        world.signal("reviews", signal.SIGCONT)


class LatencyRegression(Event):
    kind = "latency_regression"
    name = "product pages are slower than before"
    description = (
        "A new version of catalog asks for related products one by one: eight queries of 3 ms more for every product."
    )
    at_fault = [subject("catalog", "product")]
    affected = [subject("catalog")]
    shows_in = ["requests"]

    def begin(self, world, traffic):
        for process in ("catalog-1", "catalog-2"):
            world.configure(process, related="one by one")

    def end(self, world, traffic):
        for process in ("catalog-1", "catalog-2"):
            world.configure(process, related="none")


class ConfigReload(Event):
    kind = "config_reload"
    name = "all services read their configuration again"
    is_harmless = True

    def begin(self, world, traffic):
        for process in world.configs:
            world.configure(process)
            time.sleep(0.3)


class CacheFlush(Event):
    kind = "cache_flush"
    name = "the caches of catalog fill again"
    is_harmless = True
    service = "catalog"

    def begin(self, world, traffic):
        for process in ("catalog-1", "catalog-2"):
            world.signal(process, signal.SIGUSR1)

    def end(self, world, traffic):
        # The pages that are asked for often are back in a minute.
        time.sleep(60)


class LogRotation(Event):
    kind = "log_rotation"
    name = "logs are rotated"
    is_harmless = True

    def begin(self, world, traffic):
        world.rotate_logs()


class HealthChecks(Event):
    kind = "health_checks"
    name = "the monitoring checks more often"
    is_harmless = True
    service = "cart"

    def begin(self, world, traffic):
        traffic.checks = 6.0

    def end(self, world, traffic):
        traffic.checks = 1.0


class Campaign(Event):
    kind = "campaign"
    name = "campaign, demand times 1.7"
    is_harmless = True

    def begin(self, world, traffic):
        traffic.factor = 1.7

    def end(self, world, traffic):
        traffic.factor = 1.0


class RollingRestart(Event):
    kind = "deploy"
    name = "deploy catalog, one replica after the other"
    is_harmless = True
    service = "catalog"

    def begin(self, world, traffic):
        for process in ("catalog-1", "catalog-2"):
            world.restart(process)


EVENTS = {
    "slow_dependency": SlowDependency,
    "error_burst": ErrorBurst,
    "crash": Crash,
    "path_scan": PathScan,
    "disk_full": DiskFull,
    "memory_leak": MemoryLeak,
    "certificate_expiry": CertificateExpiry,
    "retry_storm": RetryStorm,
    "hang": Hang,
    "latency_regression": LatencyRegression,
    "config_reload": ConfigReload,
    "cache_flush": CacheFlush,
    "log_rotation": LogRotation,
    "health_checks": HealthChecks,
    "campaign": Campaign,
    "rolling_restart": RollingRestart,
}


def run(event, seconds, world, traffic):
    """Lets an event begin, last and end. Returns when it did, in unix seconds."""
    start = time.time()
    event.begin(world, traffic)
    time.sleep(max(0, start + seconds - time.time()))
    event.end(world, traffic)
    return start, time.time()
