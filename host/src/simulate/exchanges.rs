//! The single requests of a tick: when each begins and ends, who makes it and
//! what comes of it.
//!
//! Their numbers are those of the rows of metrics, and so are their latencies
//! and failures in distribution: `routes` has decided how many requests a
//! route gets and how many of them fail, and here they get a face. Every
//! service writes down what it is asked, so that a visitor's checkout appears
//! once for each service it passes through.

mod form;
mod manners;
mod people;

use std::collections::VecDeque;

use super::TICK;
use super::conditions::{Conditions, Failure, Fault, SPLIT, SPLIT_MEDIAN, SPLIT_TAIL};
use super::noise::Noise;
use super::plan::Plan;
use super::routes::Sample;
use super::shop::{ROUTES, Route, RouteId, Service, Traffic};
use super::wire::Calendar;
pub use form::Form;
use manners::Manners;
use people::Client;

/// What is under way, and what will come again.
pub(super) struct Exchanges {
    seed: u64,
    /// One for each route, and one for what belongs to none.
    noises: Vec<Noise>,
    /// What failed on a route and is to be tried again.
    again: Vec<VecDeque<Retry>>,
    /// What has begun and not yet ended, and what ends in this tick.
    open: Vec<Exchange>,
    starts: Vec<i64>,
}

/// A request and its answer. Times are unix microseconds.
#[derive(Clone, Copy)]
struct Exchange {
    start: i64,
    end: i64,
    route: Option<RouteId>,
    client: Client,
    status: u16,
    flags: &'static str,
    received: u32,
    sent: u32,
    /// What the variable parts of the path follow from.
    what: u64,
    id: u64,
}

#[derive(Clone, Copy)]
struct Retry {
    due: i64,
    client: Client,
    what: u64,
}

/// Why a request ends as it does.
#[derive(Clone, Copy)]
enum Outcome {
    Fine,
    /// As some do every day.
    Unlucky,
    /// Because of an incident here, or further down.
    Fault(Failure),
    Inherited,
}

const SECOND: i64 = 1_000_000;

/// Share of the visitors' requests that are for paths that never were.
const LOST: f64 = 0.006;

/// So many retries of a route wait at most: clients give up.
const PATIENCE: usize = 512;

impl Exchanges {
    pub(super) fn new(plan: &Plan) -> Self {
        let noises = (0..=ROUTES.len()).map(|id| Noise::new(plan.seed, 1_000 + id as u64));
        Self {
            seed: plan.seed,
            noises: noises.collect(),
            again: vec![VecDeque::new(); ROUTES.len()],
            open: Vec::new(),
            starts: Vec::new(),
        }
    }

    /// Draws the requests that begin in the tick from `now` on.
    pub(super) fn step(&mut self, conditions: &Conditions, samples: &[Sample], now: i64) {
        let mut visits = 0;
        for (id, route) in ROUTES.iter().enumerate() {
            self.draw_starts(id, samples[id].requests, now);
            self.answer(id, route, &samples[id], &conditions.routes[id]);
            if matches!(route.traffic, Traffic::Visitors(_)) {
                visits += samples[id].requests;
            }
        }
        let unrouted = ROUTES.len();
        let lost = self.noises[unrouted].poisson(LOST * f64::from(visits));
        self.draw_starts(unrouted, lost, now);
        self.miss(None);
        if let Some((scanner, per_second)) = conditions.scan {
            let asked = self.noises[unrouted].poisson(per_second * TICK as f64);
            self.draw_starts(unrouted, asked, now);
            self.miss(Some(Client::Scanner(scanner)));
        }
        // Ids are drawn, so that this is an order of all, on every platform.
        self.open.sort_unstable_by_key(|exchange| (exchange.end, exchange.id));
    }

    /// Writes what ends before `until`, in that order, and calls `each` with
    /// the moment and the line so far.
    pub(super) fn write(
        &mut self,
        form: Form,
        out: &mut Vec<u8>,
        calendar: &Calendar,
        until: i64,
        mut each: impl FnMut(i64, &mut Vec<u8>),
    ) {
        let ended = self.open.partition_point(|exchange| exchange.end < until * SECOND);
        for exchange in self.open.drain(..ended) {
            form::write(&exchange, form, self.seed, calendar, out);
            each(exchange.end, out);
        }
    }

    /// Arrivals of independent visitors: given their number, any moment of the
    /// tick is as good as another.
    fn draw_starts(&mut self, stream: usize, count: u32, now: i64) {
        let noise = &mut self.noises[stream];
        self.starts.clear();
        self.starts
            .extend((0..count).map(|_| now * SECOND + (noise.unit() * (TICK * SECOND) as f64) as i64));
        self.starts.sort_unstable();
    }

    fn answer(&mut self, id: RouteId, route: &Route, sample: &Sample, fault: &Fault) {
        let noise = &mut self.noises[id];
        let again = &mut self.again[id];
        let manners = manners::of(id);
        let speed = Speed::of(route, sample, fault);
        let (mut left, mut faulted, mut failed) = (sample.requests, sample.faulted, sample.failed - sample.faulted);
        for &start in &self.starts {
            // Whoever tries again is one of those who come: the number of
            // requests is that of the row.
            let retry = again.front().is_some_and(|retry| retry.due <= start);
            let (client, what) = match again.pop_front().filter(|_| retry) {
                Some(retry) => (retry.client, retry.what),
                None => (Client::draw(noise, route), noise.bits()),
            };
            let drawn = noise.below(left);
            left -= 1;
            let outcome = if drawn < faulted {
                faulted -= 1;
                if noise.chance(sample.inherited) {
                    Outcome::Inherited
                } else {
                    Outcome::Fault(fault.failure)
                }
            } else if drawn < faulted + failed {
                failed -= 1;
                Outcome::Unlucky
            } else {
                Outcome::Fine
            };
            let answer = Answer::draw(noise, outcome, manners, &speed);
            let end = start + ((answer.ms * 1e3) as i64).max(100);
            if answer.status >= 500 && again.len() < PATIENCE {
                // In a storm clients have lost patience.
                let tries = match fault.failure {
                    Failure::Overload if fault.failing > 0.0 => 1 + noise.below(3),
                    _ => u32::from(noise.chance(0.35)),
                };
                for attempt in 1..=tries {
                    let pause = 0.2 * f64::from(attempt) * noise.lognormal(0.4);
                    again.push_back(Retry {
                        due: end + (pause * SECOND as f64) as i64,
                        client,
                        what,
                    });
                }
            }
            self.open.push(Exchange {
                start,
                end,
                route: Some(id),
                client,
                status: answer.status,
                flags: answer.flags,
                received: manners.received(noise),
                sent: manners.sent(noise, answer.status),
                what,
                id: noise.bits(),
            });
        }
    }

    /// Requests for paths that do not exist, by one client or by anybody.
    fn miss(&mut self, one: Option<Client>) {
        let noise = &mut self.noises[ROUTES.len()];
        for &start in &self.starts {
            let client = one.unwrap_or_else(|| Client::visitor(noise));
            let ms = 0.9 * noise.lognormal(0.5);
            self.open.push(Exchange {
                start,
                end: start + (ms * 1e3) as i64,
                route: None,
                client,
                status: 404,
                flags: "NR",
                received: 0,
                sent: 0,
                what: noise.bits(),
                id: noise.bits(),
            });
        }
    }
}

/// How long answers of a route take in a tick.
struct Speed {
    median_ms: f64,
    spread: f64,
    timeout_ms: f64,
    is_split: bool,
}

impl Speed {
    fn of(route: &Route, sample: &Sample, fault: &Fault) -> Self {
        let (mut median, mut tail) = (sample.median, sample.tail);
        if fault.is_split {
            median /= SPLIT_MEDIAN;
            tail /= SPLIT_TAIL;
        }
        // The distance of the 99th percentile, in standard deviations.
        const P99: f64 = 2.326;
        Self {
            median_ms: route.median_ms * median,
            spread: libm::log((route.tail * tail / median).max(1.2)) / P99,
            timeout_ms: (20.0 * route.median_ms * route.tail).clamp(2_000.0, 15_000.0),
            is_split: fault.is_split,
        }
    }

    fn draw(&self, noise: &mut Noise) -> f64 {
        let mut ms = self.median_ms * noise.lognormal(self.spread);
        if self.is_split {
            let (share, quicker) = SPLIT;
            let slower = (1.0 - share * quicker) / (1.0 - share);
            ms *= if noise.chance(share) { quicker } else { slower };
        }
        if noise.chance(0.0015) {
            // Somebody's connection stalls: a tail that no log-normal has.
            ms *= libm::pow(1.0 - noise.unit(), -0.8).min(60.0);
        }
        ms
    }
}

struct Answer {
    status: u16,
    flags: &'static str,
    ms: f64,
}

impl Answer {
    fn draw(noise: &mut Noise, outcome: Outcome, manners: &Manners, speed: &Speed) -> Self {
        let ms = speed.draw(noise);
        let timeout = Self {
            status: 504,
            flags: "UT",
            ms: speed.timeout_ms,
        };
        let answer = |status, flags, ms| Self { status, flags, ms };
        match outcome {
            _ if ms >= speed.timeout_ms => timeout,
            Outcome::Fine => match noise.unit() {
                // The visitor has left.
                gone if gone < 0.0007 => answer(0, "DC", 0.6 * ms),
                luck => {
                    let (status, share) = manners.status(luck);
                    answer(status, "-", share * ms)
                }
            },
            Outcome::Unlucky => match noise.below(20) {
                0..12 => answer(500, "-", ms),
                12..17 => answer(503, "UF", 0.3 * ms),
                17..19 => answer(502, "UPE", ms),
                _ => timeout,
            },
            Outcome::Inherited => answer(502, "-", ms),
            Outcome::Fault(Failure::Defect) => answer(500, "-", 0.4 * ms),
            Outcome::Fault(Failure::Overload) => answer(503, "UO", 0.5 + 1.5 * noise.unit()),
            Outcome::Fault(Failure::Death) => answer(503, "UC", 1.5 * ms),
            Outcome::Fault(Failure::Unreachable) => match noise.below(8) {
                0 => timeout,
                _ => answer(503, "UF", ms),
            },
        }
    }
}

/// The service that calls a route from inside of the shop.
fn caller(route: &Route) -> Option<Service> {
    match route.traffic {
        Traffic::Visitors(_) => None,
        Traffic::PartOf(caller, _) => Some(ROUTES[caller].service),
    }
}
