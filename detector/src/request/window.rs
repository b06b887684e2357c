//! What happened in ten seconds, and in the windows that end now.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::reference::Standing;
use crate::number::Bounded;

/// The length of a slot, in seconds.
pub(super) const SLOT: i64 = 10;

/// What is kept of the past, in slots: ten minutes. What is older is learned.
pub(super) const KEPT: usize = 60;

/// The windows that are judged, in slots: one, two, five and ten minutes.
pub(super) const WINDOWS: [usize; 4] = [6, 12, 30, 60];

/// How far one slot can move a window, in standard deviations of the slot. A deploy or a collection of garbage is
/// over after a slot or two; trouble goes on, and its slots add up.
const MOST_OF_A_SLOT: f64 = 3.0;

/// What happened in one slot.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Slot {
    pub(super) requests: u32,
    /// Responses with a status from 500 on, and requests without any response.
    pub(super) server_errors: u32,
    pub(super) client_errors: u32,
    /// Requests whose duration was compared with the usual ones.
    pub(super) timed: u32,
    pub(super) slow: u32,
    pub(super) slow_expected: f32,
    pub(super) z: f32,
    pub(super) w: f32,
    pub(super) ratio: f32,
    pub(super) sized: u32,
    pub(super) size_z: f32,
    pub(super) size_ratio: f32,
}

impl Slot {
    pub(super) fn duration(&mut self, standing: &Standing, slow_share: f64) {
        self.timed += 1;
        self.slow += u32::from(standing.slow);
        self.slow_expected += slow_share as f32;
        self.z += standing.z as f32;
        self.w += standing.w as f32;
        self.ratio += standing.ratio as f32;
    }

    fn take_away(&mut self, part: &Slot) {
        self.requests = self.requests.saturating_sub(part.requests);
        self.server_errors = self.server_errors.saturating_sub(part.server_errors);
        self.client_errors = self.client_errors.saturating_sub(part.client_errors);
        self.timed = self.timed.saturating_sub(part.timed);
        self.slow = self.slow.saturating_sub(part.slow);
        self.slow_expected -= part.slow_expected;
        self.z -= part.z;
        self.w -= part.w;
        self.ratio -= part.ratio;
        self.sized = self.sized.saturating_sub(part.sized);
        self.size_z -= part.size_z;
        self.size_ratio -= part.size_ratio;
    }

    /// Adds the counts and sums that dispersions are measured on.
    pub(super) fn join(&mut self, other: &Slot) {
        self.requests += other.requests;
        self.server_errors += other.server_errors;
        self.client_errors += other.client_errors;
        self.timed += other.timed;
        self.z += other.z;
        self.w += other.w;
        self.slow += other.slow;
        self.slow_expected += other.slow_expected;
        self.sized += other.sized;
        self.size_z += other.size_z;
    }

    pub(super) fn size(&mut self, standing: &Standing) {
        self.sized += 1;
        self.size_z += standing.z as f32;
        self.size_ratio += standing.ratio as f32;
    }
}

/// The last slots, the newest at the end.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Ring {
    slots: VecDeque<Slot>,
    /// How many of them have come one after the other, without a pause of the feed between them.
    unbroken: u32,
}

impl Ring {
    /// Adds the slot that has closed, and returns the one that is now old enough to be learned.
    pub(super) fn push(&mut self, slot: Slot) -> Option<Slot> {
        let old = if self.slots.len() >= KEPT {
            self.slots.pop_front()
        } else {
            None
        };
        self.slots.push_back(slot);
        self.unbroken = self.unbroken.saturating_add(1);
        old
    }

    /// Sums over the windows that end now, without what some members of a group have their part in; `None` where there
    /// is not enough past.
    pub(super) fn windows(&self, without: &[&Ring]) -> [Option<Sums>; WINDOWS.len()] {
        let mut out = [None; WINDOWS.len()];
        let mut sums = Sums::default();
        let mut wanted = WINDOWS.iter().zip(&mut out);
        let mut next = wanted.next();
        // A window does not reach over a pause: ten minutes of a log that has one an hour are no ten minutes.
        for (age, slot) in self.slots.iter().rev().take(self.unbroken as usize).enumerate() {
            let mut slot = *slot;
            for member in without {
                // All rings end with the same slot; a younger one just has fewer.
                if let Some(part) = member
                    .slots
                    .len()
                    .checked_sub(age + 1)
                    .and_then(|at| member.slots.get(at))
                {
                    slot.take_away(part);
                }
            }
            if slot.requests == 0 && without.is_empty() {
                // Nothing to add: most slots of most routes.
                sums.slots += 1.0;
            } else {
                sums.add(&slot);
            }
            if let Some((length, place)) = &mut next
                && sums.slots >= **length as f64
            {
                **place = Some(sums);
                next = wanted.next();
            }
        }
        out
    }

    /// The feed pauses, and time with it.
    pub(super) fn pause(&mut self) {
        self.unbroken = 0;
    }

    /// Nothing came in the last ten minutes.
    pub(super) fn is_idle(&self) -> bool {
        self.slots.iter().all(|slot| slot.requests == 0)
    }

    /// The slot that is learned next, once the ring is full.
    pub(super) fn oldest(&self) -> Option<&Slot> {
        (self.slots.len() >= KEPT).then(|| self.slots.front()).flatten()
    }

    pub(super) fn clear(&mut self) {
        self.slots.clear();
    }
}

/// Sums over a window.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Sums {
    pub(super) slots: f64,
    pub(super) requests: f64,
    pub(super) server_errors: f64,
    pub(super) client_errors: f64,
    /// The most errors that one slot has, and the second most.
    server_worst: [f64; 2],
    client_worst: [f64; 2],
    pub(super) timed: f64,
    /// Slow requests, no slot counted for more than it may move a window.
    pub(super) slow: f64,
    /// All that were slow, without a bound for a slot: a bound weighs more, the more requests a slot has, so that
    /// shares of a route and of a site compare only without it.
    pub(super) all_slow: f64,
    pub(super) slow_expected: f64,
    pub(super) slow_slots: f64,
    pub(super) z: f64,
    pub(super) w: f64,
    pub(super) ratio: f64,
    pub(super) sized: f64,
    pub(super) size_z: f64,
    pub(super) size_ratio: f64,
}

fn worst([first, second]: &mut [f64; 2], errors: u32) {
    let errors = f64::from(errors);
    if errors > *first {
        *second = *first;
        *first = errors;
    } else if errors > *second {
        *second = errors;
    }
}

/// A sum of standardised values, as far as one slot may move a window.
fn bounded(sum: f32, count: u32) -> f64 {
    let root = (f64::from(count)).sqrt();
    let most = MOST_OF_A_SLOT * root;
    f64::from(sum).clamp(-most, most)
}

impl Sums {
    pub(super) fn add(&mut self, slot: &Slot) {
        self.slots += 1.0;
        self.requests += f64::from(slot.requests);
        self.server_errors += f64::from(slot.server_errors);
        self.client_errors += f64::from(slot.client_errors);
        worst(&mut self.server_worst, slot.server_errors);
        worst(&mut self.client_worst, slot.client_errors);
        self.timed += f64::from(slot.timed);
        let expected = f64::from(slot.slow_expected);
        self.slow += f64::from(slot.slow).at_most(expected + MOST_OF_A_SLOT * expected.at_least(0.0).sqrt() + 1.0);
        self.all_slow += f64::from(slot.slow);
        self.slow_expected += f64::from(slot.slow_expected);
        self.slow_slots += f64::from(u8::from(slot.slow > 0));
        self.z += bounded(slot.z, slot.timed);
        self.w += bounded(slot.w, slot.timed);
        self.ratio += f64::from(slot.ratio);
        self.sized += f64::from(slot.sized);
        self.size_z += bounded(slot.size_z, slot.sized);
        self.size_ratio += f64::from(slot.size_ratio);
    }

    /// Errors outside of the two worst slots: what a short disturbance leaves.
    pub(super) fn lasting_errors(&self) -> (f64, f64) {
        let outside = |all: f64, [first, second]: [f64; 2]| all - first - second;
        (
            outside(self.server_errors, self.server_worst),
            outside(self.client_errors, self.client_worst),
        )
    }

    /// The window in numbers that people know.
    pub(super) fn features(&self) -> BTreeMap<String, f64> {
        let seconds = self.slots * SLOT as f64;
        let mut features = BTreeMap::new();
        features.extend([
            ("window_seconds".to_owned(), seconds),
            ("requests".to_owned(), self.requests),
            (
                "requests_per_minute".to_owned(),
                self.requests * 60.0 / seconds.max(1.0),
            ),
            ("server_errors".to_owned(), self.server_errors),
            ("client_errors".to_owned(), self.client_errors),
        ]);
        if self.timed > 0.0 {
            features.insert("duration_times_usual".to_owned(), libm::exp(self.ratio / self.timed));
            features.insert("slow_requests".to_owned(), self.all_slow);
        }
        if self.sized > 0.0 {
            features.insert("size_times_usual".to_owned(), libm::exp(self.size_ratio / self.sized));
        }
        features
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(requests: u32, server_errors: u32) -> Slot {
        Slot {
            requests,
            server_errors,
            ..Slot::default()
        }
    }

    fn ring(slots: impl IntoIterator<Item = Slot>) -> Ring {
        let mut ring = Ring::default();
        for slot in slots {
            ring.push(slot);
        }
        ring
    }

    #[test]
    fn windows_end_now_and_need_their_whole_length() {
        let ring = ring((0..13).map(|n| slot(n, 0)));
        let [minute, two, five, ten] = ring.windows(&[]);
        assert_eq!(minute.unwrap().requests, f64::from(7 + 8 + 9 + 10 + 11 + 12));
        assert_eq!(two.unwrap().requests, f64::from((1..13).sum::<u32>()));
        assert_eq!((five, ten), (None, None));
    }

    #[test]
    fn a_younger_member_is_taken_away_from_the_end() {
        let group = ring((0..60).map(|_| slot(10, 4)));
        let member = ring((0..3).map(|_| slot(4, 4)));
        let [minute, .., ten] = group.windows(&[&member]);
        let (minute, ten) = (minute.unwrap(), ten.unwrap());
        assert_eq!(
            (minute.requests, minute.server_errors, minute.lasting_errors().0),
            (48.0, 12.0, 4.0)
        );
        assert_eq!((ten.requests, ten.server_errors), (588.0, 228.0));
    }

    #[test]
    fn what_is_ten_minutes_old_is_handed_on() {
        let mut ring = ring((0..KEPT as u32).map(|n| slot(n, 0)));
        assert_eq!(ring.oldest().map(|slot| slot.requests), Some(0));
        assert_eq!(ring.push(slot(99, 0)).map(|slot| slot.requests), Some(0));
        assert!(!ring.is_idle());
        (0..KEPT).for_each(|_| {
            ring.push(slot(0, 0));
        });
        assert!(ring.is_idle());
    }

    /// One slot, however bad, moves a window only so far; shares are told as they are.
    #[test]
    fn one_slot_does_not_make_a_window() {
        let bad = Slot {
            requests: 100,
            timed: 100,
            slow: 100,
            slow_expected: 5.0,
            z: 400.0,
            ..Slot::default()
        };
        let mut sums = Sums::default();
        sums.add(&bad);
        assert_eq!(sums.z, 30.0);
        assert!(sums.slow < 13.0);
        assert_eq!(sums.all_slow, 100.0);
    }
}
