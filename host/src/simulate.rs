//! A small web shop that does not exist, and everything it would report.
//!
//! The simulation writes what the services of such a shop send in two days or
//! more, as one JSON object per line and in the order of time, together with
//! the truth about what went wrong. It knows nothing of the detector that
//! reads it: it was written first, so that neither is made for the other.
//!
//! Three kinds of events, every tick of half a minute:
//!
//! - a row of metrics for each service,
//! - a row of metrics for each route, of which the latencies are missing when
//!   nobody called it,
//! - the log lines in between.
//!
//! Rows describe the half minute that ends at their timestamp.

mod conditions;
mod jobs;
mod load;
mod logs;
mod noise;
mod phrases;
mod plan;
mod routes;
mod services;
mod shop;
mod truth;
mod wire;

pub use plan::{Happening, Plan, Scheduled};
pub use shop::{RouteId, Service};
pub use truth::{Harmless, Incident, Kind, Subject, Truth};

use conditions::Conditions;
use load::Load;
use logs::Log;
use routes::Routes;
use services::Services;
use wire::Calendar;

/// Seconds of simulated time in a tick.
pub const TICK: i64 = 30;

/// The shop at one moment of its plan.
pub struct Simulation {
    plan: Plan,
    now: i64,
    load: Load,
    routes: Routes,
    services: Services,
    log: Log,
}

impl Simulation {
    /// The shop as it stands when its plan begins.
    pub fn new(plan: Plan) -> Self {
        let seed = plan.seed;
        Self {
            now: plan.start,
            plan,
            load: Load::new(seed),
            routes: Routes::new(seed),
            services: Services::new(seed),
            log: Log::new(seed),
        }
    }

    /// Appends the events of the next tick to `out`, or returns false at the
    /// end of the plan.
    pub fn tick(&mut self, out: &mut Vec<u8>) -> bool {
        let now = self.now;
        let end = now + TICK;
        if end > self.plan.end() {
            return false;
        }
        let calendar = Calendar::of(now);
        let conditions = Conditions::at(&self.plan, now);
        let demand = self.load.step(now) * conditions.surge;
        self.routes.step(demand, &conditions);
        let samples = &self.routes.samples;
        self.log.step(&self.plan, &conditions, samples, out, &calendar, now);
        self.services.step(&conditions, samples, out, &calendar, end);
        self.routes.write(out, &calendar, end);
        self.now = end;
        true
    }

    /// The part of the plan that is done, from 0 to 1.
    pub fn progress(&self) -> f64 {
        let length = (self.plan.end() - self.plan.start).max(1);
        (self.now - self.plan.start) as f64 / length as f64
    }

    /// Unix seconds up to which everything has been written.
    pub fn now(&self) -> i64 {
        self.now
    }
}

#[cfg(test)]
mod tests;
