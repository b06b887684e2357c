//! What happens in the shop, and when: the plan the simulation follows.

mod draw;

use std::net::Ipv4Addr;

use super::shop::{POST_CHECKOUT, ROUTES, RouteId, Service};

pub(super) use draw::usual_demand;
pub use draw::{Draw, DrawError, usual_requests_per_second};

/// Everything a simulation depends on. The same plan gives the same bytes.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Everything random is drawn from this.
    pub seed: u64,
    /// Unix seconds, at a full half minute.
    pub start: i64,
    /// How long the simulation lasts, in whole half minutes.
    pub seconds: i64,
    /// What the traffic of the shop is multiplied with: 1 is the shop of the demonstration.
    pub scale: f64,
    /// What the number of log lines is multiplied with, whatever the traffic.
    pub verbosity: f64,
    /// What happens besides ordinary life, in any order.
    pub events: Vec<Scheduled>,
}

/// One thing that happens, from `start` up to and without `end`.
#[derive(Clone, Debug)]
pub struct Scheduled {
    /// When it begins, in unix seconds at a full half minute.
    pub start: i64,
    /// The first moment after it, in unix seconds at a full half minute.
    pub end: i64,
    /// What it is.
    pub what: Happening,
}

/// What can happen: the first three are part of a good day, the others are
/// incidents.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Happening {
    /// A new version rolls out: harmless.
    Deploy {
        /// What restarts.
        service: Service,
        /// What it runs from then on; lines and routes may be new with it.
        version: &'static str,
    },
    /// A campaign multiplies demand: harmless.
    Campaign {
        /// What demand is multiplied with once everybody has read the mail.
        factor: f64,
    },
    /// The caches of a service are emptied and fill again: harmless.
    CacheFlush {
        /// The service that has to ask the database for everything.
        service: Service,
    },
    /// A query plan goes bad and one route slows down, more by the minute.
    SlowRoute {
        /// The route whose own part of the answer slows down; its callers wait
        /// for it.
        route: RouteId,
    },
    /// The acquirer behind a service stops answering for a growing share of
    /// the requests.
    LostUpstream {
        /// The service whose requests fail; it is restarted near the end.
        service: Service,
    },
    /// Memory is kept that nobody needs, until the container is killed.
    MemoryLeak {
        /// The service that leaks; it is killed near the end.
        service: Service,
    },
    /// From one moment to the next all answers of a route take longer.
    LatencyRegression {
        /// The route whose own part of the answer takes longer.
        route: RouteId,
        /// What its latencies are multiplied with.
        factor: f64,
    },
    /// A defect makes a share of a route's requests fail at once.
    ErrorBurst {
        /// The route with the defect; its callers fail with it.
        route: RouteId,
        /// The share of its requests that fail.
        share: f64,
    },
    /// The machine below a service is starved, and all of its routes slow down.
    SlowUpstream {
        /// The service on that machine.
        service: Service,
        /// What its latencies are multiplied with after two minutes.
        factor: f64,
    },
    /// Requests no longer reach a route.
    SilentRoute {
        /// The route that nobody calls any more.
        route: RouteId,
    },
    /// A route is overloaded, its clients try again, and that is what overloads it.
    RetryStorm {
        /// The route that is called again and again.
        route: RouteId,
        /// How many times as many requests arrive.
        volume: f64,
    },
    /// One client looks for paths that do not exist.
    PathScan {
        /// Its address.
        client: Ipv4Addr,
        /// How often it asks.
        per_second: f64,
    },
    /// Most answers of a route get quicker and some much slower, so that their mean stays.
    LatencySplit {
        /// The route that answers in two ways.
        route: RouteId,
    },
    /// A route gets slower all the time, too little at any moment to notice.
    SlowDrift {
        /// The route that gets slower.
        route: RouteId,
        /// What its latencies are multiplied with in the end.
        factor: f64,
    },
}

/// A service restarts this long before the end of an incident: the end is the
/// moment it is warm again.
pub(super) const WARM_UP: i64 = 120;

impl Plan {
    /// An ordinary Monday, and the Tuesday on which three things go wrong.
    ///
    /// The campaigns and deployments of the second day differ in hour and in
    /// service from those of the first, so that nothing can be learned by the
    /// clock; incidents keep an hour's distance from each other.
    pub fn demo() -> Self {
        const MONDAY: i64 = 1_772_409_600; // 2026-03-02T00:00:00Z
        const TUESDAY: i64 = MONDAY + 86_400;
        let at = |day: i64, hour: i64, minute: i64| day + hour * 3600 + minute * 60;
        let deploy = |start: i64, service: Service, version: &'static str| Scheduled {
            start,
            end: start + 300,
            what: Happening::Deploy { service, version },
        };
        Self {
            seed: 20_260_302,
            start: MONDAY,
            seconds: 2 * 86_400,
            scale: 1.0,
            verbosity: 1.0,
            events: vec![
                deploy(at(MONDAY, 10, 20), Service::Catalog, "v2.17.0"),
                deploy(at(MONDAY, 14, 35), Service::Checkout, "v1.41.0"),
                Scheduled {
                    start: at(MONDAY, 16, 0),
                    end: at(MONDAY, 16, 40),
                    what: Happening::Campaign { factor: 2.0 },
                },
                Scheduled {
                    start: at(TUESDAY, 4, 0),
                    end: at(TUESDAY, 8, 20),
                    what: Happening::MemoryLeak {
                        service: Service::Search,
                    },
                },
                deploy(at(TUESDAY, 9, 50), Service::Inventory, "v3.4.0"),
                Scheduled {
                    start: at(TUESDAY, 11, 10),
                    end: at(TUESDAY, 12, 0),
                    what: Happening::SlowRoute { route: POST_CHECKOUT },
                },
                deploy(at(TUESDAY, 13, 15), Service::Catalog, "v2.18.0"),
                Scheduled {
                    start: at(TUESDAY, 14, 50),
                    end: at(TUESDAY, 15, 25),
                    what: Happening::LostUpstream {
                        service: Service::Payments,
                    },
                },
                deploy(at(TUESDAY, 16, 45), Service::Orders, "v2.8.0"),
                Scheduled {
                    start: at(TUESDAY, 18, 30),
                    end: at(TUESDAY, 19, 10),
                    what: Happening::Campaign { factor: 2.0 },
                },
            ],
        }
    }

    /// Unix seconds of the first moment that is not simulated.
    pub(super) fn end(&self) -> i64 {
        self.start + self.seconds
    }

    /// The version of a service that runs at a moment.
    pub(super) fn version(&self, running: Service, now: i64) -> &'static str {
        let deployed = self.events.iter().filter_map(|event| match event.what {
            Happening::Deploy { service, version } if service == running && event.start <= now => {
                Some((event.start, version))
            }
            _ => None,
        });
        deployed
            .max_by_key(|&(start, _)| start)
            .map_or(running.profile().version, |(_, version)| version)
    }

    /// Whether something a version introduced exists at a moment, because that
    /// version or a later one was deployed.
    pub(super) fn released(&self, of: Service, since: Option<&str>, now: i64) -> bool {
        let Some(since) = since else { return true };
        self.events.iter().any(|event| match event.what {
            Happening::Deploy { service, version } => {
                service == of && version == since && event.start + Scheduled::STARTING <= now
            }
            _ => false,
        })
    }
}

impl Scheduled {
    /// How long a process takes from its first line to its first request.
    pub(super) const STARTING: i64 = 30;

    /// The service that restarts because of this event, and when.
    pub(super) fn restart(&self) -> Option<(Service, i64)> {
        match self.what {
            Happening::Deploy { service, .. } => Some((service, self.start)),
            Happening::LostUpstream { service } | Happening::MemoryLeak { service } => {
                Some((service, self.end - WARM_UP))
            }
            _ => None,
        }
    }

    /// Whether a detector should find it.
    #[cfg(test)]
    pub(super) fn is_incident(&self) -> bool {
        !matches!(
            self.what,
            Happening::Deploy { .. } | Happening::Campaign { .. } | Happening::CacheFlush { .. }
        )
    }

    /// The service at fault, for an incident or a deployment.
    pub(super) fn service(&self) -> Option<Service> {
        match self.what {
            Happening::Deploy { service, .. }
            | Happening::CacheFlush { service }
            | Happening::LostUpstream { service }
            | Happening::MemoryLeak { service }
            | Happening::SlowUpstream { service, .. } => Some(service),
            Happening::SlowRoute { route }
            | Happening::LatencyRegression { route, .. }
            | Happening::ErrorBurst { route, .. }
            | Happening::SilentRoute { route }
            | Happening::RetryStorm { route, .. }
            | Happening::LatencySplit { route }
            | Happening::SlowDrift { route, .. } => Some(ROUTES[route].service),
            Happening::PathScan { .. } => Some(Service::Gateway),
            Happening::Campaign { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_demo_overlaps() {
        let plan = Plan::demo();
        let mut events = plan.events.clone();
        events.sort_by_key(|event| event.start);
        for pair in events.windows(2) {
            let gap = pair[1].start - pair[0].end;
            assert!(gap >= 1800, "{pair:?}");
        }
        let incidents: Vec<_> = events.iter().filter(|event| event.is_incident()).collect();
        assert_eq!(incidents.len(), 3);
        for pair in incidents.windows(2) {
            assert!(pair[1].start - pair[0].end >= 3600);
        }
        for event in &events {
            assert!(event.start >= plan.start && event.end <= plan.end());
            assert!(event.start % 30 == 0 && event.end % 30 == 0);
            assert!(!event.is_incident() || event.start >= plan.start + 86_400);
        }
    }

    #[test]
    fn versions_follow_the_deployments() {
        let plan = Plan::demo();
        assert_eq!(plan.version(Service::Catalog, plan.start), "v2.16.4");
        assert_eq!(plan.version(Service::Catalog, plan.end()), "v2.18.0");
        assert!(!plan.released(Service::Catalog, Some("v2.18.0"), plan.start));
        assert!(plan.released(Service::Catalog, Some("v2.18.0"), plan.end()));
    }
}
