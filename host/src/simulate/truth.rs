//! The ground truth: what a detector should have said, and what it should
//! have kept quiet about.

mod labels;

use std::collections::BTreeSet;

use serde::Serialize;

pub use labels::{Label, Labels};

use super::conditions;
use super::plan::{Happening, Plan, Scheduled};
use super::shop::{ROUTES, Route, RouteId, Service};

/// What there is to be found in the events of a plan, and what is not.
#[derive(Clone, Debug, Serialize)]
pub struct Truth {
    /// What should be reported, in the order of the plan.
    pub incidents: Vec<Incident>,
    /// What shows in the events and should not be reported, in the order of
    /// the plan.
    pub harmless: Vec<Harmless>,
}

/// Something that went wrong. Times are unix seconds.
#[derive(Clone, Debug, Serialize)]
pub struct Incident {
    /// What happened, in a few words that name who.
    pub name: String,
    /// The failure that was simulated.
    pub kind: Kind,
    /// The fault begins.
    pub start: i64,
    /// Users notice from here on, if nobody acts.
    pub impact: i64,
    /// The fault is repaired and the service is warm again.
    pub end: i64,
    /// Where the cause is: an alarm here is right.
    pub at_fault: Vec<Subject>,
    /// Not at fault, but visibly touched: callers, and the process itself.
    pub affected: Vec<Subject>,
    /// What was done to the shop, in a sentence with its numbers.
    pub description: String,
}

/// The failures that are simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Latency grows over minutes; hardly anything fails.
    SlowRoute,
    /// Requests fail at once, and log lines appear that were never seen.
    LostUpstream,
    /// Memory grows over hours before anybody notices.
    MemoryLeak,
    /// A route is slower from one moment to the next.
    LatencyRegression,
    /// A share of a route's requests fails from one moment to the next.
    ErrorBurst,
    /// All routes of a service get slower within two minutes.
    SlowUpstream,
    /// Nobody calls a route any more.
    SilentRoute,
    /// A route gets many times its requests, because they fail and come again.
    RetryStorm,
    /// One client asks for many paths that do not exist.
    PathScan,
    /// Most answers get quicker and some much slower; their mean stays.
    LatencySplit,
    /// A route gets slower over hours, evenly.
    SlowDrift,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 11] = [
        Kind::SlowRoute,
        Kind::LostUpstream,
        Kind::MemoryLeak,
        Kind::LatencyRegression,
        Kind::ErrorBurst,
        Kind::SlowUpstream,
        Kind::SilentRoute,
        Kind::RetryStorm,
        Kind::PathScan,
        Kind::LatencySplit,
        Kind::SlowDrift,
    ];

    /// As it is written in the truth and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::SlowRoute => "slow_route",
            Kind::LostUpstream => "lost_upstream",
            Kind::MemoryLeak => "memory_leak",
            Kind::LatencyRegression => "latency_regression",
            Kind::ErrorBurst => "error_burst",
            Kind::SlowUpstream => "slow_upstream",
            Kind::SilentRoute => "silent_route",
            Kind::RetryStorm => "retry_storm",
            Kind::PathScan => "path_scan",
            Kind::LatencySplit => "latency_split",
            Kind::SlowDrift => "slow_drift",
        }
    }
}

/// Something that changes the shop and is meant to. Times are unix seconds.
#[derive(Clone, Debug, Serialize)]
pub struct Harmless {
    /// What happened, in a few words.
    pub name: String,
    /// `deploy`, `new_route`, `campaign` or `cache_flush`.
    pub kind: &'static str,
    /// When it begins.
    pub start: i64,
    /// The first moment after it, when a restarted service is warm again.
    pub end: i64,
    /// The service deployed, or nothing when the whole shop is concerned.
    pub service: Option<&'static str>,
}

/// The labels of a metric row, or those of a route row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Subject {
    /// The label `service`.
    pub service: &'static str,
    /// The label `route`; the rows of a process have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<&'static str>,
}

impl Truth {
    /// What a plan does to the shop, whatever the noise around it.
    pub fn of(plan: &Plan) -> Self {
        Self {
            incidents: plan.events.iter().filter_map(incident).collect(),
            harmless: plan.events.iter().filter_map(harmless).collect(),
        }
    }
}

fn incident(event: &Scheduled) -> Option<Incident> {
    let (name, kind, at_fault, touched, description) = match event.what {
        Happening::Deploy { .. } | Happening::Campaign { .. } | Happening::CacheFlush { .. } => return None,
        Happening::SlowRoute { route } => (
            format!("{} slows down", ROUTES[route].name),
            Kind::SlowRoute,
            vec![of_route(route)],
            vec![of_service(ROUTES[route].service), of_service(Service::Postgres)],
            format!(
                "A bad query plan makes {} slower over 25 minutes, its median up to 2.5 times and its 99th percentile up to 4 times.",
                ROUTES[route].name
            ),
        ),
        Happening::LostUpstream { service } => {
            let mut at_fault = vec![of_service(service)];
            at_fault.extend(routes_of(service).map(of_route));
            (
                format!("{} loses its acquirer", service.profile().name),
                Kind::LostUpstream,
                at_fault,
                Vec::new(),
                format!(
                    "An expired certificate makes requests of {} fail, 1 % at first and 20 % after ten minutes, with error lines never seen before.",
                    service.profile().name
                ),
            )
        }
        Happening::MemoryLeak { service } => (
            format!("{} leaks memory", service.profile().name),
            Kind::MemoryLeak,
            vec![of_service(service)],
            routes_of(service).map(of_route).collect(),
            format!(
                "{} keeps about 340 MB an hour that it does not need; collections get slower towards the limit of its container, and it is killed there.",
                service.profile().name
            ),
        ),
        Happening::LatencyRegression { route, factor } => (
            format!("{} is slower than before", ROUTES[route].name),
            Kind::LatencyRegression,
            vec![of_route(route)],
            vec![of_service(ROUTES[route].service)],
            format!("All answers of {} take {factor:.1} times as long.", ROUTES[route].name),
        ),
        Happening::ErrorBurst { route, share } => (
            format!("{} fails", ROUTES[route].name),
            Kind::ErrorBurst,
            vec![of_route(route)],
            vec![of_service(ROUTES[route].service)],
            format!(
                "A defect makes {:.0} % of the requests for {} fail at once with status 500.",
                100.0 * share,
                ROUTES[route].name
            ),
        ),
        Happening::SlowUpstream { service, factor } => {
            let mut at_fault = vec![of_service(service)];
            at_fault.extend(routes_of(service).map(of_route));
            (
                format!("{} is starved", service.profile().name),
                Kind::SlowUpstream,
                at_fault,
                Vec::new(),
                format!(
                    "The machine below {} is busy with something else; within two minutes all of its routes take {factor:.1} times as long.",
                    service.profile().name
                ),
            )
        }
        Happening::SilentRoute { route } => (
            format!("nobody reaches {}", ROUTES[route].name),
            Kind::SilentRoute,
            vec![of_route(route)],
            // What it calls gets fewer requests, or none.
            ROUTES[route]
                .calls
                .iter()
                .map(|&(callee, _)| of_route(callee))
                .collect(),
            format!("No request reaches {} any more.", ROUTES[route].name),
        ),
        Happening::RetryStorm { route, volume } => (
            format!("clients of {} try again and again", ROUTES[route].name),
            Kind::RetryStorm,
            vec![of_route(route)],
            vec![of_service(ROUTES[route].service)],
            format!(
                "{} gets up to {volume:.1} times its requests, of which 38 % fail with status 503 and come again.",
                ROUTES[route].name
            ),
        ),
        Happening::PathScan { client, per_second } => (
            format!("{client} scans for paths"),
            Kind::PathScan,
            vec![of_service(Service::Gateway)],
            Vec::new(),
            format!(
                "The client {client} asks for paths that do not exist, {per_second:.1} times a second, and gets status 404."
            ),
        ),
        Happening::LatencySplit { route } => (
            format!("{} answers in two ways", ROUTES[route].name),
            Kind::LatencySplit,
            vec![of_route(route)],
            vec![of_service(ROUTES[route].service)],
            format!(
                "70 % of the answers of {} take half of the usual time and 30 % more than twice as long; the mean stays.",
                ROUTES[route].name
            ),
        ),
        Happening::SlowDrift { route, factor } => (
            format!("{} gets slower and slower", ROUTES[route].name),
            Kind::SlowDrift,
            vec![of_route(route)],
            vec![of_service(ROUTES[route].service)],
            format!(
                "{} gets slower at an even pace, up to {factor:.1} times the usual time.",
                ROUTES[route].name
            ),
        ),
    };
    let mut affected: BTreeSet<Subject> = touched.into_iter().collect();
    for (route, profile) in ROUTES.iter().enumerate() {
        if at_fault.contains(&of_route(route)) {
            callers(route, &mut affected);
            affected.insert(of_service(profile.service));
        }
    }
    affected.retain(|subject| !at_fault.contains(subject));
    Some(Incident {
        name,
        kind,
        start: event.start,
        impact: conditions::impact(event)?,
        end: event.end,
        at_fault,
        affected: affected.into_iter().collect(),
        description,
    })
}

fn harmless(event: &Scheduled) -> Option<Harmless> {
    let (kind, name) = match event.what {
        Happening::Deploy { service, version } => {
            let adds = |route: &Route| route.service == service && route.since == Some(version);
            let kind = if ROUTES.iter().any(adds) { "new_route" } else { "deploy" };
            (kind, format!("deploy {} {version}", service.profile().name))
        }
        Happening::Campaign { factor } => ("campaign", format!("campaign, demand times {factor:.1}")),
        Happening::CacheFlush { service } => (
            "cache_flush",
            format!("the caches of {} fill again", service.profile().name),
        ),
        _ => return None,
    };
    Some(Harmless {
        name,
        kind,
        start: event.start,
        end: event.end,
        service: event.service().map(|service| service.profile().name),
    })
}

/// Every route that waits for this one, and the process that serves it: an
/// open request holds a connection all the way up.
fn callers(route: RouteId, found: &mut BTreeSet<Subject>) {
    for (caller, profile) in ROUTES.iter().enumerate() {
        if profile.calls.iter().any(|&(callee, _)| callee == route) {
            found.insert(of_route(caller));
            found.insert(of_service(profile.service));
            callers(caller, found);
        }
    }
}

fn routes_of(service: Service) -> impl Iterator<Item = RouteId> {
    (0..ROUTES.len()).filter(move |&route| ROUTES[route].service == service)
}

fn of_service(service: Service) -> Subject {
    Subject {
        service: service.profile().name,
        route: None,
    }
}

fn of_route(route: RouteId) -> Subject {
    Subject {
        service: ROUTES[route].service.profile().name,
        route: Some(ROUTES[route].name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_truth_names_fault_and_callers() {
        let truth = Truth::of(&Plan::demo());
        assert_eq!((truth.incidents.len(), truth.harmless.len()), (3, 7));
        let lost = &truth.incidents[2];
        assert_eq!(lost.kind, Kind::LostUpstream);
        assert!(lost.affected.iter().any(|s| s.route == Some("POST /api/checkout")));
        assert!(lost.affected.iter().any(|s| s.route == Some("POST /checkout")));
        assert!(lost.at_fault.iter().any(|s| s.route == Some("POST /payments/refund")));
    }
}
