//! What the routes of the shop do in one tick: how many requests, how many of
//! them fail, how long they take.

use super::TICK;
use super::conditions::{Conditions, Fault};
use super::load;
use super::noise::{Drift, Noise};
use super::plan::Plan;
use super::rows::{Form, Metrics};
use super::shop::{ROUTES, Route, Traffic};
use super::wire::Calendar;

/// One tick of one route.
#[derive(Clone, Copy, Default)]
pub(super) struct Sample {
    pub(super) served: bool,
    pub(super) requests: u32,
    /// All failures, and those among them that an incident caused.
    pub(super) failed: u32,
    pub(super) faulted: u32,
    /// Latencies relative to an empty shop on a good day.
    pub(super) median: f64,
    pub(super) tail: f64,
    /// The part of those that a route further down caused.
    pub(super) inherited: f64,
    median_ms: f64,
    tail_ms: f64,
}

/// All routes, in the order of [`ROUTES`].
pub(super) struct Routes {
    states: Vec<State>,
    pub(super) samples: [Sample; ROUTES.len()],
    scale: f64,
}

struct State {
    noise: Noise,
    popularity: Drift,
    median: Drift,
    tail: Drift,
    errors: Drift,
}

impl Routes {
    pub(super) fn new(plan: &Plan) -> Self {
        let state = |id: usize| State {
            noise: Noise::new(plan.seed, 100 + id as u64),
            popularity: Drift::new(0.97, 0.05),
            median: Drift::new(0.9, 0.045),
            tail: Drift::new(0.8, 0.08),
            errors: Drift::new(0.95, 0.35),
        };
        Self {
            states: (0..ROUTES.len()).map(state).collect(),
            samples: [Sample::default(); ROUTES.len()],
            scale: plan.scale,
        }
    }

    pub(super) fn step(&mut self, demand: f64, conditions: &Conditions) {
        for (id, route) in ROUTES.iter().enumerate() {
            let state = &mut self.states[id];
            let Fault { served, volume, .. } = conditions.routes[id];
            let popularity = libm::exp(state.popularity.step(&mut state.noise));
            let requests = match route.traffic {
                _ if !served => 0,
                Traffic::Visitors(rate) => {
                    let mean = rate * demand * popularity * TICK as f64 * self.scale * volume;
                    state.noise.poisson(mean)
                }
                Traffic::PartOf(caller, share) => {
                    let called = state.noise.binomial(self.samples[caller].requests, share);
                    let again = (volume - 1.0) * f64::from(called);
                    called + state.noise.poisson(again)
                }
            };
            self.samples[id].served = served;
            self.samples[id].requests = requests;
        }
        let crowding = load::crowding(demand);
        for (id, route) in ROUTES.iter().enumerate().rev() {
            let (before, behind) = self.samples.split_at_mut(id + 1);
            let callees = |callee: usize| &behind[callee - id - 1];
            let fault = &conditions.routes[id];
            self.states[id].answer(route, fault, crowding, &mut before[id], callees);
        }
    }

    /// Writes one row per served route.
    pub(super) fn write(&self, form: Form, out: &mut Vec<u8>, calendar: &Calendar, now: i64) {
        for (route, sample) in ROUTES.iter().zip(&self.samples) {
            if sample.served {
                let service = route.service.profile().name;
                sample.write(Metrics::open(out, form, calendar, now, service, Some(route.name)));
            }
        }
    }
}

impl State {
    fn answer<'a>(
        &mut self,
        route: &Route,
        fault: &Fault,
        crowding: f64,
        sample: &mut Sample,
        callee: impl Fn(usize) -> &'a Sample,
    ) {
        let noise = &mut self.noise;
        let wandering = self.median.step(noise);
        let mut median = crowding * libm::exp(wandering) * fault.median;
        let mut tail = crowding * libm::exp(wandering + self.tail.step(noise)) * fault.tail;
        let mut failing = fault.failing;
        let mut inherited = 0.0;
        for &(id, share) in route.calls {
            let below = callee(id);
            median += share * (below.median - 1.0);
            tail += share * (below.tail - 1.0);
            // One retry in twenty saves the caller's answer.
            if below.requests > 0 {
                inherited += 0.95 * f64::from(below.faulted) / f64::from(below.requests);
            }
        }
        failing += inherited;
        let usual = route.errors * libm::exp(self.errors.step(noise));
        let requests = f64::from(sample.requests);
        sample.faulted = noise.binomial(sample.requests, failing.min(1.0));
        sample.failed = sample.faulted + noise.binomial(sample.requests - sample.faulted, usual);
        sample.inherited = if failing > 0.0 { inherited / failing } else { 0.0 };
        sample.median = median;
        sample.tail = tail;
        sample.median_ms = route.median_ms * median * noise.lognormal(0.015 + 0.25 / (requests + 4.0).sqrt());
        // Below a hundred requests the 99th percentile is the slowest of them:
        // usually lower than the true one, and at the mercy of chance.
        let few = (libm::log(2.0 + requests) / libm::log(102.0)).min(1.0);
        let mut slowest = route.median_ms
            * tail
            * libm::pow(route.tail, few)
            * noise.lognormal(0.06 + 0.55 / (requests + 4.0).sqrt());
        if noise.chance(0.004) {
            // Somebody's connection stalled; it means nothing.
            slowest *= 1.5 + 3.0 * noise.unit();
        }
        sample.tail_ms = slowest.max(sample.median_ms);
    }
}

impl Sample {
    /// A route without requests has no latency to report.
    fn write(&self, mut metrics: Metrics<'_>) {
        let requests = f64::from(self.requests);
        metrics.gauge("requests_per_second", requests / TICK as f64, 3);
        metrics.gauge("error_ratio", f64::from(self.failed) / requests.max(1.0), 5);
        if self.requests > 0 {
            metrics.gauge("latency_p50_ms", self.median_ms, 2);
            metrics.gauge("latency_p99_ms", self.tail_ms, 1);
        }
        metrics.close();
    }
}
