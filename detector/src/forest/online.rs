//! A forest that follows a stream.

use serde::{Deserialize, Serialize};

use super::tree::{Rows, Tree};
use super::{ForestError, MOST_SAMPLES, MOST_TREES, score, walk};
use crate::event::Finite;
use crate::random::Random;

/// An isolation forest over a stream of rows: bounded memory, bounded work for each row.
///
/// It keeps a reservoir in which each new row takes the place of a random older one with a fixed probability, so that
/// the ages of its rows fall off exponentially (Aggarwal, *On Biased Reservoir Sampling*, VLDB 2006), and grows one tree
/// at a time from it in place of the oldest. (Online-iForest, Leveni et al., ICML 2024, updates the counts of every
/// tree with every row instead, which costs more for each row and keeps thresholds that no byte can hold.)
///
/// Values are deviations in units of what is usual for their feature, 0 where nothing is known: the level and the scale
/// of a stream change, and a grid that is fixed in these units need not. Cells are even in the square root of the
/// deviation: fine around what is usual, coarse far from it, and all the same beyond 80.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OnlineForest {
    options: OnlineOptions,
    width: u16,
    /// Rows of cells, at most `options.reservoir` of them.
    reservoir: Vec<u8>,
    /// Rows that were learned, anomalous ones by their weight.
    seen: f64,
    /// Rows since a tree was grown, likewise.
    waited: f64,
    trees: Vec<Tree>,
    /// The oldest tree.
    oldest: u16,
    random: Random,
}

/// How a forest follows a stream.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OnlineOptions {
    trees: u16,
    samples: u16,
    reservoir: u16,
    horizon: u32,
    seed: u64,
}

impl OnlineOptions {
    /// So many trees of so many samples, from a reservoir of so many rows which are about as old as `horizon` rows on
    /// average, and in which all trees are renewed once.
    ///
    /// # Errors
    /// Unless there are 1 to 1,000 trees and 2 to 256 samples; a smaller reservoir than the sample or a shorter horizon
    /// than the reservoir are taken to be as large as these.
    pub fn new(trees: u16, samples: u16, reservoir: u16, horizon: u32, seed: u64) -> Result<Self, ForestError> {
        if !(1..=MOST_TREES).contains(&trees) || !(2..=MOST_SAMPLES).contains(&usize::from(samples)) {
            return Err(ForestError::Options { trees, samples });
        }
        let reservoir = reservoir.max(samples);
        Ok(OnlineOptions {
            trees,
            samples,
            reservoir,
            horizon: horizon.max(u32::from(reservoir)),
            seed,
        })
    }
}

/// 32 trees of 64 samples, from 256 of about the last 2,048 rows: some 30 KB for 16 features.
impl Default for OnlineOptions {
    fn default() -> Self {
        OnlineOptions {
            trees: 32,
            samples: 64,
            reservoir: 256,
            horizon: 2048,
            seed: 0,
        }
    }
}

/// Features of a row in a stream at most.
pub const MOST_ONLINE_FEATURES: u16 = 256;
/// The cell of what is usual, and how many cells the square root of one unit is wide.
const USUAL: u8 = 128;
const CELLS_PER_ROOT: f64 = 14.0;

impl OnlineForest {
    /// A forest that has seen nothing, for rows of `width` features; beyond 256 they are ignored.
    pub fn new(width: u16, options: OnlineOptions) -> Self {
        OnlineForest {
            options,
            width: width.min(MOST_ONLINE_FEATURES),
            reservoir: Vec::new(),
            seen: 0.0,
            waited: 0.0,
            trees: Vec::new(),
            oldest: 0,
            random: Random::new(options.seed, u64::from(width)),
        }
    }

    /// Features of a row.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// How anomalous a row is, above 0 and at most 1, as [`super::Forest::score`] has it; `None` before all trees have
    /// grown. Features that the row lacks are taken to be usual.
    pub fn score(&self, row: &[Finite]) -> Option<f64> {
        if !self.is_grown() {
            return None;
        }
        Some(match self.width {
            0..=16 => self.score_cells(&self.cells::<16>(row)),
            17..=64 => self.score_cells(&self.cells::<64>(row)),
            _ => self.score_cells(&self.cells::<256>(row)),
        })
    }

    /// By how much the score of a row would fall if one of its features were usual, feature by feature: what makes the
    /// row anomalous. Never negative; empty before all trees have grown.
    pub fn influences(&self, row: &[Finite]) -> Vec<f64> {
        if !self.is_grown() {
            return Vec::new();
        }
        match self.width {
            0..=16 => self.influences_of(self.cells::<16>(row)),
            17..=64 => self.influences_of(self.cells::<64>(row)),
            _ => self.influences_of(self.cells::<256>(row)),
        }
    }

    /// Learns a row: one of `weight` below 1 with that probability, of 0 never. At most one tree is grown.
    pub fn learn(&mut self, row: &[Finite], weight: f64) {
        let weight = weight.clamp(0.0, 1.0);
        if self.width == 0 || weight == 0.0 {
            return;
        }
        let width = usize::from(self.width);
        self.seen += weight;
        self.waited += weight;
        let full = self.rows() >= usize::from(self.options.reservoir);
        let age = self.seen.min(f64::from(self.options.horizon));
        let chance = if full {
            weight * f64::from(self.options.reservoir) / age
        } else {
            weight
        };
        if self.random.unit() < chance {
            let cells = self.cells::<256>(row);
            let cells = cells.iter().take(width);
            if full {
                let place = self.random.below(self.rows()) * width;
                for (old, new) in self.reservoir.iter_mut().skip(place).zip(cells) {
                    *old = *new;
                }
            } else {
                self.reservoir.reserve_exact(width);
                self.reservoir.extend(cells);
            }
        }
        let samples = usize::from(self.options.samples);
        if self.rows() >= samples && self.waited >= age / f64::from(self.options.trees) {
            self.waited = 0.0;
            self.renew();
        }
    }

    /// Forgets everything: what was a deviation is none any more.
    pub fn restart(&mut self) {
        *self = OnlineForest::new(self.width, self.options);
    }

    /// Bytes that the forest holds, itself and on the heap.
    pub fn bytes(&self) -> usize {
        let trees: usize = self.trees.iter().map(Tree::bytes).sum();
        size_of::<OnlineForest>() + self.reservoir.capacity() + self.trees.capacity() * size_of::<Tree>() + trees
    }

    fn is_grown(&self) -> bool {
        !self.trees.is_empty() && self.trees.len() >= usize::from(self.options.trees)
    }

    fn rows(&self) -> usize {
        self.reservoir.len() / usize::from(self.width.max(1))
    }

    fn renew(&mut self) {
        let rows = Reservoir {
            cells: &self.reservoir,
            width: usize::from(self.width),
        };
        let mut all: Vec<u32> = (0..self.rows() as u32).collect();
        let count = usize::from(self.options.samples).min(all.len());
        self.random.choose(&mut all, count);
        let tree = Tree::grow(&rows, all.split_at_mut(count).0, &mut self.random);
        if self.trees.len() < usize::from(self.options.trees) {
            self.trees.reserve_exact(1);
            self.trees.push(tree);
        } else if let Some(oldest) = self.trees.get_mut(usize::from(self.oldest)) {
            *oldest = tree;
            self.oldest = (self.oldest + 1) % self.options.trees;
        } else {
            self.oldest = 0;
        }
    }

    fn cells<const N: usize>(&self, row: &[Finite]) -> [u8; N] {
        let mut cells = [USUAL; N];
        for (cell, value) in cells.iter_mut().zip(row).take(usize::from(self.width)) {
            *cell = place(value.value()).clamp(0.0, 255.0) as u8;
        }
        cells
    }

    fn score_cells(&self, cells: &impl walk::Cells) -> f64 {
        let sum = self.trees.iter().map(|tree| walk::path(tree, cells)).sum();
        score(sum, self.trees.iter().map(|tree| tree.usual).sum())
    }

    fn influences_of<const N: usize>(&self, mut cells: [u8; N]) -> Vec<f64>
    where
        [u8; N]: walk::Cells,
    {
        let whole = self.score_cells(&cells);
        let mut influences = Vec::with_capacity(usize::from(self.width));
        for feature in 0..usize::from(self.width) {
            let Some(cell) = cells.get_mut(feature) else { break };
            let was = std::mem::replace(cell, USUAL);
            let without = if was == USUAL { whole } else { self.score_cells(&cells) };
            influences.push((whole - without).max(0.0));
            if let Some(cell) = cells.get_mut(feature) {
                *cell = was;
            }
        }
        influences
    }
}

/// Where a deviation is among the cells; the cell is the whole part.
fn place(deviation: f64) -> f64 {
    let root = libm::sqrt(deviation.abs()) * CELLS_PER_ROOT;
    f64::from(USUAL) + 0.5 + if deviation < 0.0 { -root } else { root }
}

/// What the middle of a cell stands for.
fn deviation(cell: u8) -> f64 {
    let root = (f64::from(cell) - f64::from(USUAL)) / CELLS_PER_ROOT;
    root * root.abs()
}

struct Reservoir<'a> {
    cells: &'a [u8],
    width: usize,
}

impl Rows for Reservoir<'_> {
    fn width(&self) -> usize {
        self.width
    }

    fn value(&self, row: u32, feature: u16) -> f64 {
        deviation(self.cell(row, feature))
    }

    fn cell(&self, row: u32, feature: u16) -> u8 {
        let place = row as usize * self.width + usize::from(feature);
        self.cells.get(place).copied().unwrap_or(USUAL)
    }

    fn edge(&self, _feature: u16, value: f64) -> u8 {
        // Edges are half way between the middles of cells.
        (place(value) - 0.5).clamp(0.0, 255.0) as u8
    }
}
