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
//! That is what the demonstration sees. A [`Stream`] has one of them in many
//! formats, and the single requests behind the rows of the routes; its plan
//! may be drawn by lot ([`Draw`]).
//!
//! Rows describe the half minute that ends at their timestamp.

mod conditions;
mod exchanges;
mod jobs;
mod load;
mod logs;
mod noise;
mod phrases;
mod plan;
mod routes;
mod rows;
mod services;
mod shop;
mod stream;
mod truth;
mod wire;

pub use exchanges::Form as RequestForm;
pub use logs::Form as LogForm;
pub use plan::{Draw, DrawError, Happening, Plan, Scheduled, usual_requests_per_second};
pub use rows::Form as MetricForm;
pub use shop::{RouteId, Service};
pub use stream::{Batch, Content, Stream};
pub use truth::{Harmless, Incident, Kind, Label, Labels, Subject, Truth};

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
            load: Load::new(seed),
            routes: Routes::new(&plan),
            services: Services::new(&plan),
            log: Log::new(seed),
            plan,
        }
    }

    /// Appends the events of the next tick to `out`, or returns false at the
    /// end of the plan.
    pub fn tick(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(moment) = self.step() else {
            return false;
        };
        self.say(&moment, LogForm::Json, out);
        self.report(&moment, MetricForm::Ndjson, out);
        true
    }

    /// Has the visitors come and the routes answer, for one tick.
    fn step(&mut self) -> Option<Moment> {
        let from = self.now;
        if from + TICK > self.plan.end() {
            return None;
        }
        let conditions = Conditions::at(&self.plan, from);
        let demand = self.load.step(from) * conditions.surge;
        self.routes.step(demand, &conditions);
        self.now = from + TICK;
        Some(Moment {
            from,
            calendar: Calendar::of(from),
            conditions,
        })
    }

    /// Appends the log lines of the tick.
    fn say(&mut self, moment: &Moment, form: LogForm, out: &mut Vec<u8>) {
        let samples = &self.routes.samples;
        self.log.step(&self.plan, moment, samples, form, out);
    }

    /// Appends the rows of the tick.
    fn report(&mut self, moment: &Moment, form: MetricForm, out: &mut Vec<u8>) {
        let to = moment.from + TICK;
        let samples = &self.routes.samples;
        self.services
            .step(&moment.conditions, samples, form, out, &moment.calendar, to);
        self.routes.write(form, out, &moment.calendar, to);
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

/// One tick, and what presses on the shop in it.
struct Moment {
    from: i64,
    calendar: Calendar,
    conditions: Conditions,
}

#[cfg(test)]
mod tests;
