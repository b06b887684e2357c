//! What the processes of the shop report in one tick: processor, memory and
//! its collection, connections, queues.

use super::TICK;
use super::conditions::{Conditions, LIVE_BY_LOAD, Strain};
use super::noise::{Drift, Noise};
use super::plan::{Plan, Scheduled};
use super::routes::Sample;
use super::rows::{Form, Metrics};
use super::shop::{Profile, ROUTES, Route, Service};
use super::wire::Calendar;

/// All services, in the order of [`Service::ALL`].
pub(super) struct Services {
    states: Vec<State>,
    scale: f64,
}

/// What the routes of a service ask of its process in one tick.
#[derive(Clone, Copy)]
struct Work {
    requests: f64,
    /// Requests relative to an ordinary evening peak.
    load: f64,
    /// Open requests relative to an ordinary evening peak: slow answers hold
    /// their connection for longer.
    open: f64,
}

struct State {
    noise: Noise,
    cpu: Drift,
    live: Drift,
    connections: Drift,
    threads: Drift,
    peak_requests: f64,
    /// What the build that runs costs relative to the first one.
    build_cpu: f64,
    build_memory: f64,
    garbage_mb: f64,
}

impl Services {
    pub(super) fn new(plan: &Plan) -> Self {
        let state = |service: Service| {
            let mut noise = Noise::new(plan.seed, 200 + service as u64);
            let garbage_mb = noise.unit() * service.profile().garbage_mb;
            State {
                noise,
                cpu: Drift::new(0.8, 0.07),
                live: Drift::new(0.99, 0.012),
                connections: Drift::new(0.9, 0.06),
                threads: Drift::new(0.95, 1.1),
                peak_requests: peak_requests(service),
                build_cpu: 1.0,
                build_memory: 1.0,
                garbage_mb,
            }
        };
        Self {
            states: Service::ALL.into_iter().map(state).collect(),
            scale: plan.scale,
        }
    }

    /// Advances every process and writes its row. Processes are as large as
    /// their traffic needs: at another scale they are as busy as at this one.
    pub(super) fn step(
        &mut self,
        conditions: &Conditions,
        samples: &[Sample],
        form: Form,
        out: &mut Vec<u8>,
        calendar: &Calendar,
        now: i64,
    ) {
        for service in Service::ALL {
            let state = &mut self.states[service as usize];
            let strain = &conditions.services[service as usize];
            let work = Work::of(service, samples, self.scale, state.peak_requests);
            let row = Metrics::open(out, form, calendar, now, service.profile().name, None);
            state.step(service.profile(), strain, work, row);
        }
    }
}

impl Work {
    fn of(service: Service, samples: &[Sample], scale: f64, peak: f64) -> Self {
        let (mut requests, mut open) = (0.0, 0.0);
        for (route, sample) in ROUTES.iter().zip(samples) {
            let share = share_of(service, route.service);
            let served = f64::from(sample.requests) / scale;
            requests += share * served;
            open += share * served * sample.median;
        }
        Self {
            requests,
            load: requests / peak,
            open: open / peak,
        }
    }
}

impl State {
    fn step(&mut self, profile: &Profile, strain: &Strain, work: Work, mut row: Metrics<'_>) {
        let starting = strain.uptime.is_some_and(|uptime| uptime < Scheduled::STARTING);
        if starting {
            // No two builds cost the same, and a new process has no garbage.
            self.build_cpu = self.noise.lognormal(0.025);
            self.build_memory = self.noise.lognormal(0.02);
            self.garbage_mb = 0.0;
        }
        let memory = self.memory(profile, strain, work, &mut row);
        row.count("memory_bytes", memory);

        let wandering = self.cpu.step(&mut self.noise) + 0.03 * self.noise.normal();
        let busy = profile.busy_cpu * work.load * self.build_cpu;
        let idle = profile.idle_cpu * (1.0 + 0.15 * self.noise.normal().max(-3.0));
        let cpu = idle + busy * libm::exp(wandering) + strain.cpu * self.noise.lognormal(0.06);
        row.gauge("cpu_ratio", cpu.clamp(0.002, 0.998), 4);

        let wandering = self.connections.step(&mut self.noise);
        let (idle, busy) = profile.connections;
        let mean = idle + busy * work.open * libm::exp(wandering) + 0.4 * strain.queue;
        let open = (mean + 0.3 * mean.sqrt() * self.noise.normal()).max(1.0).round() as u64;
        row.count("open_connections", if starting { open / 3 } else { open });

        let crowd = profile.queue * (0.3 + work.load * work.load + 0.4 * work.open) + strain.queue;
        row.count("queue_depth", u64::from(self.noise.poisson(crowd)));

        let (base, pool) = profile.threads;
        let wandering = if pool > 0.0 {
            self.threads.step(&mut self.noise)
        } else {
            0.0
        };
        row.count(
            "threads",
            (base + pool * work.open.min(2.5) + wandering).max(1.0).round() as u64,
        );
        row.close();
    }

    /// Memory rises until a collection frees what is not in use, and how soon
    /// that is depends on the traffic and on the room left below the limit.
    fn memory(&mut self, profile: &Profile, strain: &Strain, work: Work, row: &mut Metrics<'_>) -> u64 {
        let warmth = strain
            .uptime
            .map_or(1.0, |uptime| (0.82 + uptime as f64 / 5_000.0).min(1.0));
        let by_load = 1.0 + LIVE_BY_LOAD * work.load.min(2.5);
        let wandering = libm::exp(self.live.step(&mut self.noise));
        let live = profile.live_mb * self.build_memory * warmth * by_load * wandering + strain.leaked_mb;
        let mut used = live;
        if profile.managed {
            let room = (0.985 * profile.limit_mb - live).max(12.0);
            let allowance = profile.garbage_mb.min(room);
            let filled = profile.garbage_mb * work.requests / profile.requests_per_collection;
            self.garbage_mb += (filled + 0.01 * profile.garbage_mb) * self.noise.lognormal(0.1);
            let mut pause = profile.gc_pause_ms * (0.7 + 0.3 * work.load);
            if self.garbage_mb > allowance {
                // A row shows the moment it is taken, not the peak before it.
                self.garbage_mb = allowance * (0.04 + 0.10 * self.noise.unit());
                pause *= 2.4;
            }
            pause *= (1.0 + 9.0 * strain.pressure) * self.noise.lognormal(0.22);
            if self.noise.chance(0.0025) {
                // Now and then the machine is busy elsewhere; it means nothing.
                pause *= 3.0 + 8.0 * self.noise.unit();
            }
            row.gauge("gc_pause_ms", pause, 2);
            used += self.garbage_mb;
        }
        // Memory is counted in pages.
        let pages = used.min(0.992 * profile.limit_mb) * 1_048_576.0 / 4096.0;
        pages as u64 * 4096
    }
}

/// The part of a route's requests that a process has to do with: all of its
/// own, and for the database every statement made on the way.
fn share_of(service: Service, serving: Service) -> f64 {
    if service == serving {
        1.0
    } else if service == Service::Postgres {
        serving.profile().statements
    } else {
        0.0
    }
}

fn peak_requests(service: Service) -> f64 {
    let rates = ROUTES.iter().filter(|route| route.since.is_none());
    let of = |route: &Route| share_of(service, route.service) * route.peak_rate();
    rates.map(of).sum::<f64>() * TICK as f64
}
