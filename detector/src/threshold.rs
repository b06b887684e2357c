//! Raw strangeness to calibrated surprise, and the budget of false alarms.
//!
//! Every model hands over a *nominal* surprise: `−log10` of the tail probability that its assumptions claim.
//! Assumptions are wrong, so a [`Tail`] measures how often normal behaviour really reached a nominal value,
//! and answers with the *measured* surprise. The same type serves channels, rows and the whole detector.

use serde::{Deserialize, Serialize};

use crate::event::Timestamp;
use crate::near::NEAR_BUDGET;
use crate::number::Bounded;
use crate::series::WRONG_CLOCK;

const LN_10: f64 = std::f64::consts::LN_10;

/// Width of a bin, in decades of nominal surprise.
const STEP: f64 = 0.125;

/// Nominal surprise from this number of bins on falls into the last one.
const MAX_BINS: usize = 80;

/// What the assumption weighs in most tails, in events.
pub(crate) const PRIOR_EVENTS: f32 = 2.0;

/// Beyond the highest of so many events, or the square root of their number, a fitted tail takes over from counting.
/// Counting as far as it goes matters: normal behaviour is a mixture (ordinary lines and now and then a known
/// error), and a curve that is fitted to the bulk of it calls the rest impossible.
const TAIL_EVENTS: f64 = 10.0;

/// When a tail has seen this many events, they all lose half their weight: it follows slow change.
const MEMORY_EVENTS: f32 = 20_000.0;

/// What is more than so many times a bound exceeds it however the two are rounded, and in whatever order they are summed.
const CLEARLY: f64 = 1.0 + 1e-4;

/// How often nominal surprise was reached: counted where there is enough to count, fitted beyond.
///
/// The fitted part is exponential in surprise. In the tail, exceedances of a threshold follow a generalised
/// Pareto distribution (Pickands 1975; used for streams by Siffer et al., SPOT, KDD 2017); since nominal
/// surprise is already the logarithm of a tail, the exponential case suffices, with one parameter that is
/// shrunk towards the assumption and bounded so that it cannot claim the impossible.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tail {
    /// Weight of the events in each bin, grown to the highest bin that was reached.
    bins: Vec<f32>,
    total: f32,
    /// How many times faster than assumed the measured tail may fall at most.
    steepest: f32,
    /// What the assumption weighs against what was measured, in events. It never loses its say altogether: where
    /// nothing was ever counted, a fitted curve is only a guess, and the assumption keeps it from claiming the
    /// impossible.
    prior: f32,
}

/// The tail from `start` on: `P(Y > y) = level · exp(−(y − start) / excess) + assumed` for `y ≥ start`.
struct Fit {
    start: f64,
    level: f64,
    excess: f64,
}

impl Fit {
    /// `assumed` is what the assumption says of this nominal surprise.
    fn reached(&self, nominal: f64, assumed: f64) -> f64 {
        self.level * libm::exp((self.start - nominal) / self.excess) + assumed
    }
}

impl Tail {
    /// A tail that has seen nothing. `steepest` bounds how much faster than assumed it may fall.
    pub(crate) fn new(steepest: f32, prior: f32) -> Self {
        Tail {
            bins: Vec::new(),
            total: 0.0,
            steepest,
            prior,
        }
    }

    /// The measured surprise of a nominal one: finite, at least 0, never falling as `nominal` rises.
    pub(crate) fn surprise(&self, nominal: f64) -> f64 {
        // Taken from nothing, so that what is certain has a surprise of 0 and not of -0.
        0.0 - libm::log10(self.reached_below(nominal, f64::INFINITY).unwrap_or(1.0))
    }

    /// The nominal surprise that is reached with this probability.
    pub(crate) fn nominal_at(&self, probability: f64) -> f64 {
        let (mut low, mut high) = (0.0, 300.0);
        let goal = -libm::log10(probability);
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            if self.surprise(middle) < goal {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }

    /// Learns that normal behaviour reached this nominal surprise. Events that are not independent of the one
    /// before carry less `weight` than 1.
    pub(crate) fn learn(&mut self, nominal: f64, weight: f64) {
        let bin = ((nominal / STEP) as usize).min(MAX_BINS - 1);
        if bin >= self.bins.len() {
            self.bins.resize(bin + 1, 0.0);
        }
        if let Some(count) = self.bins.get_mut(bin) {
            *count += weight as f32;
            self.total += weight as f32;
        }
        if self.total > MEMORY_EVENTS {
            self.bins.iter_mut().for_each(|count| *count *= 0.5);
            self.total *= 0.5;
        }
    }

    /// Learns all that another tail has learned.
    pub(crate) fn absorb(&mut self, other: &Tail) {
        for (bin, weight) in other.bins.iter().enumerate() {
            if *weight > 0.0 {
                self.learn((bin as f64 + 0.5) * STEP, f64::from(*weight));
            }
        }
    }

    /// Whether the bins above that of a nominal surprise are enough to tell that a share of `least` reaches it.
    pub(crate) fn is_common(&self, nominal: f64, least: f64) -> bool {
        let common = least * (f64::from(self.total) + f64::from(self.prior)) * CLEARLY;
        let bin = (nominal / STEP) as usize;
        // Several at once: where it ends is hard to foretell, and a branch that was not foretold costs more than they do.
        let (chunks, rest) = self.bins.get(bin + 1..).unwrap_or_default().as_chunks::<8>();
        let mut above = 0.0f32;
        for [a, b, c, d, e, f, g, h] in chunks {
            above += ((a + b) + (c + d)) + ((e + f) + (g + h));
            if f64::from(above) > common {
                return true;
            }
        }
        f64::from(above + rest.iter().sum::<f32>()) > common
    }

    /// The share of events that reach a nominal surprise, where it is less than `least`: most of the work is for the
    /// end of the tail, and need not be done where counting alone shows that there are more.
    pub(crate) fn reached_below(&self, nominal: f64, least: f64) -> Option<f64> {
        let total = f64::from(self.total);
        let events = total + f64::from(self.prior);
        let position = nominal / STEP;
        let bin = (position as usize).min(MAX_BINS);
        let part = self
            .bins
            .get(bin)
            .map_or(0.0, |count| f64::from(*count) * (1.0 - (position - bin as f64)));
        // Sums only grow: what is common is seen to be from its first bins. Dividing can wait until it is close.
        let common = least * events * CLEARLY;
        let mut above = 0.0f32;
        for count in self.bins.iter().skip(bin + 1) {
            above += count;
            if f64::from(above) + part > common {
                return None;
            }
        }
        let counted = (f64::from(above) + part) / events;
        if counted >= least {
            return None;
        }
        let wanted = TAIL_EVENTS.at_least(total.sqrt());
        let (mut mass, mut moment) = (0.0, 0.0);
        let mut start = 0.0;
        for (index, count) in self.bins.iter().enumerate().rev() {
            let count = f64::from(*count);
            mass += count;
            moment += count * (index as f64 + 0.5);
            if mass >= wanted {
                start = index as f64 * STEP;
                break;
            }
        }
        // Of a bin that holds far more than is wanted, only as much takes part.
        let excess = moment * STEP - mass * start;
        let (weight, excess) = if mass > wanted {
            (wanted, excess * wanted / mass)
        } else {
            (mass, excess)
        };
        let usual = 1.0 / LN_10;
        let assumed = f64::from(self.prior) / events * libm::exp(-nominal * LN_10);
        let counted = counted + assumed;
        // What was counted is never less likely than the curve says: it happened.
        let reached = if nominal >= start {
            let fit = Fit {
                start,
                level: mass / events,
                excess: ((excess + TAIL_EVENTS * usual) / (weight + TAIL_EVENTS))
                    .at_least(usual / f64::from(self.steepest)),
            };
            fit.reached(nominal, assumed).at_least(counted)
        } else {
            counted
        };
        let reached = within(reached, 1e-300, 1.0);
        (reached < least).then_some(reached)
    }
}

/// A number brought between two bounds; what is no number comes out as the upper one, and nothing panics.
pub(crate) fn within(value: f64, low: f64, high: f64) -> f64 {
    value.at_most(high).at_least(low)
}

/// Nominal surprise of a deviation of `z` spreads: a heavy-tailed prior (Student's t with 4 degrees of freedom
/// falls alike), because the spread is estimated and real metrics are not Gaussian.
pub(crate) fn of_deviation(z: f64) -> f64 {
    2.0 * libm::log10(1.0 + z * z / 4.0)
}

/// The middle of the bin that the nominal surprise of a deviation falls into, where that is plain from about what its
/// logarithm is: to tell a logarithm is most of the work for what turns out to be usual.
pub(crate) fn about_deviation(z: f64) -> Option<f64> {
    let bits = (1.0 + z * z / 4.0).to_bits();
    // The logarithm to base 2 is the exponent, and of the rest about this; to less than 0.002.
    let whole = (bits >> MANTISSA_BITS) as f64 - EXPONENT_OF_ONE;
    let rest = f64::from_bits(bits & MANTISSA | 1.0f64.to_bits()) - 1.0;
    let doublings = whole + rest + rest * (1.0 - rest) * (0.4225 - 0.1554 * rest);
    let position = doublings * (2.0 * std::f64::consts::LOG10_2 / STEP);
    let bin = (position as u32) as f64;
    let within = position - bin;
    let plain = (bin == 0.0 || within >= 0.02) && within < 0.98;
    plain.then_some((bin + 0.5) * STEP)
}

const MANTISSA_BITS: u32 = 52;
const MANTISSA: u64 = (1 << MANTISSA_BITS) - 1;
const EXPONENT_OF_ONE: f64 = 1023.0;

/// Nominal surprise of several independent pieces of evidence together: Fisher's method (1925), whose sum of
/// `k` surprises follows an Erlang distribution.
pub(crate) fn of_sum(evidence: &[f64]) -> f64 {
    let sum: f64 = evidence.iter().sum();
    let x = sum * LN_10;
    let (mut term, mut series) = (1.0, 1.0);
    for k in 1..evidence.len() {
        term *= x / k as f64;
        series += term;
    }
    (sum - libm::log10(series)).at_least(0.0)
}

/// Spends the false alarms that a user allows: from a rate per day to the surprise that an event has to reach.
///
/// If surprise were calibrated, the threshold would follow from how many events there are:
/// that is where it starts. From there it is led by what really happens, as in adaptive conformal inference (Gibbs and
/// Candès, NeurIPS 2021): every alarm raises it by a step, and time lowers it, by a step for each alarm that was
/// allowed. In the long run there are then as many alarms as allowed, whatever the surprise is worth; nothing has to be
/// assumed for that. Onsets are what counts, not anomalous events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Budget {
    window: Option<Window>,
    /// Events in a window of a minute, on average over windows that have events.
    events: f64,
    /// Seconds from one window with events to the next, on average.
    spacing: f64,
    windows: f64,
    /// What experience adds to the threshold, in decades.
    experience: f64,
    /// What the threshold is without experience, for the rates that are asked for with every event: it changes with the
    /// window only, and can be worked out anew.
    #[serde(skip)]
    bases: Option<[Base; 2]>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Base {
    alarms_per_day: f64,
    threshold: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Window {
    start: Timestamp,
    events: f64,
}

/// Averages over windows forget with this many windows, about half a day.
const WINDOWS: f64 = 720.0;

/// Events that come after each other are alike, and alarms are onsets: so many events are one chance for an alarm.
pub(crate) const ALIKE: f64 = 10.0;

/// What one alarm teaches, in decades, and how much can be learned.
const STEP_OF_ALARM: f64 = 0.25;
const MOST_EXPERIENCE: f64 = 6.0;

/// Where the threshold never goes below: one row in a hundred is no anomaly, whatever the budget.
const LEAST_THRESHOLD: f64 = 2.0;

impl Budget {
    /// A budget of which nothing is known yet.
    pub(crate) fn new() -> Self {
        Budget {
            window: None,
            events: 1.0,
            spacing: 60.0,
            windows: 0.0,
            experience: 0.0,
            bases: None,
        }
    }

    /// An event has come.
    pub(crate) fn event(&mut self, now: Timestamp, alarms_per_day: f64) {
        let window = self.window.get_or_insert(Window {
            start: now,
            events: 0.0,
        });
        let elapsed = now.seconds_since(window.start);
        if elapsed < -WRONG_CLOCK {
            *window = Window {
                start: now,
                events: 0.0,
            };
        } else if elapsed >= 60.0 {
            let events = window.events;
            *window = Window {
                start: now,
                events: 0.0,
            };
            // A pause of the whole feed is no time in which an alarm could have come.
            let elapsed = elapsed.at_most(3600.0);
            self.windows += 1.0;
            let rate = (1.0 / self.windows).at_least(1.0 / WINDOWS);
            self.events += rate * (events - self.events);
            self.spacing += rate * (elapsed - self.spacing);
            self.bases = None;
            let allowed = alarms_per_day * elapsed / 86_400.0;
            self.experience = (self.experience - STEP_OF_ALARM * allowed).at_least(0.0);
        }
        if let Some(window) = &mut self.window {
            window.events += 1.0;
        }
        if self.bases.is_none() {
            let base = |alarms_per_day| Base {
                alarms_per_day,
                threshold: self.base(alarms_per_day),
            };
            self.bases = Some([base(alarms_per_day), base(NEAR_BUDGET * alarms_per_day)]);
        }
    }

    /// An alarm was raised.
    pub(crate) fn alarm(&mut self) {
        self.experience = (self.experience + STEP_OF_ALARM).at_most(MOST_EXPERIENCE);
    }

    /// The surprise that an event has to reach to be an alarm.
    pub(crate) fn threshold(&self, alarms_per_day: f64) -> f64 {
        let known = self
            .bases
            .iter()
            .flatten()
            .find(|base| base.alarms_per_day.to_bits() == alarms_per_day.to_bits());
        let base = known.map_or_else(|| self.base(alarms_per_day), |base| base.threshold);
        (base + self.experience).at_least(LEAST_THRESHOLD)
    }

    fn base(&self, alarms_per_day: f64) -> f64 {
        let windows_per_day = 86_400.0 / self.spacing;
        let chances = windows_per_day * self.events.at_least(1.0) / ALIKE;
        libm::log10(chances / alarms_per_day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Uniform numbers in (0, 1), the same in every run.
    fn uniform(state: &mut u64) -> f64 {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((*state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    #[test]
    fn about_how_far_it_is_tells_the_bin() {
        let bin = |nominal: f64| (nominal / STEP) as usize;
        let (mut told, mut z) = (0, 1e-4);
        for _ in 0..100_000 {
            if let Some(about) = about_deviation(z) {
                assert_eq!(bin(about), bin(of_deviation(z)), "{z}");
                told += 1;
            }
            z *= 1.000_25;
        }
        assert!(z > 1e6 && told > 90_000, "{z} {told}");
    }

    #[test]
    fn a_young_tail_believes_the_assumption() {
        let tail = Tail::new(4.0, PRIOR_EVENTS);
        for nominal in [0.0, 0.5, 3.0, 9.0] {
            assert!((tail.surprise(nominal) - nominal).abs() < 1e-9, "{nominal}");
        }
    }

    #[test]
    fn a_tail_measures_what_the_assumption_got_wrong() {
        // The assumption claims ten times the surprise that is right.
        let mut tail = Tail::new(4.0, PRIOR_EVENTS);
        let mut state = 1;
        for _ in 0..5_000 {
            tail.learn(-libm::log10(uniform(&mut state)) + 1.0, 1.0);
        }
        for p in [0.1, 0.01, 0.001] {
            let nominal = 1.0 - libm::log10(p);
            let measured = tail.surprise(nominal);
            assert!((measured + libm::log10(p)).abs() < 0.35, "p = {p}: {measured}");
            assert!((tail.nominal_at(p) - nominal).abs() < 0.35, "p = {p}");
        }
    }

    #[test]
    fn surprise_never_falls_and_is_never_infinite() {
        let mut tail = Tail::new(4.0, PRIOR_EVENTS);
        let mut state = 7;
        for n in 0..3_000 {
            tail.learn(-2.0 * libm::log10(uniform(&mut state)), 1.0);
            if n % 500 == 0 {
                let mut last = -1e-12;
                for k in 0..400 {
                    let now = tail.surprise(f64::from(k) * 0.05);
                    assert!(now.is_finite() && now >= last - 1e-9, "{n} {k}: {now} after {last}");
                    last = now;
                }
            }
        }
    }

    #[test]
    fn the_budget_is_kept_whatever_the_number_of_series_and_the_rate() {
        for (series, interval) in [(1, 300.0), (1, 10.0), (40, 30.0)] {
            let (mut budget, mut state, mut alarms) = (Budget::new(), 3, 0);
            let (days, per_day) = (40.0, 1.0);
            let rows = (days * 86_400.0 / interval) as u64;
            for row in 0..rows {
                let now = Timestamp::from_seconds((row as f64 * interval) as i64);
                let threshold = budget.threshold(per_day);
                for _ in 0..series {
                    budget.event(now, per_day);
                    // Twice as surprising as it should be: the budget is kept all the same.
                    if -1.5 * libm::log10(uniform(&mut state)) >= threshold {
                        alarms += 1;
                        budget.alarm();
                    }
                }
            }
            let measured = f64::from(alarms) / days;
            assert!(
                (0.2..2.0).contains(&measured),
                "{series} series every {interval} s: {measured} a day"
            );
        }
    }
}
