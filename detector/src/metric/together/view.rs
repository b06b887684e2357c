//! Rows of the past in one way of looking at them, and how far another row is from those that it is most like.

use serde::{Deserialize, Serialize};

use super::Part;
use crate::number::Bounded;

/// Rows that are kept as bytes, so that many fit: of each number how far it is from the usual one of its metric, in
/// units of what is usual, even in the logarithm beyond one unit. A state that is stranger by far in one metric than any
/// other state must not make all others alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct View {
    scales: Vec<Scale>,
    /// Row by row, each filled up to a multiple of `LANES`.
    cells: Vec<u8>,
    /// Rows as they are, before there are enough of them to measure a scale.
    young: Vec<f64>,
}

/// What numbers of one metric are measured in.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Scale {
    middle: f64,
    spread: f64,
    range: f64,
}

/// So many neighbours are looked at: one alone may be a row that was just as strange.
pub(super) const NEAREST: usize = 3;

const LANES: usize = 8;
const MIDDLE: u8 = 128;
/// Cells for a unit, and for each doubling.
const CELLS: f64 = 12.0;
/// A metric that never varied has no unit: its first change is this many.
const FIRST_CHANGE: f64 = 15.0;
/// A unit is no less than this share of the range, or of the standard deviation: what hardly ever varies would else be
/// strange beyond measure whenever it does.
pub(super) const LEAST_OF_RANGE: f64 = 0.02;
const LEAST_OF_DEVIATION: f64 = 0.1;
/// Nine of ten normal numbers lie within so many standard deviations, both ways together.
const NINE_OF_TEN: f64 = 3.3;

impl View {
    pub(super) fn new(metrics: usize) -> Self {
        View {
            scales: vec![Scale::default(); metrics],
            cells: Vec::new(),
            young: Vec::new(),
        }
    }

    pub(super) fn metrics(&self) -> usize {
        self.scales.len()
    }

    pub(super) fn rows(&self) -> usize {
        if self.is_young() {
            self.young.len() / self.metrics().max(1)
        } else {
            self.cells.len() / self.stride()
        }
    }

    /// Whether no scale was measured yet.
    pub(super) fn is_young(&self) -> bool {
        self.cells.is_empty()
    }

    pub(super) fn range(&self, metric: usize) -> f64 {
        self.scales.get(metric).map_or(0.0, |scale| scale.range)
    }

    pub(super) fn spread(&self, metric: usize) -> f64 {
        self.scales.get(metric).map_or(0.0, |scale| scale.spread)
    }

    /// The logarithm of how far a row is from the nearest; `None` while there is no scale.
    pub(super) fn distance(&self, numbers: &[f64]) -> Option<f64> {
        if self.is_young() {
            return None;
        }
        let cells = self.cells(numbers);
        let nearest = self.nearest(&cells);
        let sum: f64 = nearest.iter().map(|(square, _)| f64::from(*square)).sum();
        Some(0.5 * libm::log(1.0 + sum / NEAREST as f64))
    }

    /// What each metric has to do with the distance.
    pub(super) fn parts(&self, numbers: &[f64]) -> Vec<Part> {
        let cells = self.cells(numbers);
        let nearest = self.nearest(&cells);
        let rows: Vec<&[u8]> = nearest
            .iter()
            .filter_map(|(_, row)| self.cells.get(row * self.stride()..(row + 1) * self.stride()))
            .collect();
        let count = rows.len().max(1) as f64;
        let mut parts = Vec::with_capacity(self.scales.len());
        for (metric, (scale, number)) in self.scales.iter().zip(numbers).enumerate() {
            let own = cells
                .get(metric)
                .map_or(0.0, |cell| f64::from(*cell) - f64::from(MIDDLE));
            let (mut square, mut mean) = (0.0, 0.0);
            for cell in rows.iter().filter_map(|row| row.get(metric)) {
                let cell = f64::from(*cell) - f64::from(MIDDLE);
                square += (own - cell) * (own - cell) / count;
                mean += cell / count;
            }
            parts.push(Part {
                share: square,
                above: (!number.is_nan()).then(|| number - scale.number(mean)),
            });
        }
        parts
    }

    /// Puts a row in the place of another one, or after the last one.
    pub(super) fn put(&mut self, place: usize, numbers: &[f64]) {
        let young = self.is_young();
        if young {
            let metrics = self.scales.len();
            match self.young.get_mut(place * metrics..(place + 1) * metrics) {
                Some(row) => row.copy_from_slice(numbers),
                None => self.young.extend(numbers),
            }
        } else {
            for (scale, number) in self.scales.iter_mut().zip(numbers) {
                scale.begin(*number);
            }
            let cells = self.cells(numbers);
            let stride = self.stride();
            match self.cells.get_mut(place * stride..(place + 1) * stride) {
                Some(row) => row.copy_from_slice(&cells),
                None => {
                    self.cells.reserve_exact(stride);
                    self.cells.extend(&cells);
                }
            }
        }
    }

    /// Measures the scale by the rows that there are. A unit is no less than `least` of its metric.
    pub(super) fn measure(&mut self, least: impl Fn(usize) -> f64) {
        let (rows, metrics, stride) = (self.rows(), self.metrics().max(1), self.stride());
        let young = self.is_young();
        let mut cells = vec![MIDDLE; rows * stride];
        let mut numbers = Vec::with_capacity(rows);
        let mut sorted = Vec::with_capacity(rows);
        for (metric, scale) in self.scales.iter_mut().enumerate() {
            numbers.clear();
            if young {
                numbers.extend(self.young.iter().skip(metric).step_by(metrics));
            } else {
                let column = self.cells.iter().skip(metric).step_by(stride);
                numbers.extend(column.map(|cell| scale.number(f64::from(*cell) - f64::from(MIDDLE))));
            }
            sorted.clear();
            sorted.extend(numbers.iter().copied().filter(|number| !number.is_nan()));
            *scale = Scale::of(&mut sorted, least(metric));
            for (cell, number) in cells.iter_mut().skip(metric).step_by(stride).zip(&numbers) {
                *cell = scale.cell(*number);
            }
        }
        self.cells = cells;
        self.young = Vec::new();
    }

    fn stride(&self) -> usize {
        self.scales.len().next_multiple_of(LANES).max(LANES)
    }

    fn cells(&self, numbers: &[f64]) -> Vec<u8> {
        let mut cells = vec![MIDDLE; self.stride()];
        for ((cell, number), scale) in cells.iter_mut().zip(numbers).zip(&self.scales) {
            *cell = scale.cell(*number);
        }
        cells
    }

    /// The squares of the distances to the nearest rows, and which rows they are.
    fn nearest(&self, cells: &[u8]) -> [(u32, usize); NEAREST] {
        let mut nearest = [(u32::MAX, usize::MAX); NEAREST];
        let mut farthest = u32::MAX;
        for (index, row) in self.cells.chunks_exact(cells.len().max(1)).enumerate() {
            let mut found = (square(cells, row), index);
            if found.0 >= farthest {
                continue;
            }
            for place in &mut nearest {
                if found.0 < place.0 {
                    std::mem::swap(place, &mut found);
                }
            }
            farthest = nearest.last().map_or(u32::MAX, |last| last.0);
        }
        nearest
    }
}

/// The square of the distance between two rows of as many cells, a multiple of `LANES`.
fn square(a: &[u8], b: &[u8]) -> u32 {
    let mut sums = [0i32; LANES];
    let (a, _) = a.as_chunks::<LANES>();
    let (b, _) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            let apart = i16::from(*a) - i16::from(*b);
            *sum += i32::from(apart) * i32::from(apart);
        }
    }
    sums.iter().sum::<i32>().unsigned_abs()
}

impl Scale {
    fn of(numbers: &mut [f64], least: f64) -> Self {
        numbers.sort_unstable_by(f64::total_cmp);
        let count = numbers.len();
        let at = |share: f64| {
            numbers
                .get((share * count as f64) as usize)
                .or(numbers.last())
                .copied()
                .unwrap_or_default()
        };
        let middle = at(0.5);
        let range = at(1.0) - at(0.0);
        let mean_square = numbers
            .iter()
            .map(|number| (number - middle) * (number - middle))
            .sum::<f64>();
        let deviation = libm::sqrt(mean_square / count.max(1) as f64);
        let spread = ((at(0.95) - at(0.05)) / NINE_OF_TEN)
            .at_least(LEAST_OF_DEVIATION * deviation)
            .at_least(LEAST_OF_RANGE * range)
            .at_least(least);
        Scale { middle, spread, range }
    }

    /// A metric that never varied gets a unit when it does.
    fn begin(&mut self, number: f64) {
        if self.spread == 0.0 && !number.is_nan() && number != self.middle {
            self.spread = (number - self.middle).abs() / FIRST_CHANGE;
        }
    }

    fn cell(&self, number: f64) -> u8 {
        let from_middle = number - self.middle;
        if from_middle == 0.0 || from_middle.is_nan() {
            return MIDDLE;
        }
        let units = if self.spread > 0.0 {
            from_middle.abs() / self.spread
        } else {
            FIRST_CHANGE
        };
        let away = CELLS * doublings(1.0 + units.at_most(1e9));
        let place = f64::from(MIDDLE) + 0.5 + if from_middle < 0.0 { -away } else { away };
        place.at_least(0.0).at_most(255.0) as u8
    }

    /// The number that is so many cells from the middle.
    fn number(&self, cells: f64) -> f64 {
        let units = power(cells.abs() / CELLS) - 1.0;
        self.middle + self.spread * if cells < 0.0 { -units } else { units }
    }
}

const MANTISSA_BITS: u32 = 52;
const MANTISSA: u64 = (1 << MANTISSA_BITS) - 1;
const ONE: u64 = 1.0f64.to_bits();

/// The logarithm to base 2 of a number from 1 on, straight between powers of 2: it is exact there, never falls, costs
/// nothing, and is the same everywhere.
fn doublings(number: f64) -> f64 {
    let bits = number.to_bits() - ONE.min(number.to_bits());
    (bits >> MANTISSA_BITS) as f64 + (f64::from_bits(bits & MANTISSA | ONE) - 1.0)
}

/// The inverse of it.
fn power(doublings: f64) -> f64 {
    let whole = doublings.at_most(1000.0) as u64;
    f64::from_bits((whole << MANTISSA_BITS) + ONE) * (1.0 + (doublings - whole as f64).at_most(1.0))
}
