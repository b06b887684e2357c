//! One period in slots: what is usual at each of its phases.

use serde::{Deserialize, Serialize};

use crate::number::Bounded;
use crate::threshold::within;

/// What is usual at each phase of a period. A slot learns when time has left it, once for each time it was passed,
/// from the mean of what was seen in it: so the counts are small numbers, and a slot with many values is not learned
/// faster than one with few.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Cycle {
    /// In seconds.
    pub(super) period: f64,
    /// Where in the period the first slot begins, in seconds, and slots per second.
    begins: f64,
    per_second: f64,
    means: Box<[f32]>,
    /// How often each was passed, in sixteenths; nothing of one that was never seen.
    passed: Box<[u8]>,
    /// Whether a slot holds one value, so that nothing is to be interpolated between slots.
    single: bool,
    open: Open,
    /// Whether it is in phase, see `Watch`.
    off: [f32; 3],
}

/// The slot that time is in.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Open {
    slot: u16,
    values: f32,
    weight: f32,
    mean: f64,
}

/// Where a moment is in a cycle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Its slot.
    slot: usize,
    /// From the middle of its slot to the middle of a neighbour: −0.5 to 0.5 slots.
    from_middle: f64,
}

/// What a slot of the cycle has become.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Phase {
    Kept,
    /// All comes so many seconds later from here on.
    Shifted(f64),
}

/// How a cycle is kept in phase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Watch {
    Nothing,
    /// The clock may be put forward or back by so many slots: the mean distance of the slots that are passed from what
    /// was usual so much earlier and later is compared to that from what was usual there.
    Clock(usize),
    /// The period may be not quite right, so that the cycle drifts: the distance of the slots that are passed from
    /// what was usual is compared to the slope there.
    Drift,
}

/// A slot remembers about so many periods, in sixteenths.
const PASSED: u8 = 6 * 16;
/// A slot moves by at most so many usual distances when it was passed: one bad day is not the season.
const REACH: f64 = 3.0;
/// Another phase has to be so much nearer to be the true one.
const NEARER: f32 = 0.4;

impl Cycle {
    /// A cycle of `slots` slots; the one at `phase` has its middle there where each holds one value.
    pub(super) fn new(period: f64, slots: usize, phase: f64, single: bool) -> Self {
        let width = period / slots as f64;
        Cycle {
            period,
            begins: if single { phase - 0.5 * width } else { 0.0 },
            per_second: slots as f64 / period,
            means: vec![0.0; slots].into(),
            passed: vec![0; slots].into(),
            single,
            open: Open::default(),
            off: [0.0; 3],
        }
    }

    pub(super) fn width(&self) -> f64 {
        self.period / self.means.len() as f64
    }

    /// The place of a phase of 0 to `period` seconds.
    pub(super) fn place(&self, phase: f64) -> Place {
        let slots = self.means.len();
        let mut position = (phase - self.begins) * self.per_second;
        // What begins is within a period of zero, either way.
        if position < 0.0 {
            position += slots as f64;
        }
        if position >= slots as f64 {
            position -= slots as f64;
        }
        let slot = (position.at_least(0.0) as usize).min(slots.saturating_sub(1));
        Place {
            slot,
            from_middle: position - slot as f64 - 0.5,
        }
    }

    fn before(&self, slot: usize) -> usize {
        if slot == 0 { self.means.len() - 1 } else { slot - 1 }
    }

    fn after(&self, slot: usize) -> usize {
        if slot + 1 >= self.means.len() { 0 } else { slot + 1 }
    }

    /// What is usual in a slot, where it was ever seen.
    fn slot(&self, slot: usize) -> Option<f64> {
        (*self.passed.get(slot)? > 0).then(|| self.means.get(slot).map(|mean| f64::from(*mean)))?
    }

    /// What is usual at a place: between the middles of slots that hold several values.
    pub(super) fn usual(&self, place: &Place) -> Option<f64> {
        let own = self.slot(place.slot);
        if self.single && own.is_some() {
            return own;
        }
        let (near, part) = if place.from_middle < 0.0 {
            (self.before(place.slot), -place.from_middle)
        } else {
            (self.after(place.slot), place.from_middle)
        };
        Some(match (own, self.slot(near)) {
            (Some(own), Some(near)) => own + part * (near - own),
            (own, near) => own.or(near)?,
        })
    }

    /// The least and the greatest of what is usual here and in the slots around, as far as they differ by more than
    /// values usually do (`error`): what happens every day is rarely on time to the minute, and chance differences
    /// between slots say nothing.
    pub(super) fn range(&self, place: &Place, error: f64) -> Option<(f64, f64)> {
        let usual = self.usual(place)?;
        let near = [self.before(place.slot), place.slot, self.after(place.slot)];
        let near = near.into_iter().filter_map(|slot| self.slot(slot));
        let near = near.filter(|value| (value - usual).abs() > error);
        Some(near.fold((usual, usual), |(low, high), value| {
            (low.at_most(value), high.at_least(value))
        }))
    }

    /// Learns a value at a place. `usual_error` is how far values are from what is usual, and `level` how far they
    /// are above it at present; nothing is bounded while it is not known.
    pub(super) fn learn(
        &mut self,
        place: &Place,
        value: f64,
        weight: f64,
        usual_error: Option<f64>,
        level: f64,
        watch: Watch,
    ) -> Phase {
        let mut phase = Phase::Kept;
        if usize::from(self.open.slot) != place.slot {
            phase = self.close(usual_error, level, watch);
            self.open = Open {
                slot: place.slot as u16,
                ..Open::default()
            };
        }
        self.open.values += 1.0;
        self.open.weight += weight as f32;
        if self.open.weight > 0.0 {
            self.open.mean += weight / f64::from(self.open.weight) * (value - self.open.mean);
        }
        phase
    }

    /// Whether a value at this place would be of the slot that time is in.
    pub(super) fn is_open(&self, place: &Place) -> bool {
        usize::from(self.open.slot) == place.slot
    }

    fn close(&mut self, usual_error: Option<f64>, level: f64, watch: Watch) -> Phase {
        let Open {
            slot,
            values,
            weight,
            mean: seen,
        } = self.open;
        let slot = usize::from(slot);
        if values <= 0.0 || weight <= 0.0 {
            return Phase::Kept;
        }
        let shift = match watch {
            Watch::Nothing => None,
            Watch::Clock(step) => self.put_forward(slot, seen - level, step, usual_error.unwrap_or(0.0)),
            Watch::Drift => self.drifted(slot, seen - level, usual_error.unwrap_or(0.0)),
        };
        if let Some(slots) = shift {
            let seconds = slots / self.per_second;
            self.off = [0.0; 3];
            self.shift(seconds);
            return Phase::Shifted(seconds);
        }
        let part = (weight / values * 16.0).clamp(1.0, 16.0);
        if let (Some(mean), Some(passed)) = (self.means.get_mut(slot), self.passed.get_mut(slot)) {
            if *passed == 0 {
                *mean = seen as f32;
            } else {
                let reach = usual_error.map_or(f64::INFINITY, |error| REACH * error);
                let away = within(seen - f64::from(*mean), -reach, reach) as f32;
                *mean += part / (f32::from(*passed) + part) * away;
            }
            *passed = (*passed).saturating_add(part as u8).min(PASSED);
        }
        Phase::Kept
    }

    /// By how many slots the clock was put back.
    fn put_forward(&mut self, slot: usize, seen: f64, step: usize, error: f64) -> Option<f64> {
        let slots = self.means.len();
        if step == 0 || 4 * step > slots {
            return None;
        }
        let [early, now, late] =
            [(slot + slots - step) % slots, slot, (slot + step) % slots].map(|slot| self.slot(slot));
        if self.off == [0.0; 3] {
            self.off = [error as f32; 3];
        }
        // About half a period: a peak that does not come is not one that comes later.
        let rate = 2.0 / slots as f32;
        for (off, usual) in self.off.iter_mut().zip([early?, now?, late?]) {
            *off += rate * ((seen - usual).abs() as f32 - *off);
        }
        let [early, now, late] = self.off;
        if early < NEARER * now {
            Some(step as f64)
        } else {
            (late < NEARER * now).then_some(-(step as f64))
        }
    }

    /// By how many slots the cycle is late.
    fn drifted(&mut self, slot: usize, seen: f64, error: f64) -> Option<f64> {
        let usual = self.slot(slot)?;
        let slope = 0.5 * (self.slot(self.after(slot))? - self.slot(self.before(slot))?);
        if error <= 0.0 {
            return None;
        }
        let bounded = |x: f64| within(x / error, -1e6, 1e6);
        let (away, slope) = (bounded(seen - usual), bounded(slope));
        let [along, square, periods] = &mut self.off;
        // Two periods are remembered, and one has to be over: a part of one has no level.
        let slots = self.means.len() as f32;
        let kept = 1.0 - 0.5 / slots;
        *periods += 1.0 / slots;
        *along = kept * *along + (away * slope) as f32;
        *square = kept * *square + (slope * slope) as f32;
        let (along, square, whole) = (f64::from(*along), f64::from(*square), *periods >= 1.0);
        let slots = along / square;
        // At least half a slot, and more than chance makes of it.
        (whole && slots.abs() >= 0.5 && along * along > 9.0 * square).then(|| -within(slots, -1.0, 1.0))
    }

    /// What is usual comes so many seconds later from here on.
    pub(super) fn shift(&mut self, seconds: f64) {
        self.begins += seconds;
        if self.begins >= self.period {
            self.begins -= self.period;
        }
        if self.begins < -self.period {
            self.begins += self.period;
        }
        self.open = Open::default();
    }

    /// The period takes so many seconds more.
    pub(super) fn lengthen(&mut self, seconds: f64) {
        let times = 1.0 + within(seconds / self.period, -0.1, 0.1);
        self.period *= times;
        self.per_second /= times;
        self.begins *= times;
    }

    /// The same in slots of which `times` as many make a period.
    pub(super) fn refine(&mut self, times: usize) {
        let repeat = |slot: usize| slot / times;
        let slots = self.means.len() * times;
        self.means = (0..slots).filter_map(|n| self.means.get(repeat(n)).copied()).collect();
        self.passed = (0..slots).filter_map(|n| self.passed.get(repeat(n)).copied()).collect();
        self.per_second *= times as f64;
        self.single = false;
        self.begins = 0.0;
        self.open = Open::default();
        self.off = [0.0; 3];
    }
}
