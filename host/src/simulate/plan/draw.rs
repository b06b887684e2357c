//! A plan drawn by lot: so many incidents a day, and so many harmless events,
//! of all kinds, that do not overlap.

use std::net::Ipv4Addr;

use super::{Happening, Plan, Scheduled, WARM_UP};
use crate::simulate::conditions::LEAK_MB_A_SECOND;
use crate::simulate::noise::Noise;
use crate::simulate::shop::{self, ROUTES, Route, Service, Traffic};
use crate::simulate::truth::Kind;
use crate::simulate::{TICK, load};

/// What a plan is drawn from. The same draw gives the same plan, whatever the
/// rates are that the shop is simulated with.
#[derive(Clone, Debug)]
pub struct Draw {
    /// Everything random is drawn from this.
    pub seed: u64,
    /// Unix seconds, at a full half minute.
    pub start: i64,
    /// How long it lasts, in whole half minutes.
    pub seconds: i64,
    /// How long nothing goes wrong at its beginning.
    pub calm: i64,
    /// Incidents a day, on average over the whole plan.
    pub incidents_per_day: f64,
    /// Harmless events a day, likewise.
    pub harmless_per_day: f64,
    /// The kinds of incidents that come, each before any comes again.
    pub kinds: Vec<Kind>,
}

/// Why no plan can be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DrawError {
    /// There are more events than fit.
    #[error("there is no room for {wanted} events in the {minutes} minutes after the calm, only for {most}")]
    Crowded {
        /// Incidents and harmless events together.
        wanted: usize,
        /// How many fit.
        most: usize,
        /// The time there is for them.
        minutes: i64,
    },
    /// None of the kinds is over as soon as it has to be.
    #[error("{} takes {needed} minutes at least, and the time for each event has room for {room}", .kind.name())]
    Narrow {
        /// The shortest of them.
        kind: Kind,
        /// How many minutes it takes.
        needed: i64,
        /// How many minutes there are.
        room: i64,
    },
}

/// The least that an event and the quiet around it take.
const NARROWEST: i64 = 900;

impl Draw {
    /// Draws the plan.
    ///
    /// # Errors
    ///
    /// If so many events, or events of these kinds, do not fit into the time.
    pub fn plan(&self) -> Result<Plan, DrawError> {
        let mut lot = Lot {
            noise: Noise::new(self.seed, 2),
            deck: Vec::new(),
            released: [0; RELEASES.len()],
        };
        let days = |seconds: i64| seconds as f64 / 86_400.0;
        let count = |per_day: f64, seconds: i64| (per_day * days(seconds)).round() as usize;
        let rest = self.seconds - self.calm;
        let incidents = if self.kinds.is_empty() {
            0
        } else {
            count(self.incidents_per_day, self.seconds)
        };
        let all = count(self.harmless_per_day, self.seconds);
        // What is harmless also happens while nothing goes wrong.
        let early = count(self.harmless_per_day, self.calm).min((self.calm / NARROWEST) as usize);
        let late = incidents + all.saturating_sub(early);
        let most = (rest / NARROWEST).max(0) as usize;
        if late > most {
            return Err(DrawError::Crowded {
                wanted: late,
                most,
                minutes: rest / 60,
            });
        }
        let mut events = Vec::new();
        for slot in slots(self.start, self.calm, early) {
            events.push(lot.harmless(slot));
        }
        let mut is_incident: Vec<bool> = (0..late).map(|position| position < incidents).collect();
        lot.shuffle(&mut is_incident);
        for (slot, is_incident) in slots(self.start + self.calm, rest, late).zip(is_incident) {
            events.push(if is_incident {
                lot.incident(slot, &self.kinds)?
            } else {
                lot.harmless(slot)
            });
        }
        Ok(Plan {
            seed: self.seed,
            start: self.start,
            seconds: self.seconds,
            scale: 1.0,
            verbosity: 1.0,
            events,
        })
    }
}

/// A part of the time, for one event.
#[derive(Clone, Copy)]
struct Slot {
    from: i64,
    to: i64,
}

fn slots(start: i64, seconds: i64, count: usize) -> impl Iterator<Item = Slot> {
    let edge = move |position: usize| start + seconds * position as i64 / count.max(1) as i64;
    (0..count).map(move |position| Slot {
        from: edge(position),
        to: edge(position + 1),
    })
}

impl Slot {
    /// What an event may take of it: the rest is quiet, most of it behind.
    fn room(self) -> i64 {
        (self.to - self.from) * 3 / 5
    }
}

struct Lot {
    noise: Noise,
    /// Kinds still to come before any comes again.
    deck: Vec<Kind>,
    /// How many of its releases every service has deployed.
    released: [usize; RELEASES.len()],
}

impl Lot {
    fn incident(&mut self, slot: Slot, kinds: &[Kind]) -> Result<Scheduled, DrawError> {
        let room = slot.room();
        let fits = |&kind: &Kind| shortest(kind) <= room;
        if !self.deck.iter().any(fits) {
            let mut deck = kinds.to_vec();
            self.shuffle(&mut deck);
            self.deck = deck;
        }
        // A kind that takes longer than there is room stays for later.
        let Some(position) = self.deck.iter().rposition(fits) else {
            let kind = *self
                .deck
                .iter()
                .min_by_key(|&&kind| shortest(kind))
                .expect("incidents are only drawn from some kinds");
            return Err(DrawError::Narrow {
                kind,
                needed: (shortest(kind) + 59) / 60,
                room: room / 60,
            });
        };
        let kind = self.deck.remove(position);
        let (what, longest) = self.what(kind, room);
        let shortest = match what {
            // Its pace is given, and so is the end.
            Happening::MemoryLeak { service } => leak_lasts(service),
            _ => shortest(kind),
        };
        let spread = (longest.min(room) - shortest).max(0) as f64;
        let length = shortest + (spread * self.noise.unit()) as i64;
        Ok(self.place(slot, length, what))
    }

    fn harmless(&mut self, slot: Slot) -> Scheduled {
        match self.noise.below(5) {
            0 => {
                let factor = 1.6 + 0.9 * self.noise.unit();
                let length = 1200 + i64::from(self.noise.below(1500));
                self.place(slot, length.min(slot.room()), Happening::Campaign { factor })
            }
            1 => {
                let service = [Service::Catalog, Service::Search, Service::Cart][self.noise.below(3) as usize];
                let length = 300 + i64::from(self.noise.below(240));
                self.place(slot, length, Happening::CacheFlush { service })
            }
            _ => {
                let first = self.noise.below(RELEASES.len() as u32) as usize;
                for offset in 0..RELEASES.len() {
                    let position = (first + offset) % RELEASES.len();
                    let (service, versions) = RELEASES[position];
                    if let Some(&version) = versions.get(self.released[position]) {
                        self.released[position] += 1;
                        return self.place(slot, 300, Happening::Deploy { service, version });
                    }
                }
                // After months everything has been deployed; sales go on.
                self.place(slot, 1200.min(slot.room()), Happening::Campaign { factor: 1.8 })
            }
        }
    }

    /// What happens, and how long at most.
    fn what(&mut self, kind: Kind, room: i64) -> (Happening, i64) {
        match kind {
            Kind::LatencyRegression => {
                let route = self.route(|_| true);
                let factor = 1.5 + 2.5 * self.noise.unit();
                (Happening::LatencyRegression { route, factor }, 3000)
            }
            Kind::ErrorBurst => {
                let route = self.route(|_| true);
                let share = 0.06 + 0.34 * self.noise.unit();
                (Happening::ErrorBurst { route, share }, 1200)
            }
            Kind::SlowUpstream => {
                let service = self.managed();
                let factor = 1.7 + 2.0 * self.noise.unit();
                (Happening::SlowUpstream { service, factor }, 2700)
            }
            Kind::SilentRoute => {
                let route = self.route(|route| matches!(route.traffic, Traffic::Visitors(_)));
                (Happening::SilentRoute { route }, 1800)
            }
            Kind::RetryStorm => {
                let route = self.route(|route| route.calls.is_empty());
                let volume = 2.2 + 1.8 * self.noise.unit();
                (Happening::RetryStorm { route, volume }, 1200)
            }
            Kind::PathScan => {
                // The address is from a block that is for documentation.
                let client = Ipv4Addr::new(203, 0, 113, 1 + self.noise.below(250) as u8);
                let per_second = 1.5 + 5.0 * self.noise.unit();
                (Happening::PathScan { client, per_second }, 1500)
            }
            Kind::LatencySplit => {
                let route = self.route(|route| route.calls.is_empty());
                (Happening::LatencySplit { route }, 3600)
            }
            Kind::SlowDrift => {
                let route = self.route(|route| route.calls.is_empty());
                let factor = 1.7 + 0.8 * self.noise.unit();
                (Happening::SlowDrift { route, factor }, 4 * 3600)
            }
            Kind::SlowRoute => (
                Happening::SlowRoute {
                    route: shop::POST_CHECKOUT,
                },
                3000,
            ),
            Kind::LostUpstream => (
                Happening::LostUpstream {
                    service: Service::Payments,
                },
                2400,
            ),
            Kind::MemoryLeak => {
                let service = if self.noise.chance(0.5) && leak_lasts(Service::Search) <= room {
                    Service::Search
                } else {
                    Service::Catalog
                };
                (Happening::MemoryLeak { service }, 0)
            }
        }
    }

    /// A route on which enough happens to see anything.
    fn route(&mut self, is_eligible: impl Fn(&Route) -> bool) -> usize {
        let eligible: Vec<usize> = (0..ROUTES.len())
            .filter(|&id| ROUTES[id].since.is_none() && ROUTES[id].peak_rate() > 1.0 && is_eligible(&ROUTES[id]))
            .collect();
        eligible[self.noise.below(eligible.len() as u32) as usize]
    }

    fn managed(&mut self) -> Service {
        let services = [
            Service::Catalog,
            Service::Search,
            Service::Cart,
            Service::Checkout,
            Service::Payments,
            Service::Orders,
        ];
        services[self.noise.below(services.len() as u32) as usize]
    }

    fn place(&mut self, slot: Slot, length: i64, what: Happening) -> Scheduled {
        let whole = |seconds: i64| seconds.div_euclid(TICK) * TICK;
        let length = whole(length).max(TICK);
        let spare = ((slot.to - slot.from - length) * 2 / 3).max(0);
        let start = whole(slot.from + spare / 8 + (spare as f64 * 0.875 * self.noise.unit()) as i64 + TICK - 1);
        Scheduled {
            start,
            end: start + length,
            what,
        }
    }

    fn shuffle<T>(&mut self, deck: &mut [T]) {
        for last in (1..deck.len()).rev() {
            deck.swap(last, self.noise.below(last as u32 + 1) as usize);
        }
    }
}

/// Below this an incident of a kind is not what its name says.
fn shortest(kind: Kind) -> i64 {
    match kind {
        Kind::ErrorBurst | Kind::PathScan | Kind::RetryStorm => 300,
        Kind::SilentRoute | Kind::SlowUpstream => 480,
        Kind::LatencyRegression | Kind::LatencySplit => 540,
        Kind::LostUpstream => 1200,
        Kind::SlowRoute => 2100,
        Kind::SlowDrift => 2700,
        Kind::MemoryLeak => leak_lasts(Service::Catalog),
    }
}

/// From the first byte kept to ten minutes in a full container, and the
/// restart.
fn leak_lasts(service: Service) -> i64 {
    let profile = service.profile();
    let room_mb = profile.limit_mb - profile.live_mb;
    (room_mb / LEAK_MB_A_SECOND) as i64 + 600 + WARM_UP
}

/// What every service deploys, one after the other. Some versions bring new
/// routes or lines.
const RELEASES: [(Service, &[&str]); 7] = [
    (
        Service::Catalog,
        &["v2.17.0", "v2.18.0", "v2.18.1", "v2.19.0", "v2.20.0", "v2.20.1"],
    ),
    (
        Service::Search,
        &["v4.2.2", "v4.3.0", "v4.3.1", "v4.4.0", "v4.5.0", "v4.5.1"],
    ),
    (Service::Cart, &["v1.28.1", "v1.29.0", "v1.30.0", "v1.30.1", "v1.31.0"]),
    (
        Service::Checkout,
        &["v1.41.0", "v1.41.1", "v1.42.0", "v1.43.0", "v1.43.1", "v1.44.0"],
    ),
    (Service::Payments, &["v5.12.0", "v5.12.1", "v5.13.0", "v5.14.0"]),
    (Service::Orders, &["v2.8.0", "v2.8.1", "v2.9.0", "v2.10.0", "v2.11.0"]),
    (Service::Inventory, &["v3.4.0", "v3.4.1", "v3.5.0", "v3.6.0"]),
];

/// Requests that the shop of the demonstration answers in a second, on average
/// over a week.
pub fn usual_requests_per_second() -> f64 {
    let rates = ROUTES
        .iter()
        .filter(|route| route.since.is_none())
        .map(Route::peak_rate);
    rates.sum::<f64>() * usual_demand()
}

/// Demand on average over a week.
pub(in crate::simulate) fn usual_demand() -> f64 {
    (0..168).map(|hour| load::expected(hour * 3600)).sum::<f64>() / 168.0
}
