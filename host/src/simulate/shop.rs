//! The shop: its services, their routes, and who calls whom.

/// A process that reports one row of metrics every tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// The proxy that all visitors come through; it calls everybody else.
    Gateway,
    /// What is for sale: read often, from a cache.
    Catalog,
    /// Full text search with an index in memory; the one that leaks.
    Search,
    /// What people mean to buy.
    Cart,
    /// Turns a cart into an order, and waits for three others to do so.
    Checkout,
    /// Talks to the acquirer, over which the shop has no power.
    Payments,
    /// What was bought, and the settlement at night.
    Orders,
    /// What is in stock, synchronised with the warehouses every hour.
    Inventory,
    /// The database that all services but the proxy share.
    Postgres,
}

impl Service {
    /// Every service, in the order in which they are numbered.
    pub(super) const ALL: [Service; 9] = [
        Service::Gateway,
        Service::Catalog,
        Service::Search,
        Service::Cart,
        Service::Checkout,
        Service::Payments,
        Service::Orders,
        Service::Inventory,
        Service::Postgres,
    ];

    /// What it is made of.
    pub(super) fn profile(self) -> &'static Profile {
        &PROFILES[self as usize]
    }
}

/// What a service is made of, and what it costs to run.
pub(super) struct Profile {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    /// Whether the runtime collects garbage; the proxy and the database do not.
    pub(super) managed: bool,
    /// CPU in an empty shop, and what an ordinary evening peak adds to it.
    pub(super) idle_cpu: f64,
    pub(super) busy_cpu: f64,
    /// Megabytes that stay in use, that may pile up before a collection, and
    /// at which the container is killed.
    pub(super) live_mb: f64,
    pub(super) garbage_mb: f64,
    pub(super) limit_mb: f64,
    /// Requests it takes to fill the garbage allowance.
    pub(super) requests_per_collection: f64,
    pub(super) gc_pause_ms: f64,
    pub(super) threads: (f64, f64),
    pub(super) connections: (f64, f64),
    pub(super) queue: f64,
    /// Database statements one request makes.
    pub(super) statements: f64,
}

/// The number of a route in the table of all routes.
pub type RouteId = usize;

pub(super) const GATEWAY_CHECKOUT: RouteId = 0;
pub(super) const GATEWAY_PRODUCTS: RouteId = 1;
pub(super) const POST_CHECKOUT: RouteId = 2;
pub(super) const GET_PRODUCT: RouteId = 6;
pub(super) const CREATE_ORDER: RouteId = 11;
pub(super) const AUTHORISE: RouteId = 12;
pub(super) const RESERVE: RouteId = 14;

/// An operation a service offers.
pub(super) struct Route {
    pub(super) service: Service,
    pub(super) name: &'static str,
    pub(super) traffic: Traffic,
    pub(super) median_ms: f64,
    /// The 99th percentile as a multiple of the median.
    pub(super) tail: f64,
    /// Share of requests that fail on an ordinary day.
    pub(super) errors: f64,
    /// Routes called on the way, and the part of the answer's time spent there.
    pub(super) calls: &'static [(RouteId, f64)],
    /// The version of the service that introduced the route, if it is newer
    /// than the shop.
    pub(super) since: Option<&'static str>,
}

impl Route {
    /// Requests per second at an ordinary evening peak.
    pub(super) fn peak_rate(&self) -> f64 {
        match self.traffic {
            Traffic::Visitors(rate) => rate,
            Traffic::PartOf(caller, share) => ROUTES[caller].peak_rate() * share,
        }
    }
}

/// Where the requests of a route come from.
pub(super) enum Traffic {
    /// From outside: so many a second at an ordinary evening peak.
    Visitors(f64),
    /// From another route: this share of its requests.
    PartOf(RouteId, f64),
}

/// Callers come before the routes they call: counts are drawn from first to
/// last, latencies and failures from last to first.
pub(super) const ROUTES: [Route; 15] = [
    Route {
        calls: &[(POST_CHECKOUT, 0.80)],
        ..visited(Service::Gateway, "POST /api/checkout", 2.0, 195.0, 3.5, 0.004)
    },
    Route {
        calls: &[(GET_PRODUCT, 0.55)],
        ..visited(Service::Gateway, "GET /api/products", 22.0, 24.0, 4.6, 0.0015)
    },
    Route {
        traffic: Traffic::PartOf(GATEWAY_CHECKOUT, 0.995),
        calls: &[(CREATE_ORDER, 0.15), (AUTHORISE, 0.40), (RESERVE, 0.10)],
        ..visited(Service::Checkout, "POST /checkout", 0.0, 175.0, 3.6, 0.0035)
    },
    visited(Service::Checkout, "GET /checkout/quote", 3.5, 48.0, 3.4, 0.002),
    visited(Service::Cart, "GET /cart", 6.0, 11.0, 4.2, 0.0008),
    visited(Service::Cart, "POST /cart/items", 2.5, 19.0, 3.9, 0.002),
    Route {
        traffic: Traffic::PartOf(GATEWAY_PRODUCTS, 0.93),
        ..visited(Service::Catalog, "GET /products/:id", 0.0, 14.0, 4.8, 0.001)
    },
    Route {
        traffic: Traffic::PartOf(GATEWAY_PRODUCTS, 0.28),
        since: Some("v2.18.0"),
        ..visited(Service::Catalog, "GET /products/:id/related", 0.0, 31.0, 3.8, 0.001)
    },
    visited(Service::Search, "GET /search", 8.0, 62.0, 4.4, 0.0025),
    visited(Service::Search, "GET /suggest", 14.0, 9.0, 5.0, 0.0008),
    visited(Service::Orders, "GET /orders/:id", 2.2, 22.0, 3.7, 0.0015),
    Route {
        traffic: Traffic::PartOf(POST_CHECKOUT, 0.96),
        ..visited(Service::Orders, "POST /orders", 0.0, 34.0, 3.5, 0.002)
    },
    Route {
        traffic: Traffic::PartOf(POST_CHECKOUT, 0.98),
        ..visited(Service::Payments, "POST /payments/authorise", 0.0, 82.0, 4.0, 0.004)
    },
    visited(Service::Payments, "POST /payments/refund", 0.12, 120.0, 3.2, 0.006),
    Route {
        traffic: Traffic::PartOf(POST_CHECKOUT, 0.99),
        ..visited(
            Service::Inventory,
            "POST /inventory/reservations",
            0.0,
            16.0,
            4.1,
            0.002,
        )
    },
];

const fn visited(service: Service, name: &'static str, rate: f64, median_ms: f64, tail: f64, errors: f64) -> Route {
    Route {
        service,
        name,
        traffic: Traffic::Visitors(rate),
        median_ms,
        tail,
        errors,
        calls: &[],
        since: None,
    }
}

/// The database; the others differ from it in what they say.
const BASE: Profile = Profile {
    name: "postgres",
    version: "16.6",
    managed: false,
    idle_cpu: 0.06,
    busy_cpu: 0.31,
    live_mb: 3_310.0,
    garbage_mb: 0.0,
    limit_mb: 8_192.0,
    requests_per_collection: 1.0,
    gc_pause_ms: 0.0,
    threads: (38.0, 0.0),
    connections: (41.0, 46.0),
    queue: 0.5,
    statements: 0.0,
};

const MANAGED: Profile = Profile {
    managed: true,
    version: "v1.0.0",
    threads: (24.0, 14.0),
    ..BASE
};

/// In the order of [`Service::ALL`].
const PROFILES: [Profile; 9] = [
    Profile {
        name: "gateway",
        version: "v3.9.2",
        idle_cpu: 0.03,
        busy_cpu: 0.27,
        live_mb: 148.0,
        limit_mb: 512.0,
        threads: (16.0, 0.0),
        connections: (60.0, 540.0),
        queue: 1.2,
        ..BASE
    },
    Profile {
        name: "catalog",
        version: "v2.16.4",
        idle_cpu: 0.04,
        busy_cpu: 0.36,
        live_mb: 540.0,
        garbage_mb: 210.0,
        limit_mb: 1_536.0,
        requests_per_collection: 3_600.0,
        gc_pause_ms: 5.0,
        threads: (28.0, 22.0),
        connections: (18.0, 64.0),
        queue: 0.8,
        statements: 0.35,
        ..MANAGED
    },
    Profile {
        name: "search",
        version: "v4.2.1",
        idle_cpu: 0.07,
        busy_cpu: 0.41,
        live_mb: 640.0,
        garbage_mb: 280.0,
        limit_mb: 2_048.0,
        requests_per_collection: 3_900.0,
        gc_pause_ms: 7.5,
        threads: (34.0, 26.0),
        connections: (22.0, 70.0),
        queue: 1.6,
        statements: 0.05,
        ..MANAGED
    },
    Profile {
        name: "cart",
        version: "v1.28.0",
        idle_cpu: 0.03,
        busy_cpu: 0.24,
        live_mb: 310.0,
        garbage_mb: 120.0,
        limit_mb: 1_024.0,
        requests_per_collection: 2_100.0,
        gc_pause_ms: 3.6,
        connections: (14.0, 31.0),
        queue: 0.6,
        statements: 2.0,
        ..MANAGED
    },
    Profile {
        name: "checkout",
        version: "v1.40.2",
        idle_cpu: 0.03,
        busy_cpu: 0.29,
        live_mb: 395.0,
        garbage_mb: 150.0,
        limit_mb: 1_024.0,
        requests_per_collection: 1_500.0,
        gc_pause_ms: 4.4,
        connections: (16.0, 38.0),
        queue: 1.1,
        statements: 6.0,
        ..MANAGED
    },
    Profile {
        name: "payments",
        version: "v5.11.0",
        idle_cpu: 0.02,
        busy_cpu: 0.19,
        live_mb: 286.0,
        garbage_mb: 96.0,
        limit_mb: 768.0,
        requests_per_collection: 620.0,
        gc_pause_ms: 3.9,
        threads: (20.0, 9.0),
        connections: (12.0, 18.0),
        queue: 0.7,
        statements: 3.0,
        ..MANAGED
    },
    Profile {
        name: "orders",
        version: "v2.7.5",
        idle_cpu: 0.03,
        busy_cpu: 0.22,
        live_mb: 352.0,
        garbage_mb: 130.0,
        limit_mb: 1_024.0,
        requests_per_collection: 1_300.0,
        gc_pause_ms: 4.1,
        connections: (13.0, 24.0),
        queue: 1.4,
        statements: 4.0,
        ..MANAGED
    },
    Profile {
        name: "inventory",
        version: "v3.3.8",
        idle_cpu: 0.03,
        busy_cpu: 0.15,
        live_mb: 264.0,
        garbage_mb: 88.0,
        limit_mb: 768.0,
        requests_per_collection: 540.0,
        gc_pause_ms: 3.2,
        threads: (18.0, 7.0),
        connections: (10.0, 15.0),
        queue: 0.9,
        statements: 3.0,
        ..MANAGED
    },
    BASE,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_come_before_the_routes_they_call() {
        for (id, route) in ROUTES.iter().enumerate() {
            assert!(route.calls.iter().all(|&(callee, _)| callee > id), "{}", route.name);
            if let Traffic::PartOf(caller, _) = route.traffic {
                assert!(caller < id, "{}", route.name);
            }
        }
    }

    #[test]
    fn positions_name_the_routes_they_say() {
        let names = [
            (GATEWAY_CHECKOUT, "POST /api/checkout"),
            (GATEWAY_PRODUCTS, "GET /api/products"),
            (POST_CHECKOUT, "POST /checkout"),
            (GET_PRODUCT, "GET /products/:id"),
            (CREATE_ORDER, "POST /orders"),
            (AUTHORISE, "POST /payments/authorise"),
            (RESERVE, "POST /inventory/reservations"),
        ];
        for (id, name) in names {
            assert_eq!(ROUTES[id].name, name);
        }
        for service in Service::ALL {
            assert_eq!(PROFILES[service as usize].name, format!("{service:?}").to_lowercase());
        }
    }
}
