//! Clients that ask for many paths that do not exist: scans.
//!
//! Only those that ask most are kept (SpaceSaving: Metwally, Agrawal and El Abbadi 2005).

use serde::{Deserialize, Serialize};

use crate::episode::Episode;
use crate::gamma_poisson::Rate;
use crate::series::Pulse;
use crate::threshold::{PRIOR_EVENTS, Tail};

/// Clients that are watched at once.
const MOST_CLIENTS: usize = 128;

/// The window that is judged, in slots: two minutes.
pub(super) const WINDOW: usize = 12;

/// A client that has asked for fewer paths than this has a bad link, or a bookmark.
const LEAST_PATHS: f64 = 10.0;

/// What is assumed of the rate of such requests before it is known: one a minute and a half, as if seen for ten minutes.
const ASSUMED_EVENTS: f64 = 6.0;
const ASSUMED_SLOTS: f64 = 60.0;

/// The rate forgets with this half-life, in slots: two hours.
const HALF_LIFE: f64 = 720.0;

/// The clients of one site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Clients {
    watched: Vec<Client>,
    /// Requests for what does not exist in this slot, of all clients.
    now: u32,
    events: f64,
    slots: f64,
    tail: Tail,
}

/// One client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Client {
    pub(super) key: u64,
    pub(super) address: String,
    /// How often it asked, the slot that is open at the end.
    slots: [u16; WINDOW],
    /// Which paths it asked for in this minute and in the one before: a bit for the hash of each.
    paths: [u128; 2],
    pub(super) pulse: Pulse,
    pub(super) episode: Option<Box<Episode>>,
}

/// What one client has done in the last two minutes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scan {
    /// Nominal.
    pub(super) surprise: f64,
    pub(super) requests: f64,
    pub(super) paths: f64,
    /// How many such requests usually come in two minutes, from all clients together.
    pub(super) usual: f64,
    /// The most requests that would be no alarm at this nominal surprise.
    rate: Rate,
}

impl Scan {
    /// The largest number of requests that is less surprising than this.
    pub(super) fn most_below(&self, surprise: f64) -> f64 {
        let (mut low, mut high) = (0.0, self.requests);
        while high - low > 1.0 {
            let middle = libm::floor(0.5 * (low + high));
            if self.rate.at_least(middle, WINDOW as f64) < surprise {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }
}

impl Clients {
    pub(super) fn new() -> Self {
        Clients {
            watched: Vec::new(),
            now: 0,
            events: 0.0,
            slots: 0.0,
            tail: Tail::new(1.0, PRIOR_EVENTS),
        }
    }

    /// A client has asked for something that does not exist.
    pub(super) fn observe(&mut self, key: u64, address: &str, path: u64) -> Option<&mut Client> {
        self.now = self.now.saturating_add(1);
        let at = match self.watched.iter().position(|client| client.key == key) {
            Some(at) => at,
            None => self.watch(key, address)?,
        };
        let client = self.watched.get_mut(at)?;
        if let Some(count) = client.slots.last_mut() {
            *count = count.saturating_add(1);
        }
        if let Some(paths) = client.paths.first_mut() {
            *paths |= 1 << (path % 128);
        }
        Some(client)
    }

    fn watch(&mut self, key: u64, address: &str) -> Option<usize> {
        let mut client = Client {
            key,
            address: address.chars().take(64).collect(),
            slots: [0; WINDOW],
            paths: [0; 2],
            pulse: Pulse::new(),
            episode: None,
        };
        if self.watched.len() < MOST_CLIENTS {
            self.watched.push(client);
            return Some(self.watched.len() - 1);
        }
        // The one that has asked least makes room, and hands its count on: who comes often is never lost for long.
        let least = self
            .watched
            .iter()
            .enumerate()
            .filter(|(_, client)| client.episode.is_none())
            .min_by_key(|(_, client)| client.asked())
            .map(|(at, _)| at)?;
        let old = self.watched.get_mut(least)?;
        if let Some(count) = client.slots.first_mut() {
            *count = old.asked().min(2) as u16;
        }
        *old = client;
        Some(least)
    }

    /// What the watched clients have done in the window that ends now, before the slot is closed.
    pub(super) fn look(&self) -> impl Iterator<Item = (usize, Option<Scan>)> {
        let rate = Rate {
            events: self.events + ASSUMED_EVENTS,
            exposure: self.slots + ASSUMED_SLOTS,
        };
        self.watched.iter().map(move |client| client.scan(&rate)).enumerate()
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut Client> {
        self.watched.get_mut(at)
    }

    pub(super) fn measured(&self, nominal: f64) -> f64 {
        self.tail.surprise(nominal)
    }

    pub(super) fn learn_strangeness(&mut self, nominal: f64, weight: f64) {
        self.tail.learn(nominal, weight);
    }

    /// The slot closes. What clients ask for that are up to something teaches nothing.
    pub(super) fn close_slot(&mut self, minute_ends: bool, weight: Option<f64>) {
        let strange: u32 = self
            .watched
            .iter()
            .filter(|client| client.episode.is_some())
            .map(|client| u32::from(client.slots.last().copied().unwrap_or(0)))
            .sum();
        if let Some(weight) = weight {
            let kept = libm::exp(-std::f64::consts::LN_2 / HALF_LIFE);
            self.events = self.events * kept + weight * f64::from(self.now.saturating_sub(strange));
            self.slots = self.slots * kept + weight;
        }
        self.now = 0;
        for client in &mut self.watched {
            client.slots.rotate_left(1);
            if let Some(count) = client.slots.last_mut() {
                *count = 0;
            }
            if minute_ends {
                client.paths.rotate_right(1);
                if let Some(paths) = client.paths.first_mut() {
                    *paths = 0;
                }
            }
        }
        if minute_ends {
            self.watched
                .retain(|client| client.asked() > 0 || client.episode.is_some());
        }
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Client> {
        self.watched.iter_mut()
    }
}

impl Client {
    fn asked(&self) -> u32 {
        self.slots.iter().map(|count| u32::from(*count)).sum()
    }

    fn scan(&self, rate: &Rate) -> Option<Scan> {
        let requests = f64::from(self.asked());
        let bits: u128 = self.paths.iter().fold(0, |all, paths| all | paths);
        // Linear counting (Whang, Vander-Zanden and Taylor 1990).
        let empty = f64::from(128 - bits.count_ones()).max(0.5);
        let paths = (-128.0 * libm::log(empty / 128.0)).min(requests);
        (paths >= LEAST_PATHS).then(|| Scan {
            surprise: rate.at_least(requests, WINDOW as f64),
            requests,
            paths: libm::round(paths),
            usual: rate.mean() * WINDOW as f64,
            rate: *rate,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One client asks for so many paths.
    fn ask(clients: &mut Clients, key: u64, paths: u64) {
        for path in 0..paths {
            clients.observe(key, "192.0.2.1", path * 0x9e37_79b9);
        }
    }

    fn scan_of(clients: &Clients, key: u64) -> Option<Scan> {
        let at = clients.watched.iter().position(|client| client.key == key)?;
        clients.look().find(|(place, _)| *place == at)?.1
    }

    #[test]
    fn a_scan_is_many_paths_and_not_many_requests() {
        let mut clients = Clients::new();
        ask(&mut clients, 1, 40);
        for _ in 0..40 {
            clients.observe(2, "192.0.2.2", 7);
        }
        let scan = scan_of(&clients, 1).unwrap();
        assert!((30.0..=40.0).contains(&scan.paths), "{scan:?}");
        assert!(scan.surprise > 6.0, "{scan:?}");
        assert_eq!(scan_of(&clients, 2), None);
        let most = scan.most_below(6.0);
        assert!(scan.rate.at_least(most, WINDOW as f64) < 6.0);
        assert!(scan.rate.at_least(most + 1.0, WINDOW as f64) >= 6.0);
    }

    #[test]
    fn what_a_scan_asks_for_is_not_learned_and_is_forgotten_after_two_minutes() {
        let mut clients = Clients::new();
        ask(&mut clients, 1, 40);
        for slot in 1..=2 * WINDOW {
            clients.close_slot(slot % 6 == 0, None);
        }
        assert_eq!(clients.events, 0.0);
        assert!(clients.watched.is_empty());
    }

    #[test]
    fn of_too_many_clients_those_that_ask_most_are_kept() {
        let mut clients = Clients::new();
        ask(&mut clients, u64::MAX, 30);
        for key in 0..10 * MOST_CLIENTS as u64 {
            ask(&mut clients, key, 1);
        }
        assert_eq!(clients.watched.len(), MOST_CLIENTS);
        assert!(scan_of(&clients, u64::MAX).is_some());
    }
}
