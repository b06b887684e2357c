//! What is known of one route, one upstream or one site, and what its last minutes look like against it.

use serde::{Deserialize, Serialize};

use super::evidence::{Evidence, Family};
use super::tail::{of_gamma, of_normal};
use super::window::{Ring, Slot, Sums};
use crate::decide::Course;
use crate::episode::Episode;
use crate::gamma_poisson::Rate;
use crate::number::Bounded;
use crate::series::Pulse;
use crate::threshold::{PRIOR_EVENTS, Tail};
use crate::verdict::Kind;

/// The part that routes, upstreams and sites have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Node {
    pub(super) key: u64,
    pub(super) labels: Vec<(String, String)>,
    pub(super) slot: Slot,
    pub(super) ring: Ring,
    pub(super) pulse: Pulse,
    pub(super) episode: Option<Box<Episode>>,
    known: Known,
    tail: Tail,
    /// The slots that are still to be learned with little weight, because something was strange in them.
    guarded: u16,
    /// Slots since it was first seen.
    pub(super) age: u32,
    /// The slot in which it was asked for last.
    pub(super) last: i64,
    /// How strange it was when the last slot closed, and why.
    pub(super) surprise: f64,
    pub(super) family: Option<Family>,
    /// It was strange enough then, and the short windows said so if they ever did in this episode.
    pub(super) strange: bool,
    pub(super) seen_soon: bool,
}

/// What was learned: counts and their exposures, older ones counted less.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Known {
    requests: f64,
    /// Requests to the rest of the site in the same slots.
    others: f64,
    slots: f64,
    /// For the ratios of errors, which are remembered longer than the rate of requests.
    answered: f64,
    server_errors: f64,
    client_errors: f64,
    timed: f64,
    sized: f64,
    /// What is between two looks at how much more the sums vary than by chance.
    gathered: Slot,
    gathered_slots: u32,
    expected: f64,
    z: Dispersion,
    w: Dispersion,
    slow: Dispersion,
    size: Dispersion,
    /// Of a minute's requests, and of those of two.
    rate: [Dispersion; 2],
    server: Dispersion,
    client: Dispersion,
}

/// How many times more a sum varies than it would by chance: a quasi-likelihood dispersion (Wedderburn 1974).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Dispersion {
    mean: f64,
    looks: f64,
}

impl Default for Dispersion {
    fn default() -> Self {
        Dispersion { mean: 1.0, looks: 0.0 }
    }
}

/// Chance is believed as much as so many looks; a look counts at most so much; and so many are remembered. How many
/// requests come may vary far more than how they fare: some sites have visitors once an hour.
const LOOKS_OF_CHANCE: f64 = 10.0;
const MOST_OF_A_LOOK: f64 = 12.0;
const MOST_OF_A_RATE: f64 = 400.0;
const LOOKS: f64 = 300.0;

impl Dispersion {
    fn look(&mut self, square: f64, weight: f64) {
        self.look_up_to(MOST_OF_A_LOOK, square, weight);
    }

    fn look_up_to(&mut self, most: f64, square: f64, weight: f64) {
        if self.looks == 0.0 {
            self.looks = LOOKS_OF_CHANCE;
        }
        self.looks = (self.looks + weight).at_most(LOOKS);
        self.mean += weight / self.looks * (square.at_most(most) - self.mean);
    }

    fn factor(&self) -> f64 {
        self.mean.at_least(1.0)
    }
}

/// Half-lives in slots: half an hour for rates, which follow the time of day, and half a day for ratios.
const RATE_HALF_LIFE: f64 = 180.0;
const RATIO_HALF_LIFE: f64 = 4320.0;

/// How many slots are gathered before a look at their dispersion: two minutes.
const GATHERED: u32 = 12;

/// What is assumed of a ratio that nobody has seen is worth so many requests.
const ASSUMED: f64 = 50.0;

/// Ratios are known from so many requests at most: the world is not that stable.
const MOST_ANSWERED: f64 = 20_000.0;

/// What changes less than this is no news, however sure it is: the usual duration by three tenths, …
const LEAST_RATIO: f64 = 0.262;
/// … a share of requests by two in a hundred, …
const LEAST_SHARE: f64 = 0.02;
/// … or by five, when it is the clients who are to blame, …
const LEAST_CLIENT_SHARE: f64 = 0.05;
/// … and to more than twice the usual one.
const LEAST_TIMES: f64 = 2.0;
/// … or, of slow requests, two and a half times.
const LEAST_TIMES_SLOW: f64 = 2.5;

/// A share is sure as far as so many standard deviations of its count leave it.
const DOUBT: f64 = 1.5;

/// Errors have to go on: so many have to come outside of the two worst slots, which is where those of a deploy are.
const LEAST_LASTING: f64 = 2.0;

/// Slow requests have to come in so many slots.
const LEAST_SLOTS: f64 = 3.0;

/// A rate is compared once it is known for so many slots: half an hour. A new route grows.
const KNOWN_RATE: f64 = 150.0;

/// How much it varies is looked at from so many slots on.
const GUESSED_RATE: f64 = 30.0;

/// Six families are looked at in four windows: what is strangest among 24 looks is this much less strange (Bonferroni).
const LOOKS_AT_ONCE: f64 = 1.38;

impl Node {
    pub(super) fn new(key: u64, labels: Vec<(String, String)>, slot: i64) -> Self {
        Node {
            key,
            labels,
            slot: Slot::default(),
            ring: Ring::default(),
            pulse: Pulse::new(),
            episode: None,
            known: Known::default(),
            tail: Tail::new(1.0, PRIOR_EVENTS),
            guarded: 0,
            age: 0,
            last: slot,
            surprise: 0.0,
            family: None,
            strange: false,
            seen_soon: false,
        }
    }

    /// What is decided on.
    pub(super) fn course(&mut self) -> Course<'_> {
        Course {
            key: self.key,
            labels: &self.labels,
            episode: &mut self.episode,
            pulse: &mut self.pulse,
        }
    }

    /// The slot closes: what is ten minutes old is learned. `others` are the requests to the rest of its site then.
    /// Returns the weight that is left of `weight` where something was strange.
    pub(super) fn close_slot(&mut self, others: impl FnOnce(&Slot) -> f64, weight: Option<f64>) -> Option<f64> {
        self.age = self.age.saturating_add(1);
        let weight = match weight {
            Some(weight) if self.guarded > 0 => Some(weight * 0.1),
            weight => weight,
        };
        self.guarded = self.guarded.saturating_sub(1);
        let closed = std::mem::take(&mut self.slot);
        if let Some(old) = self.ring.push(closed)
            && let Some(weight) = weight
        {
            let others = others(&old);
            self.known.learn(&old, others, weight);
        }
        weight
    }

    /// Something was strange: what came in the last ten minutes and comes now is learned with little weight.
    pub(super) fn guard(&mut self) {
        self.guarded = super::window::KEPT as u16;
    }

    /// What an open episode is about while it lasts, and how strange the node is now.
    pub(super) fn showing(&self) -> Option<(Family, f64)> {
        self.trouble().filter(|_| self.strange)
    }

    /// What an open episode is about, and how strange the node is now.
    pub(super) fn trouble(&self) -> Option<(Family, f64)> {
        self.episode.as_ref()?;
        Some((self.family?, self.surprise))
    }

    /// Whether enough is known to judge it.
    pub(super) fn is_learning(&self) -> bool {
        self.known.answered < ASSUMED
    }

    /// The level that there is now is the usual one from here on.
    pub(super) fn restart(&mut self) {
        self.known = Known::default();
        self.guarded = 0;
        self.ring.clear();
    }

    /// The share of requests that the server fails, and that the client is to blame for, as far as it is known.
    pub(super) fn error_rates(&self, assumed: (f64, f64)) -> (Rate, Rate) {
        let known = &self.known;
        let shrink = (MOST_ANSWERED / known.answered.at_least(1.0)).at_most(1.0);
        let rate = |errors: f64, assumed: f64, dispersion: &Dispersion| {
            Rate {
                events: (errors * shrink + ASSUMED * assumed).at_least(1e-3),
                exposure: known.answered * shrink + ASSUMED,
            }
            .widened(dispersion.factor())
        };
        (
            rate(known.server_errors, assumed.0, &known.server),
            rate(known.client_errors, assumed.1, &known.client),
        )
    }

    /// What is the matter in the windows that end now, in nominal surprise, before it is measured; so much of it is
    /// `enough`.
    pub(super) fn look(
        &self,
        windows: &[Option<Sums>],
        site: Option<&[Option<Sums>]>,
        assumed: (f64, f64),
        load: &[f64],
        enough: f64,
    ) -> Looks {
        let mut looks = Looks {
            enough,
            ..Looks::default()
        };
        let rates = self.error_rates(assumed);
        for (at, sums) in windows.iter().enumerate() {
            let Some(sums) = sums else { continue };
            looks.window = at;
            self.latency(sums, load.get(at).copied().unwrap_or(1.0), &mut looks);
            self.sizes(sums, &mut looks);
            errors(sums, &rates, &mut looks);
            let site = site.map(|site| site.get(at).copied().flatten());
            self.traffic(sums, site, &mut looks);
        }
        looks
    }

    /// With `load` times its usual requests, a site may be slower by so many times what is no news otherwise.
    fn latency(&self, sums: &Sums, load: f64, looks: &mut Looks) {
        let known = &self.known;
        if sums.timed < 8.0 || known.timed < ASSUMED {
            return;
        }
        // What is usual is an estimate itself.
        let scale = (sums.timed * (1.0 + sums.timed / known.timed)).sqrt();
        let ratio = sums.ratio / sums.timed;
        let (share, usual) = (sums.all_slow / sums.timed, sums.slow_expected / sums.timed);
        let evidence = Evidence {
            family: Family::Latency,
            kind: Kind::Latency,
            surprise: 0.0,
            effect: ratio,
            sums: *sums,
            window: 0,
            expected: usual,
        };
        if ratio > LEAST_RATIO * load {
            looks.offer(Evidence {
                surprise: of_normal(sums.z / scale / known.z.factor().sqrt()),
                ..evidence
            });
        } else if share > LEAST_TIMES_SLOW * load * usual
            && share > usual + LEAST_SHARE
            && sums.slow_slots >= LEAST_SLOTS
        {
            // Squares are skewed, and so are sums of not too many of them.
            let w = sums.w / scale / known.w.factor().sqrt();
            let spread = of_gamma(w, sums.timed / 2.0 / known.w.factor());
            let rate = Rate {
                events: usual * known.timed + 1.0,
                exposure: known.timed,
            };
            let slow = rate.widened(known.slow.factor()).at_least(sums.slow, sums.timed);
            looks.offer(Evidence {
                kind: Kind::LatencySpread,
                surprise: spread.at_least(slow),
                effect: share - usual,
                ..evidence
            });
        }
    }

    fn sizes(&self, sums: &Sums, looks: &mut Looks) {
        let known = &self.known;
        if sums.sized < 8.0 || known.sized < ASSUMED {
            return;
        }
        let ratio = sums.size_ratio / sums.sized;
        // Half or twice the size.
        if ratio.abs() > std::f64::consts::LN_2 {
            let scale = (sums.sized * (1.0 + sums.sized / known.sized)).sqrt();
            let z = sums.size_z.abs() / scale / known.size.factor().sqrt();
            looks.offer(Evidence {
                family: Family::Size,
                kind: Kind::ResponseSize,
                surprise: of_normal(z),
                effect: ratio,
                sums: *sums,
                window: 0,
                expected: 0.0,
            });
        }
    }

    fn traffic(&self, sums: &Sums, site: Option<Option<Sums>>, looks: &mut Looks) {
        let known = &self.known;
        if known.slots < KNOWN_RATE {
            return;
        }
        let own = Rate {
            events: known.requests.at_least(1e-3),
            exposure: known.slots,
        }
        .widened(known.rate_factor());
        // A rise or a fall that the rest of the site shares is the time of day, a holiday or a campaign: what counts is
        // the share of it, and that it is a fall by the node's own rate as well.
        let shared = match site {
            Some(Some(site)) => Some((
                Rate {
                    events: known.requests.at_least(1e-3),
                    exposure: known.others.at_least(1e-3),
                }
                .widened(known.rate_factor()),
                (site.requests - sums.requests).at_least(0.0),
            )),
            Some(None) => return,
            None => None,
        };
        let expected = own.mean() * sums.slots;
        let by_others = shared.map_or(expected, |(rate, others)| rate.mean() * others);
        let (least, most) = (expected.at_most(by_others), expected.at_least(by_others));
        // Nobody but the clock says what the whole site should have: only near silence of it is news.
        let floor = if shared.is_some() { 0.5 } else { 0.1 };
        // A site that pauses for a minute is not silent yet.
        let long_enough = shared.is_some() || sums.slots > 6.0;
        if long_enough && sums.requests < floor * least {
            let surprise = match shared {
                Some((rate, others)) => rate.at_most(sums.requests, others),
                None => own.at_most(sums.requests, sums.slots),
            };
            looks.offer(Evidence {
                family: Family::Traffic,
                kind: Kind::TrafficDrop,
                surprise,
                effect: 1.0 - sums.requests / least,
                sums: *sums,
                window: 0,
                expected: least,
            });
        }
        if let Some((rate, others)) = shared
            && sums.requests > 4.0 * most
            // What is hardly ever asked for is easily asked for more often.
            && most >= 5.0
        {
            let surprise = rate.at_least(sums.requests, others);
            looks.offer(Evidence {
                family: Family::Surge,
                kind: Kind::TrafficSurge,
                surprise,
                effect: sums.requests / most,
                sums: *sums,
                window: 0,
                expected: most,
            });
        }
    }

    /// How surprising a nominal surprise of this node is, by its own past.
    pub(super) fn measured(&self, nominal: f64) -> f64 {
        self.tail.surprise(nominal)
    }

    /// Learns how strange it looks when nothing is wrong; once a minute is enough, since windows overlap.
    ///
    /// Of trouble it learns nothing: there is one window after the other of it, and the next trouble of the kind would
    /// be nothing new.
    pub(super) fn learn_strangeness(&mut self, nominal: f64, weight: f64) {
        if self.guarded == 0 {
            self.tail.learn(nominal, weight);
        }
    }

    /// How many times its usual requests each window has, at least once.
    pub(super) fn load(&self, windows: &[Option<Sums>]) -> Vec<f64> {
        let usual = self.usual_rate();
        let load = |sums: &Sums| Some((sums.requests / (usual? * sums.slots).at_least(1.0)).at_least(1.0));
        windows
            .iter()
            .map(|sums| sums.as_ref().and_then(load).unwrap_or(1.0))
            .collect()
    }

    /// Requests in a slot, as far as the rate is known.
    pub(super) fn usual_rate(&self) -> Option<f64> {
        (self.known.slots >= KNOWN_RATE).then(|| self.known.requests / self.known.slots)
    }
}

fn errors(sums: &Sums, rates: &(Rate, Rate), looks: &mut Looks) {
    if sums.requests < 5.0 {
        return;
    }
    let lasting = sums.lasting_errors();
    let server = (rates.0, sums.server_errors, lasting.0, LEAST_SHARE);
    let client = (rates.1, sums.client_errors, lasting.1, LEAST_CLIENT_SHARE);
    for (family, (rate, errors, lasting, least)) in [(Family::Errors, server), (Family::ClientErrors, client)] {
        let (share, usual) = (errors / sums.requests, rate.mean());
        // A handful of errors says little of their share: it has to be that much larger beyond doubt.
        let surely = (errors - DOUBT * errors.sqrt()) / sums.requests;
        if lasting >= LEAST_LASTING && surely > usual + least && share > LEAST_TIMES * usual {
            looks.offer(Evidence {
                family,
                kind: Kind::Errors,
                surprise: rate.at_least(errors, sums.requests),
                effect: share - usual,
                sums: *sums,
                window: 0,
                expected: usual,
            });
        }
    }
}

impl Known {
    fn rate_factor(&self) -> f64 {
        let [minute, two] = &self.rate;
        minute.factor().at_least(two.factor())
    }

    fn look_at_rate(&mut self, scale: usize, requests: f64, expected: f64, weight: f64) {
        if self.slots >= GUESSED_RATE
            && expected > 0.5
            && let Some(rate) = self.rate.get_mut(scale)
        {
            let difference = requests - expected;
            rate.look_up_to(MOST_OF_A_RATE, difference * difference / expected, weight);
        }
    }

    fn learn(&mut self, old: &Slot, others: f64, weight: f64) {
        let decay = |half_life: f64| libm::exp(-std::f64::consts::LN_2 * weight / half_life);
        let (rate, ratio) = (decay(RATE_HALF_LIFE), decay(RATIO_HALF_LIFE));
        let requests = f64::from(old.requests);
        self.expected += match () {
            () if others > 0.0 && self.others > 0.0 => self.requests / self.others * others,
            () if self.slots > 0.0 => self.requests / self.slots,
            () => requests,
        };
        self.requests = self.requests * rate + weight * requests;
        self.others = self.others * rate + weight * others;
        self.slots = self.slots * rate + weight;
        if requests > 0.0 || self.answered > MOST_ANSWERED {
            self.answered = self.answered * ratio + weight * requests;
            self.server_errors = self.server_errors * ratio + weight * f64::from(old.server_errors);
            self.client_errors = self.client_errors * ratio + weight * f64::from(old.client_errors);
            self.timed = self.timed * ratio + weight * f64::from(old.timed);
            self.sized = self.sized * ratio + weight * f64::from(old.sized);
        }
        self.gathered.join(old);
        self.gathered_slots += 1;
        if self.gathered_slots * 2 == GATHERED {
            let (requests, expected) = (f64::from(self.gathered.requests), self.expected);
            self.look_at_rate(0, requests, expected, weight);
        }
        if self.gathered_slots >= GATHERED {
            let gathered = std::mem::take(&mut self.gathered);
            let expected = std::mem::take(&mut self.expected);
            self.gathered_slots = 0;
            let square = |sum: f32, count: u32| {
                let sum = f64::from(sum);
                sum * sum / f64::from(count.max(1))
            };
            if gathered.timed > 0 {
                self.z.look(square(gathered.z, gathered.timed), weight);
                self.w.look(square(gathered.w, gathered.timed), weight);
                let difference = f64::from(gathered.slow) - f64::from(gathered.slow_expected);
                let expected = f64::from(gathered.slow_expected).at_least(0.5);
                self.slow.look(difference * difference / expected, weight);
            }
            if gathered.sized > 0 {
                self.size.look(square(gathered.size_z, gathered.sized), weight);
            }
            let of_errors = |all: f64, count: u32| {
                let expected = all / self.answered.at_least(1.0) * f64::from(gathered.requests);
                let difference = f64::from(count) - expected;
                (expected > 0.5).then(|| difference * difference / expected)
            };
            let server = of_errors(self.server_errors, gathered.server_errors);
            let client = of_errors(self.client_errors, gathered.client_errors);
            if let Some(square) = server {
                self.server.look(square, weight);
            }
            if let Some(square) = client {
                self.client.look(square, weight);
            }
            self.look_at_rate(1, f64::from(gathered.requests), expected, weight);
        }
    }
}

/// The strongest evidence of each family.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Looks {
    of: [Option<Evidence>; Family::COUNT],
    /// The shortest window that is enough by itself: longer ones may hold other trouble as well.
    plain: [Option<Evidence>; Family::COUNT],
    /// The greatest nominal surprise of each family in the windows up to two minutes.
    recent: [f64; Family::COUNT],
    /// The window that is being looked at.
    window: usize,
    enough: f64,
}

impl Looks {
    fn offer(&mut self, mut evidence: Evidence) {
        evidence.surprise = (evidence.surprise - LOOKS_AT_ONCE).at_least(0.0);
        evidence.window = self.window;
        if evidence.is_recent()
            && let Some(recent) = self.recent.get_mut(evidence.family as usize)
        {
            *recent = recent.at_least(evidence.surprise);
        }
        if let Some(place) = self.plain.get_mut(evidence.family as usize)
            && evidence.surprise >= self.enough
        {
            place.get_or_insert(evidence);
        }
        if let Some(place) = self.of.get_mut(evidence.family as usize)
            && place.is_none_or(|best| evidence.surprise > best.surprise)
        {
            *place = Some(evidence);
        }
    }

    pub(super) fn of(&self, family: Family) -> Option<&Evidence> {
        self.of.get(family as usize)?.as_ref()
    }

    /// The evidence to tell by who is to be named.
    pub(super) fn plainest(&self, family: Family) -> Option<&Evidence> {
        let plain = self.plain.get(family as usize)?;
        plain.as_ref().or(self.of(family))
    }

    /// The greatest nominal surprise in the windows up to two minutes.
    pub(super) fn recent(&self, family: Family) -> f64 {
        self.recent.get(family as usize).copied().unwrap_or(0.0)
    }

    /// Nothing is said of how many requests came.
    pub(super) fn without_traffic(mut self) -> Self {
        for family in [Family::Traffic, Family::Surge] {
            if let Some(place) = self.of.get_mut(family as usize) {
                *place = None;
            }
        }
        self
    }

    /// The strongest of all; of evidence that is equally strong, the family that comes first.
    pub(super) fn strongest(&self) -> Option<&Evidence> {
        self.of
            .iter()
            .flatten()
            .reduce(|best, next| if next.surprise > best.surprise { next } else { best })
    }
}
