//! What the services say: every kind of log line, and how often.
//!
//! Braces stand for the variable parts, filled in by `logs`.

use super::logs::Level::{self, Debug, Error, Info, Warn};
use super::shop::Service::{self, Cart, Catalog, Checkout, Gateway, Inventory, Orders, Payments, Postgres, Search};

use Rate::{Defect, Failure, Fault, Hourly, Overload, Request, Scan, Slow};

/// One kind of line.
pub(super) struct Phrase {
    pub(super) service: Service,
    pub(super) level: Level,
    pub(super) rate: Rate,
    pub(super) text: &'static str,
    /// The version that introduced the line, if it is newer than the shop.
    pub(super) since: Option<&'static str>,
}

/// How many lines of a kind one tick brings, on average.
#[derive(Clone, Copy)]
pub(super) enum Rate {
    /// So many an hour, whatever the traffic.
    Hourly(f64),
    /// So many per request the service answers.
    Request(f64),
    /// So many per request that takes unusually long.
    Slow(f64),
    /// So many per request that fails for an ordinary reason.
    Failure(f64),
    /// So many per request that fails because of an outage.
    Fault(f64),
    /// So many per request that fails because of a defect.
    Defect(f64),
    /// So many per request that fails because there are too many.
    Overload(f64),
    /// So many per request for a path that does not exist.
    Scan(f64),
}

#[rustfmt::skip]
pub(super) const PHRASES: &[Phrase] = &[
    says(Gateway, Info, Request(0.0045), "{method} {path_id} 200 {bytes} bytes in {ms} ms from {ip}"),
    says(Gateway, Info, Request(0.0012), "{method} {path_id} 304 in {ms} ms from {ip}"),
    says(Gateway, Info, Request(0.0008), "{method} {path} 404 in {ms} ms from {ip}"),
    says(Gateway, Debug, Request(0.0016), "route {path} resolved to {ip}:8080"),
    says(Gateway, Debug, Request(0.0009), "connection {number} from {ip} kept alive for {ms} ms"),
    says(Gateway, Info, Request(0.0005), "session {hex} opened for user {number}"),
    says(Gateway, Warn, Request(0.0006), "client {ip} disconnected before the response to {path} was sent"),
    says(Gateway, Warn, Request(0.00035), "rate limit applied to {ip}: {number} requests in 60 s"),
    says(Gateway, Warn, Hourly(3.0), "TLS handshake with {ip} failed: unsupported protocol version"),
    says(Gateway, Info, Hourly(12.0), "certificate check: *.shop.example valid for another 61 days"),
    says(Gateway, Error, Failure(0.45), "upstream answered 502 for {path} after {ms} ms, request {uuid}"),
    says(Gateway, Error, Failure(0.15), "upstream timed out for {path}, request {uuid}"),
    says(Gateway, Info, Scan(0.4), "no route for {probe}, answered 404 to {scanner}"),
    says(Gateway, Warn, Scan(0.02), "client {scanner} asked for {number} unknown paths in 60 s"),

    says(Catalog, Info, Request(0.0035), "product {number} \"{product}\" served from cache in {ms} ms"),
    says(Catalog, Info, Request(0.0012), "product {number} loaded from database in {ms} ms"),
    says(Catalog, Debug, Request(0.0022), "cache hit for key product:{number}:{locale}"),
    says(Catalog, Debug, Request(0.0009), "cache miss for key product:{number}:{locale}"),
    says(Catalog, Info, Hourly(30.0), "cache evicted {number} entries, {bytes} bytes freed"),
    says(Catalog, Info, Hourly(20.0), "price list {locale} refreshed, {number} prices in {ms} ms"),
    says(Catalog, Warn, Request(0.0003), "image /media/{hex}.webp missing for product {number}"),
    says(Catalog, Warn, Hourly(5.0), "translation missing for \"{product}\" in locale {locale}"),
    says(Catalog, Error, Failure(0.5), "failed to load product {number}: query cancelled after {long} ms"),
    says(Catalog, Error, Defect(0.6), "panic while rendering product {number}: index {small} out of range"),
    says(Catalog, Error, Overload(0.3), "product request {uuid} rejected: {number} requests in the queue"),
    newer("v2.18.0", Catalog, Info, Request(0.0015), "recommended {small} products related to {number} with model related-2 in {ms} ms"),

    says(Search, Info, Request(0.006), "query \"{product}\" matched {number} documents in {ms} ms"),
    says(Search, Info, Request(0.0012), "query \"{product}\" matched nothing, suggested {small} corrections"),
    says(Search, Debug, Request(0.0035), "suggest prefix of {small} characters answered in {ms} ms"),
    says(Search, Debug, Request(0.0012), "shard {small} scanned {number} postings in {ms} ms"),
    says(Search, Info, Hourly(40.0), "merged {small} segments into seg-{hex}, {bytes} bytes"),
    says(Search, Info, Hourly(60.0), "indexed {number} changed documents in {ms} ms"),
    says(Search, Warn, Slow(0.0006), "slow query \"{product}\": {long} ms on shard {small}"),
    says(Search, Warn, Hourly(2.0), "synonym file synonyms-{locale}.txt has {small} conflicting rules"),
    says(Search, Error, Failure(0.5), "cannot parse query \"{product}\" at position {small}"),
    says(Search, Error, Defect(0.6), "query \"{product}\" failed: unknown field boost_{hex} in ranking profile"),
    says(Search, Error, Overload(0.3), "query rejected: all {small} workers busy for {long} ms"),
    says(Search, Error, Fault(0.5), "request {uuid} aborted: out of memory, heap of 2048 MB exhausted"),
    says(Search, Error, Fault(0.2), "worker search-worker-{small} terminated: out of memory"),

    says(Cart, Info, Request(0.011), "added {small} of product {number} to cart {hex}"),
    says(Cart, Info, Request(0.007), "cart {hex} loaded with {small} items in {ms} ms"),
    says(Cart, Info, Request(0.003), "removed product {number} from cart {hex}"),
    says(Cart, Debug, Request(0.005), "cart {hex} merged into account {number}"),
    says(Cart, Info, Hourly(60.0), "expired {number} abandoned carts in {ms} ms"),
    says(Cart, Info, Request(0.0015), "coupon {coupon} applied to cart {hex}: {amount} EUR off"),
    says(Cart, Warn, Request(0.0012), "coupon {coupon} rejected for cart {hex}: expired"),
    says(Cart, Warn, Hourly(4.0), "cart {hex} changed concurrently, retried {small} times"),
    says(Cart, Error, Defect(0.6), "unhandled exception for cart {hex}: coupon is nil at line {number}"),
    says(Cart, Error, Overload(0.3), "cart {hex} not available: concurrency limit reached after {long} ms"),
    says(Cart, Error, Failure(0.5), "failed to store cart {hex}: write conflict after {small} attempts"),

    says(Checkout, Info, Request(0.025), "checkout {uuid} started for user {number}, {small} items"),
    says(Checkout, Info, Request(0.022), "checkout {uuid} completed in {ms} ms, total {amount} EUR"),
    says(Checkout, Info, Request(0.012), "quoted shipping to {locale} at {amount} EUR with {carrier}"),
    says(Checkout, Debug, Request(0.012), "tax for {locale} computed in {ms} ms"),
    says(Checkout, Debug, Request(0.006), "address of user {number} normalised"),
    says(Checkout, Warn, Request(0.0016), "carrier {carrier} quote timed out after {long} ms, using the flat rate"),
    says(Checkout, Warn, Request(0.0014), "address check unavailable for {locale}, continuing without"),
    says(Checkout, Warn, Slow(0.0012), "checkout {uuid} took {long} ms"),
    says(Checkout, Error, Failure(0.6), "checkout {uuid} failed: basket changed during payment"),
    says(Checkout, Error, Defect(0.6), "checkout {uuid} failed: cannot decode the answer of a service, unexpected end at byte {number}"),
    says(Checkout, Error, Overload(0.4), "checkout {uuid} failed: answered 503 at attempt {small}"),
    says(Checkout, Error, Fault(0.6), "checkout {uuid} abandoned: payments answered 502 after {ms} ms"),

    says(Payments, Info, Request(0.075), "authorised payment {number} in {ms} ms"),
    says(Payments, Info, Request(0.05), "captured {amount} EUR for payment {number} with {card}"),
    says(Payments, Debug, Request(0.035), "risk score {percent} for payment {number}"),
    says(Payments, Info, Request(0.006), "3-D Secure challenge {uuid} passed in {ms} ms"),
    says(Payments, Warn, Request(0.009), "card declined for payment {number}: insufficient funds"),
    says(Payments, Warn, Request(0.003), "card declined for payment {number}: suspected fraud, score {percent}"),
    says(Payments, Info, Hourly(12.0), "exchange rates refreshed from rates.bank.example in {ms} ms"),
    says(Payments, Warn, Hourly(1.5), "rates.bank.example timed out after {long} ms, keeping rates of {small} minutes ago"),
    says(Payments, Error, Failure(0.7), "payment {number} failed: acquirer timed out after {long} ms"),
    says(Payments, Error, Defect(0.7), "payment {number} failed: no rule for currency of amount {amount}"),
    says(Payments, Error, Overload(0.4), "payment {number} not attempted: pool of {small} workers is full"),
    says(Payments, Error, Fault(0.45), "TLS handshake with acquirer-{small}.paynet.example failed: certificate has expired"),
    says(Payments, Error, Fault(0.30), "connection pool acquirer exhausted: {small} waiting, 0 idle after {long} ms"),
    says(Payments, Error, Fault(0.25), "payment {number} gave up: upstream unavailable after 3 attempts"),
    says(Payments, Error, Fault(0.10), "retry budget exceeded for authorise: {percent} of requests are retries"),

    says(Orders, Info, Request(0.036), "order {order} created with {small} lines, total {amount} EUR"),
    says(Orders, Info, Request(0.026), "order {order} handed to {carrier}, parcel {hex}"),
    says(Orders, Info, Request(0.016), "invoice for order {order} rendered in {ms} ms"),
    says(Orders, Debug, Request(0.02), "event order.created published to partition {small} at offset {number}"),
    says(Orders, Info, Hourly(50.0), "relayed {number} events from the outbox in {ms} ms"),
    says(Orders, Warn, Hourly(6.0), "mail for order {order} bounced: mailbox of user {number} is full"),
    says(Orders, Warn, Hourly(3.0), "carrier {carrier} webhook retried {small} times for parcel {hex}"),
    says(Orders, Error, Failure(0.6), "order {order} rejected: duplicate idempotency key {uuid}"),
    says(Orders, Error, Defect(0.6), "order {order} not stored: column delivery_slot of relation orders does not exist"),
    says(Orders, Error, Overload(0.4), "order service overloaded: request {uuid} waited {long} ms and was dropped"),
    newer("v2.8.0", Orders, Info, Request(0.02), "delivery window for order {order} predicted as {small} days with {carrier}"),

    says(Inventory, Info, Request(0.035), "reserved {small} of sku {sku} in warehouse {small}"),
    says(Inventory, Info, Request(0.015), "reservation {hex} released after {ms} ms"),
    says(Inventory, Debug, Request(0.02), "stock of sku {sku} is {number}"),
    says(Inventory, Warn, Request(0.004), "stock of sku {sku} below threshold: {small} left"),
    says(Inventory, Warn, Hourly(2.5), "warehouse-{small} answered slowly: {long} ms"),
    says(Inventory, Error, Defect(0.7), "reservation {hex} failed: negative stock of sku {sku} in warehouse {small}"),
    says(Inventory, Error, Overload(0.4), "reservation {hex} shed: queue of warehouse {small} is full"),
    says(Inventory, Error, Failure(0.7), "cannot reserve sku {sku}: out of stock"),

    says(Postgres, Info, Hourly(12.0), "checkpoint complete: wrote {number} buffers in {ms} ms"),
    says(Postgres, Info, Hourly(26.0), "automatic vacuum of table \"shop.public.{table}\": {number} pages remain"),
    says(Postgres, Info, Hourly(18.0), "automatic analyze of table \"shop.public.{table}\" took {ms} ms"),
    says(Postgres, Info, Request(0.0017), "connection received: host={ip} port={number}"),
    says(Postgres, Info, Request(0.0016), "connection authorized: user=shop database=shop application=shop-{hex}"),
    says(Postgres, Warn, Slow(0.0002), "duration: {long} ms statement: SELECT * FROM {table} WHERE id = {number}"),
    says(Postgres, Warn, Hourly(2.0), "process {number} still waiting for ShareLock on transaction {number} after {long} ms"),
    says(Postgres, Error, Hourly(1.2), "duplicate key value violates unique constraint \"{table}_pkey\""),
];

const fn says(service: Service, level: Level, rate: Rate, text: &'static str) -> Phrase {
    Phrase {
        service,
        level,
        rate,
        text,
        since: None,
    }
}

const fn newer(since: &'static str, service: Service, level: Level, rate: Rate, text: &'static str) -> Phrase {
    Phrase {
        since: Some(since),
        ..says(service, level, rate, text)
    }
}

pub(super) const PRODUCTS: &[&str] = &[
    "wool socks",
    "espresso cup",
    "garden hose 20 m",
    "desk lamp",
    "rain jacket",
    "oak shelf",
    "cast iron pan",
    "travel mug",
    "linen shirt",
    "bread knife",
    "yoga mat",
    "bike light",
];
pub(super) const PATHS: &[&str] = &[
    "/api/products",
    "/api/checkout",
    "/api/search",
    "/api/cart",
    "/api/orders",
    "/assets/app.js",
    "/api/suggest",
    "/favicon.ico",
];
/// What scanners ask for.
pub(super) const PROBES: &[&str] = &[
    "/.env",
    "/.git/config",
    "/wp-login.php",
    "/wp-admin/setup-config.php",
    "/phpmyadmin/index.php",
    "/admin/login",
    "/actuator/env",
    "/server-status",
    "/backup.zip",
    "/api/v1/users",
    "/cgi-bin/luci",
    "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php",
    "/solr/admin/cores",
    "/.aws/credentials",
    "/config.json",
    "/console",
];
pub(super) const RESOURCES: &[&str] = &["/api/products/", "/api/cart/", "/api/orders/"];
pub(super) const LOCALES: &[&str] = &["de-DE", "fr-FR", "en-GB", "nl-NL", "it-IT", "pl-PL"];
pub(super) const CARRIERS: &[&str] = &["dhl", "dpd", "gls", "ups"];
pub(super) const CARDS: &[&str] = &["visa", "mastercard", "amex", "maestro"];
pub(super) const TABLES: &[&str] = &["orders", "order_lines", "carts", "quotes", "stock", "payments"];
pub(super) const METHODS: &[&str] = &["GET", "GET", "GET", "POST"];
