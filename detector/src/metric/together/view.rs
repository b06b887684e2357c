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
    /// Blocks of `BLOCK` rows, metric by metric, so that the distances to all rows of a block are summed at once. The last
    /// one is filled up with what is no row.
    cells: Vec<u8>,
    rows: u16,
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

const BLOCK: usize = 32;
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
            rows: 0,
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
            usize::from(self.rows)
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
        let count = nearest.iter().filter(|(_, row)| *row < self.rows()).count().max(1) as f64;
        let mut parts = Vec::with_capacity(self.scales.len());
        for (metric, (scale, number)) in self.scales.iter().zip(numbers).enumerate() {
            let own = cells
                .get(metric)
                .map_or(0.0, |cell| f64::from(*cell) - f64::from(MIDDLE));
            let (mut square, mut mean) = (0.0, 0.0);
            for (_, row) in nearest {
                let Some(cell) = self.place(row, metric).and_then(|place| self.cells.get(place)) else {
                    continue;
                };
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
            if place == self.rows() {
                if place.is_multiple_of(BLOCK) {
                    let block = BLOCK * self.metrics();
                    self.cells.reserve_exact(block);
                    self.cells.resize(self.cells.len() + block, MIDDLE);
                }
                self.rows += 1;
            }
            for (metric, (scale, number)) in self.scales.iter().zip(numbers).enumerate() {
                let place = self.place(place, metric);
                if let Some(cell) = place.and_then(|place| self.cells.get_mut(place)) {
                    *cell = scale.cell(*number);
                }
            }
        }
    }

    /// Measures the scale by the rows that there are. A unit is no less than `least` of its metric.
    pub(super) fn measure(&mut self, least: impl Fn(usize) -> f64) {
        let (rows, metrics) = (self.rows(), self.metrics().max(1));
        let young = self.is_young();
        let mut cells = vec![MIDDLE; rows.div_ceil(BLOCK) * BLOCK * metrics];
        let mut numbers = Vec::with_capacity(rows);
        let mut sorted = Vec::with_capacity(rows);
        for (metric, scale) in self.scales.iter_mut().enumerate() {
            numbers.clear();
            if young {
                numbers.extend(self.young.iter().skip(metric).step_by(metrics));
            } else {
                let column = self.cells.chunks_exact(BLOCK).skip(metric).step_by(metrics);
                let column = column.flatten().take(rows);
                numbers.extend(column.map(|cell| scale.number(f64::from(*cell) - f64::from(MIDDLE))));
            }
            sorted.clear();
            sorted.extend(numbers.iter().copied().filter(|number| !number.is_nan()));
            *scale = Scale::of(&mut sorted, least(metric));
            let blocks = cells.chunks_exact_mut(BLOCK).skip(metric).step_by(metrics);
            for (cell, number) in blocks.flatten().zip(&numbers) {
                *cell = scale.cell(*number);
            }
        }
        self.cells = cells;
        self.rows = rows as u16;
        self.young = Vec::new();
    }

    /// Where the cell of a row and a metric is.
    fn place(&self, row: usize, metric: usize) -> Option<usize> {
        let before = (row / BLOCK).checked_mul(self.metrics())?.checked_add(metric)?;
        (row < self.rows() && metric < self.metrics()).then_some(before * BLOCK + row % BLOCK)
    }

    fn cells(&self, numbers: &[f64]) -> Vec<u8> {
        let numbers = self.scales.iter().zip(numbers);
        numbers.map(|(scale, number)| scale.cell(*number)).collect()
    }

    /// The squares of the distances to the nearest rows, and which rows they are.
    fn nearest(&self, cells: &[u8]) -> [(u32, usize); NEAREST] {
        let mut nearest = [(u32::MAX, usize::MAX); NEAREST];
        let mut farthest = u32::MAX;
        for (index, block) in self.cells.chunks_exact((BLOCK * self.metrics()).max(1)).enumerate() {
            // Half as many bits are summed twice as fast. What does not fit in them is no less than what does.
            let short = short_squares(block, cells);
            // The least and the greatest of all, and not a look at each: for that LLVM 22 finds no instructions on wasm
            // with simd128.
            let least = short.iter().fold(u16::MAX, |least, square| least.min(*square));
            let greatest = short.iter().fold(0, |greatest, square| greatest.max(*square));
            let squares = if farthest <= u32::from(u16::MAX) || greatest < u16::MAX {
                if u32::from(least) >= farthest {
                    continue;
                }
                short.map(u32::from)
            } else {
                squares(block, cells)
            };
            let first = index * BLOCK;
            for (row, square) in (first..self.rows()).zip(squares) {
                if square >= farthest {
                    continue;
                }
                let mut found = (square, row);
                for place in &mut nearest {
                    if found.0 < place.0 {
                        std::mem::swap(place, &mut found);
                    }
                }
                farthest = nearest.last().map_or(u32::MAX, |last| last.0);
            }
        }
        nearest
    }
}

/// The squares of the distances of a row to those of a block.
fn squares(block: &[u8], cells: &[u8]) -> [u32; BLOCK] {
    let mut sums = [0; BLOCK];
    let (columns, _) = block.as_chunks::<BLOCK>();
    for (column, own) in columns.iter().zip(cells) {
        for (sum, cell) in sums.iter_mut().zip(column) {
            let apart = i16::from(*cell) - i16::from(*own);
            *sum += i32::from(apart) * i32::from(apart);
        }
    }
    sums.map(i32::unsigned_abs)
}

/// The same, where those that are larger than can be told are as large as can be told.
fn short_squares(block: &[u8], cells: &[u8]) -> [u16; BLOCK] {
    let mut sums = [0_u16; BLOCK];
    let (columns, _) = block.as_chunks::<BLOCK>();
    for (column, own) in columns.iter().zip(cells) {
        for (sum, cell) in sums.iter_mut().zip(column) {
            // A square is below 2^16, and its lower bits are all there is of it.
            let apart = i16::from(*cell) - i16::from(*own);
            *sum = sum.saturating_add(apart.wrapping_mul(apart).cast_unsigned());
        }
    }
    sums
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
