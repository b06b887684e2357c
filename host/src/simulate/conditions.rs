//! What the plan and the timetable do to the shop at one moment: the only
//! place where a scheduled event becomes a number.

use std::net::Ipv4Addr;

use super::jobs::JOBS;
use super::load;
use super::plan::{Happening, Plan, Scheduled, WARM_UP};
use super::shop::{ROUTES, Service};

/// The state of affairs during one tick.
pub(super) struct Conditions {
    /// What campaigns multiply demand with.
    pub(super) surge: f64,
    /// In the order of [`Service::ALL`].
    pub(super) services: [Strain; Service::ALL.len()],
    /// In the order of [`ROUTES`].
    pub(super) routes: [Fault; ROUTES.len()],
    /// A client that looks for paths that do not exist, and how often it asks
    /// in a second.
    pub(super) scan: Option<(Ipv4Addr, f64)>,
    /// How requests fail in the incident that is on: the log has other words
    /// for each.
    pub(super) failure: Failure,
}

/// What presses on a service.
#[derive(Clone, Copy)]
pub(super) struct Strain {
    /// Seconds since the process started, if it did during the simulation.
    pub(super) uptime: Option<i64>,
    pub(super) leaked_mb: f64,
    /// How hard the collector has to work for the last free memory, 0 to 1.
    pub(super) pressure: f64,
    pub(super) cpu: f64,
    pub(super) queue: f64,
}

/// What is wrong with a route. Latencies are factors.
#[derive(Clone, Copy)]
pub(super) struct Fault {
    pub(super) served: bool,
    pub(super) median: f64,
    pub(super) tail: f64,
    /// Share of requests that fail because of an incident, and how.
    pub(super) failing: f64,
    pub(super) failure: Failure,
    /// How many times as many requests arrive.
    pub(super) volume: f64,
    /// Whether most answers are quicker and some much slower than usual.
    pub(super) is_split: bool,
}

/// How requests fail because of an incident.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Failure {
    /// The handler gives up.
    Defect,
    /// What the handler depends on cannot be reached.
    Unreachable,
    /// There are too many requests.
    Overload,
    /// The process dies.
    Death,
}

impl Conditions {
    pub(super) fn at(plan: &Plan, now: i64) -> Self {
        let mut conditions = Self {
            surge: 1.0,
            services: [Strain {
                uptime: None,
                leaked_mb: 0.0,
                pressure: 0.0,
                cpu: 0.0,
                queue: 0.0,
            }; Service::ALL.len()],
            routes: [Fault {
                served: true,
                median: 1.0,
                tail: 1.0,
                failing: 0.0,
                failure: Failure::Unreachable,
                volume: 1.0,
                is_split: false,
            }; ROUTES.len()],
            scan: None,
            failure: Failure::Unreachable,
        };
        for (route, fault) in ROUTES.iter().zip(&mut conditions.routes) {
            fault.served = plan.released(route.service, route.since, now);
        }
        for job in JOBS {
            if job.running(now) {
                for &(service, cpu, queue) in job.costs {
                    conditions.services[service as usize].cpu += cpu;
                    conditions.services[service as usize].queue += queue;
                }
            }
        }
        for event in &plan.events {
            conditions.restart(event, now);
            if (event.start..event.end).contains(&now) {
                conditions.apply(event, now);
            }
        }
        conditions
    }

    fn apply(&mut self, event: &Scheduled, now: i64) {
        let elapsed = now - event.start;
        match event.what {
            Happening::Deploy { .. } => {}
            Happening::Campaign { factor } => {
                // People arrive within three minutes of the mail and leave
                // over five.
                let arrived = (elapsed as f64 / 180.0).min(1.0);
                let staying = ((event.end - now) as f64 / 300.0).min(1.0);
                self.surge *= 1.0 + (factor - 1.0) * arrived.min(staying);
            }
            Happening::SlowRoute { route } => {
                let fault = &mut self.routes[route];
                fault.median *= slow_median(elapsed);
                fault.tail *= slow_tail(elapsed);
                // The database reads whole tables for what an index gave it.
                self.services[Service::Postgres as usize].cpu += 0.07 * slowing(elapsed);
            }
            Happening::LostUpstream { service } if now < event.end - WARM_UP => {
                let share = lost_share(elapsed);
                for fault in self.routes_of(service) {
                    fault.failing = share;
                    // Failed attempts wait for their timeout in the tail.
                    fault.median *= 1.0 + share;
                    fault.tail *= 1.0 + 3.0 * share;
                }
                self.services[service as usize].queue += 40.0 * share;
            }
            Happening::MemoryLeak { service } if now < event.end - WARM_UP => {
                let leaked = leaked_mb(elapsed);
                let profile = service.profile();
                let occupied = occupied_mb(service, leaked, now) / profile.limit_mb;
                let pressure = ((occupied - 0.75) / 0.25).clamp(0.0, 1.0);
                let strain = &mut self.services[service as usize];
                strain.leaked_mb = leaked;
                strain.pressure = pressure * pressure;
                strain.cpu += 0.25 * strain.pressure;
                let pressure = strain.pressure;
                let thrashing = occupied >= 1.0;
                for fault in self.routes_of(service) {
                    fault.median *= if thrashing { 2.6 } else { 1.0 + 0.15 * pressure };
                    fault.tail *= if thrashing { 5.0 } else { 1.0 + 0.9 * pressure };
                    fault.failing = if thrashing { 0.12 } else { 0.0 };
                    fault.failure = Failure::Death;
                }
            }
            Happening::CacheFlush { service } => {
                let empty = 1.0 - elapsed as f64 / (event.end - event.start) as f64;
                for fault in self.routes_of(service) {
                    fault.median *= 1.0 + 0.9 * empty;
                    fault.tail *= 1.0 + 0.5 * empty;
                }
                self.services[Service::Postgres as usize].cpu += 0.10 * empty;
            }
            Happening::LatencyRegression { route, factor } => {
                let fault = &mut self.routes[route];
                fault.median *= factor;
                fault.tail *= factor;
            }
            Happening::ErrorBurst { route, share } => {
                let fault = &mut self.routes[route];
                fault.failing = share;
                fault.failure = Failure::Defect;
                self.failure = Failure::Defect;
            }
            Happening::SlowUpstream { service, factor } => {
                let starved = starved(elapsed);
                for fault in self.routes_of(service) {
                    fault.median *= 1.0 + (factor - 1.0) * starved;
                    fault.tail *= 1.0 + 1.3 * (factor - 1.0) * starved;
                }
                let strain = &mut self.services[service as usize];
                strain.cpu += 0.35 * starved;
                strain.queue += 8.0 * starved;
            }
            Happening::SilentRoute { route } => self.routes[route].volume = 0.0,
            Happening::RetryStorm { route, volume } => {
                // Every failure makes another request within seconds.
                let risen = (elapsed as f64 / 120.0 + 0.25).min(1.0);
                let fault = &mut self.routes[route];
                fault.volume = 1.0 + (volume - 1.0) * risen;
                fault.failing = 0.38 * risen;
                fault.failure = Failure::Overload;
                self.failure = Failure::Overload;
                fault.median *= 1.0 + 0.8 * risen;
                fault.tail *= 1.0 + 1.4 * risen;
                self.services[ROUTES[route].service as usize].queue += 25.0 * risen;
            }
            Happening::PathScan { client, per_second } => self.scan = Some((client, per_second)),
            Happening::LatencySplit { route } => {
                let fault = &mut self.routes[route];
                fault.is_split = true;
                fault.median *= SPLIT_MEDIAN;
                fault.tail *= SPLIT_TAIL;
            }
            Happening::SlowDrift { route, factor } => {
                let drifted = drifted(event, factor, now);
                let fault = &mut self.routes[route];
                fault.median *= drifted;
                fault.tail *= drifted;
            }
            Happening::LostUpstream { .. } | Happening::MemoryLeak { .. } => {}
        }
    }

    /// A process that just started is slow and busy until its caches and its
    /// compiled code are warm.
    fn restart(&mut self, event: &Scheduled, now: i64) {
        let Some((service, restarted)) = event.restart() else {
            return;
        };
        let uptime = now - restarted;
        let strain = &mut self.services[service as usize];
        if uptime < 0 || strain.uptime.is_some_and(|known| known < uptime) {
            return;
        }
        strain.uptime = Some(uptime);
        let cold = (1.0 - uptime as f64 / WARM_UP as f64).max(0.0);
        strain.cpu += 0.22 * cold;
        for fault in self.routes_of(service) {
            fault.median *= 1.0 + 0.30 * cold;
            fault.tail *= 1.0 + 0.80 * cold;
        }
    }

    fn routes_of(&mut self, service: Service) -> impl Iterator<Item = &mut Fault> {
        ROUTES
            .iter()
            .zip(&mut self.routes)
            .filter(move |(route, _)| route.service == service)
            .map(|(_, fault)| fault)
    }
}

/// The moment an incident becomes an outage that users notice, if nobody acts:
/// the first tick at which its schedule, without noise, misses the objective.
///
/// - A slow route: its 99th percentile is above [`TAIL_OBJECTIVE_MS`].
/// - A lost upstream: more than [`FAILING_OBJECTIVE`] of the requests fail,
///   which spends the error budget of 99.9 % a hundredfold.
/// - A memory leak: what is in use fills the container, so that the collector
///   finds nothing and requests start to fail.
pub(super) fn impact(event: &Scheduled) -> Option<i64> {
    let missed = |now: i64| {
        let elapsed = now - event.start;
        match event.what {
            Happening::SlowRoute { route } => {
                let route = &ROUTES[route];
                let usual = route.median_ms * route.tail * load::crowding(load::expected(now));
                usual * slow_tail(elapsed) > TAIL_OBJECTIVE_MS
            }
            Happening::LostUpstream { .. } => lost_share(elapsed) > FAILING_OBJECTIVE,
            Happening::MemoryLeak { service } => {
                occupied_mb(service, leaked_mb(elapsed), now) >= service.profile().limit_mb
            }
            // Whoever is concerned notices at once.
            Happening::LatencyRegression { .. }
            | Happening::ErrorBurst { .. }
            | Happening::SilentRoute { .. }
            | Happening::PathScan { .. }
            | Happening::LatencySplit { .. } => true,
            Happening::SlowUpstream { .. } => starved(elapsed) >= 1.0,
            Happening::RetryStorm { .. } => elapsed >= 120,
            Happening::SlowDrift { factor, .. } => drifted(event, factor, now) > 1.5,
            Happening::Deploy { .. } | Happening::Campaign { .. } | Happening::CacheFlush { .. } => false,
        }
    };
    first(event, missed)
}

/// The moment from which on an incident can be seen at all, in hindsight and
/// by somebody who knows where to look: a seventh more than usual.
pub(super) fn onset(event: &Scheduled) -> i64 {
    let shows = |now: i64| {
        let elapsed = now - event.start;
        match event.what {
            Happening::SlowRoute { .. } => slow_median(elapsed) > VISIBLE,
            Happening::SlowDrift { factor, .. } => drifted(event, factor, now) > VISIBLE,
            Happening::MemoryLeak { service } => leaked_mb(elapsed) > (VISIBLE - 1.0) * service.profile().live_mb,
            _ => true,
        }
    };
    first(event, shows).unwrap_or(event.start)
}

const VISIBLE: f64 = 1.15;

fn first(event: &Scheduled, holds: impl Fn(i64) -> bool) -> Option<i64> {
    let mut ticks = (event.start..event.end).step_by(super::TICK as usize);
    ticks.find(|&now| holds(now))
}

const TAIL_OBJECTIVE_MS: f64 = 2_500.0;
const FAILING_OBJECTIVE: f64 = 0.10;

/// How far a slow route has come, from 0 to 1 within 25 minutes.
fn slowing(elapsed: i64) -> f64 {
    (elapsed as f64 / 1500.0).clamp(0.0, 1.0)
}

fn slow_median(elapsed: i64) -> f64 {
    1.0 + 1.5 * slowing(elapsed)
}

fn slow_tail(elapsed: i64) -> f64 {
    1.0 + 3.0 * slowing(elapsed)
}

/// From 1 % to 20 % within ten minutes.
fn lost_share(elapsed: i64) -> f64 {
    0.01 + 0.19 * (elapsed as f64 / 600.0).clamp(0.0, 1.0)
}

/// About 340 MB an hour.
fn leaked_mb(elapsed: i64) -> f64 {
    LEAK_MB_A_SECOND * elapsed as f64
}

pub(super) const LEAK_MB_A_SECOND: f64 = 0.0945;

/// How far a machine has been taken away, from 0 to 1 within two minutes.
fn starved(elapsed: i64) -> f64 {
    ((elapsed as f64 + 30.0) / 120.0).clamp(0.0, 1.0)
}

/// What a route that drifts is multiplied with.
fn drifted(event: &Scheduled, factor: f64, now: i64) -> f64 {
    let passed = (now - event.start) as f64 / (event.end - event.start).max(1) as f64;
    1.0 + (factor - 1.0) * passed
}

/// Where answers are split, this share of them takes so much of the usual
/// time, and the others take what keeps the mean.
pub(super) const SPLIT: (f64, f64) = (0.7, 0.5);
/// What that does to the median and to the 99th percentile, as measured on a
/// log-normal distribution of the usual width.
pub(super) const SPLIT_MEDIAN: f64 = 0.70;
pub(super) const SPLIT_TAIL: f64 = 1.60;

/// Megabytes in use after a collection, as the schedule has it.
fn occupied_mb(service: Service, leaked_mb: f64, now: i64) -> f64 {
    service.profile().live_mb * (1.0 + LIVE_BY_LOAD * load::expected(now)) + leaked_mb
}

/// Sessions and caches: what an ordinary peak adds to the memory in use.
pub(super) const LIVE_BY_LOAD: f64 = 0.06;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_incident_reaches_its_impact_before_its_end() {
        for event in Plan::demo().events {
            let moment = impact(&event);
            assert_eq!(moment.is_some(), event.is_incident());
            if let Some(moment) = moment {
                assert!(event.start + 180 < moment && moment + 600 < event.end, "{event:?}");
            }
        }
    }

    #[test]
    fn conditions_are_ordinary_between_events() {
        let plan = Plan::demo();
        let conditions = Conditions::at(&plan, plan.start + 8 * 3600 + 1800);
        assert!(conditions.surge == 1.0);
        assert!(conditions.services.iter().all(|strain| strain.cpu == 0.0));
        assert!(
            conditions
                .routes
                .iter()
                .all(|fault| fault.tail == 1.0 && fault.failing == 0.0)
        );
    }
}
