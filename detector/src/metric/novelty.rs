//! Whether the last values have a shape that was never seen before.

use serde::{Deserialize, Serialize};

use crate::number::Bounded;
use crate::order;
use crate::threshold::within;

/// What the last values looked like at every earlier time, as a bounded number of prototypes.
///
/// A window is described at scales that double (this value, the one before, the mean of the two before that, of the
/// four before those, and so on), so that six numbers cover the last step as well as the last 32 values. Its novelty
/// is the distance to the nearest prototype: the left discord of a series (Lu et al., DAMP, KDD 2022), with prototypes
/// in the place of all earlier windows. Each window becomes a prototype as soon as it was judged, so that what comes
/// again is known; when there are too many, those that lie close together are merged (as in BIRCH, Zhang et al.,
/// SIGMOD 1996): what was seen once is remembered, only less exactly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Novelty {
    level: f64,
    /// Mean distance from the level, and mean square of it.
    distance: f64,
    square: f64,
    seen: f64,
    /// The codes of the last values, the newest first.
    last: Vec<i8>,
    /// The prototypes, scale by scale: this way several are compared at once.
    prototypes: [Vec<i8>; SCALES],
    /// Windows nearer than this to a prototype are that prototype; as a square.
    grain: u32,
    /// Where the last window was found.
    at: u16,
}

/// What a value makes of the last window.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Shape {
    window: Window,
    nearest: Option<(u16, u32)>,
}

/// One window, in steps of `1 / STEPS` usual distances from the level.
type Window = [i8; SCALES];

/// This value, the one before, and the means of 2, 4, 8 and 16.
const SCALES: usize = 6;
const SPAN: usize = 32;
const MOST_PROTOTYPES: usize = 256;
/// So many are compared at once.
const BLOCK: usize = 32;
const STEPS: f64 = 8.0;
/// The level and the spread forget with so many values.
const MEMORY: f64 = 2000.0;
/// Beyond so many usual distances only the order of magnitude counts.
const LINEAR: f64 = 4.0;
/// The spread is at least this share of the standard deviation: a metric that mostly rests has hardly any other.
const OF_DEVIATION: f64 = 0.3;
/// Before so many values, the spread is only a guess.
const FIRST_VALUES: f64 = 16.0;
/// Distances are known to the step.
pub(super) const FLOOR: f64 = 0.5 / STEPS;

impl Novelty {
    pub(super) fn new(first: f64) -> Self {
        Novelty {
            level: first,
            distance: 0.0,
            square: 0.0,
            seen: 1.0,
            last: Vec::new(),
            prototypes: Default::default(),
            grain: 0,
            at: 0,
        }
    }

    /// The window that ends with a value, and the prototype that it is most like. One that is at most `enough` usual
    /// distances away is taken without a further look where the window before was like it.
    pub(super) fn read(&self, value: f64, enough: f64) -> Shape {
        let window = self.window(value);
        let same = self.square_to(&window, usize::from(self.at));
        let enough = STEPS * enough;
        let nearest = match same {
            Some(square) if f64::from(square) <= enough * enough => Some((self.at, square)),
            _ => self.nearest(&window, same.map(|square| (self.at, square))),
        };
        Shape { window, nearest }
    }

    /// The value that the prototype has which is most like a window in everything but its last value; of several, the
    /// newest, since what is usual now may differ from what was when the others were made.
    pub(super) fn expected(&self, shape: &Shape) -> Option<f64> {
        let [_, before @ ..] = shape.window;
        let [first, others @ ..] = &self.prototypes;
        let mut best: Option<(i32, i8)> = None;
        for (index, code) in first.iter().enumerate() {
            let mut square = 0;
            for (column, part) in others.iter().zip(before) {
                let difference = i32::from(*column.get(index)?) - i32::from(part);
                square += difference * difference;
            }
            if best.is_none_or(|(least, _)| square <= least) {
                best = Some((square, *code));
            }
        }
        best.map(|(_, code)| self.decode(code))
    }

    /// Learns the value of which `shape` was read.
    pub(super) fn learn(&mut self, value: f64, shape: &Shape) {
        match shape.nearest {
            Some((at, square)) if square <= self.grain => self.at = at,
            _ => {
                if self.len() >= MOST_PROTOTYPES {
                    self.merge();
                }
                self.at = self.len() as u16;
                self.push(shape.window);
            }
        }
        self.last.insert(0, shape.window[0]);
        self.last.truncate(SPAN - 1);
        self.seen += 1.0;
        let rate = (1.0 / self.seen).at_least(1.0 / MEMORY);
        let away = value - self.level;
        let reach = if self.seen > FIRST_VALUES && self.distance > 0.0 {
            4.0 * self.distance
        } else {
            f64::INFINITY
        };
        self.level += rate * within(away, -reach, reach);
        self.distance += rate * (away.abs().at_most(reach) - self.distance);
        self.square += rate * (away * away - self.square);
    }

    fn window(&self, value: f64) -> Window {
        let mut window = [0; SCALES];
        let now = self.code(value);
        // Before the first value, the oldest one stands for what was.
        let oldest = self.last.last().copied().unwrap_or(now);
        window[0] = now;
        let mut last = self.last.as_slice();
        let mut length = 1;
        for (scale, slot) in window.iter_mut().enumerate().skip(1) {
            if scale >= 2 {
                length *= 2;
            }
            let (part, rest) = last.split_at(length.min(last.len()));
            last = rest;
            let missing = (length - part.len()) as i32 * i32::from(oldest);
            let sum = part.iter().map(|code| i32::from(*code)).sum::<i32>() + missing;
            *slot = (sum / length as i32) as i8;
        }
        window
    }

    fn spread(&self) -> f64 {
        self.distance.at_least(OF_DEVIATION * self.square.sqrt())
    }

    /// The value that a code stands for.
    fn decode(&self, code: i8) -> f64 {
        let size = f64::from(code.unsigned_abs()) / STEPS;
        let size = if size <= LINEAR {
            size
        } else {
            LINEAR * libm::exp(size / LINEAR - 1.0)
        };
        let far = size * self.spread();
        self.level + if code < 0 { -far } else { far }
    }

    fn code(&self, value: f64) -> i8 {
        let spread = self.spread();
        if spread <= 0.0 {
            return 0;
        }
        let far = (value - self.level) / spread;
        let size = far.abs();
        let size = if size <= LINEAR {
            size
        } else {
            LINEAR * (1.0 + libm::log(size / LINEAR))
        };
        let code = (STEPS * size).at_most(f64::from(i8::MAX)) as i8;
        if far < 0.0 { -code } else { code }
    }

    fn len(&self) -> usize {
        let [first, ..] = &self.prototypes;
        first.len()
    }

    /// The prototype that is nearest to a window, and the square of how far away it is: the first within the grain, since
    /// that is what the window is taken for. One whose square is `known` spares the search all that is farther.
    fn nearest(&self, window: &Window, known: Option<(u16, u32)>) -> Option<(u16, u32)> {
        let (mut least, mut at) = known.map_or((u32::MAX, usize::MAX), |(at, square)| (square, usize::from(at)));
        for first in self.blocks() {
            let Some(squares) = self.short_squares(window, first) else {
                break;
            };
            if any_below(&squares, u16::try_from(least).unwrap_or(u16::MAX)) {
                let lowest = squares.iter().fold(u16::MAX, |lowest, square| lowest.min(*square));
                let place = squares.iter().position(|square| *square == lowest)?;
                (least, at) = (u32::from(lowest), first + place);
                if least <= self.grain {
                    break;
                }
            }
        }
        // There is not yet a whole block, or all are farther than can be told in 16 bits.
        if least >= u32::from(u16::MAX) {
            for index in 0..self.len() {
                let square = self.square_to(window, index)?;
                if square < least {
                    (least, at) = (square, index);
                }
            }
        }
        (at < self.len()).then_some((at as u16, least))
    }

    /// Whether a prototype is as near to a window as the grain.
    fn is_known(&self, window: &Window) -> bool {
        match u16::try_from(self.grain.saturating_add(1)) {
            Ok(bound) if self.len() >= BLOCK => self.blocks().any(|first| {
                let squares = self.short_squares(window, first);
                squares.is_some_and(|squares| any_below(&squares, bound))
            }),
            _ => (0..self.len()).any(|index| self.square_to(window, index).is_some_and(|square| square <= self.grain)),
        }
    }

    /// Where blocks of prototypes begin. The last block is a whole one as well: some are in two.
    fn blocks(&self) -> impl Iterator<Item = usize> {
        let len = self.len();
        (0..len)
            .step_by(BLOCK)
            .map(move |first| first.min(len.saturating_sub(BLOCK)))
    }

    /// The squares of how far the prototypes of a block are from a window, in 16 bits since twice as many of them are
    /// worked on at once: those that are larger than can be told are as large as can be told.
    fn short_squares(&self, window: &Window, first: usize) -> Option<[u16; BLOCK]> {
        let mut squares = [0u16; BLOCK];
        for (column, part) in self.prototypes.iter().zip(window) {
            let block = column.get(first..)?.first_chunk::<BLOCK>()?;
            for (square, other) in squares.iter_mut().zip(block) {
                // The largest square is 254², and its lower bits are all there is of it.
                let difference = i16::from(*other) - i16::from(*part);
                *square = square.saturating_add(difference.wrapping_mul(difference).cast_unsigned());
            }
        }
        Some(squares)
    }

    fn square_to(&self, window: &Window, index: usize) -> Option<u32> {
        let mut sum = 0;
        for (column, part) in self.prototypes.iter().zip(window) {
            let difference = i32::from(*column.get(index)?) - i32::from(*part);
            sum += (difference * difference) as u32;
        }
        Some(sum)
    }

    fn prototype(&self, index: usize) -> Option<Window> {
        let mut window = [0; SCALES];
        for (column, part) in self.prototypes.iter().zip(&mut window) {
            *part = *column.get(index)?;
        }
        Some(window)
    }

    /// Makes room: the grain grows until a quarter of the prototypes has gone into others.
    fn merge(&mut self) {
        const GOES: usize = MOST_PROTOTYPES / 4;
        let mut grain = if self.grain == 0 {
            self.nearest_before().get(GOES).copied().unwrap_or(0)
        } else {
            coarser(self.grain)
        };
        while self.len() > MOST_PROTOTYPES - GOES {
            self.grain = grain;
            grain = coarser(grain);
            for window in self.take() {
                if !self.is_known(&window) {
                    self.push(window);
                }
            }
        }
    }

    /// The squares of how far each prototype is from the nearest before it, the smallest first.
    fn nearest_before(&self) -> Vec<u32> {
        let mut before = Novelty::new(0.0);
        let mut squares = Vec::with_capacity(self.len());
        for window in self.windows() {
            squares.extend(before.nearest(&window, None).map(|(_, square)| square));
            before.push(window);
        }
        order::sort_by_key(&mut squares, |square| u64::from(*square));
        squares
    }

    fn windows(&self) -> Vec<Window> {
        (0..self.len()).filter_map(|index| self.prototype(index)).collect()
    }

    fn take(&mut self) -> Vec<Window> {
        let windows = self.windows();
        self.prototypes.iter_mut().for_each(Vec::clear);
        windows
    }

    fn push(&mut self, window: Window) {
        for (column, part) in self.prototypes.iter_mut().zip(window) {
            column.push(part);
        }
    }
}

fn coarser(grain: u32) -> u32 {
    grain.saturating_add(grain / 2).max(2)
}

/// Most blocks have nothing nearer than what was found: that is seen of all squares at once.
fn any_below(squares: &[u16; BLOCK], bound: u16) -> bool {
    squares
        .iter()
        .fold(0, |any, square| any | bound.saturating_sub(*square))
        > 0
}

impl Shape {
    /// How far the window is from everything that was seen, in usual distances.
    pub(super) fn novelty(&self) -> f64 {
        self.nearest.map_or(0.0, |(_, square)| f64::from(square).sqrt() / STEPS)
    }
}
