//! The local outlier factor: how much more crowded it is around the neighbours of a row than around the row.
//!
//! Breunig, Kriegel, Ng and Sander, *LOF: Identifying Density-Based Local Outliers*, SIGMOD 2000. Where we differ: the
//! rows are a sample of 256 of the past; what is known of each of them is found again in turn, one with each row that
//! comes, so that it is at most 256 rows old; and distances below a hundredth of what is usual are no reason to call a
//! place crowded, or the neighbours of equal rows would be infinitely strange.

use serde::{Deserialize, Serialize};

use super::near;
use super::reservoir::{BLOCK, Block, Nearest, Reservoir};
use crate::event::Finite;
use crate::forest::Table;
use crate::random::Random;

/// The sample, and how crowded it is around each of its rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LocalOutlierFactor {
    reference: Reservoir,
    /// Of each row of the sample, the distance to the last of its neighbours, and one divided by the mean distance at
    /// which it can be reached from them.
    around: Vec<Around>,
    /// The row whose turn it is.
    turn: u16,
    pub(super) floor: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Around {
    farthest: f64,
    density: f64,
}

/// Neighbours of a row.
const NEAREST: u8 = 20;
const HORIZON: u32 = 8192;
const FEWEST: usize = 64;
/// Values are taken to be at most this far from what is usual.
const FARTHEST: f64 = 32.0;
const FLOOR: f64 = 0.01;

impl LocalOutlierFactor {
    pub(super) fn new(width: usize, random: Random) -> Self {
        LocalOutlierFactor {
            reference: Reservoir::new(width, 1, HORIZON, random),
            around: Vec::new(),
            turn: 0,
            floor: FLOOR,
        }
    }

    pub(super) fn fit(table: Table<'_>, mut random: Random) -> Self {
        let sample = table.sample(BLOCK, &mut random);
        let mut factor = LocalOutlierFactor::new(table.width(), random);
        for row in sample {
            factor.reference.fill(&near(row, table.width(), FARTHEST));
        }
        factor.around.resize(factor.reference.rows(), Around::default());
        factor.look_around_all();
        factor
    }

    /// The factor: about 1 among rows, more for what is more alone than its neighbours are; `None` while there are fewer
    /// than 64 rows.
    pub(super) fn score(&self, row: &[Finite]) -> Option<f64> {
        let block = self.reference.blocks().first().filter(|block| block.rows() >= FEWEST)?;
        let row = near(row, self.reference.width(), FARTHEST);
        let found = nearest(block, &row, None);
        let (mut sum, mut count) = (0.0, 0.0);
        for (_, place) in found.found() {
            sum += self.around.get(place).map_or(0.0, |around| around.density);
            count += 1.0;
        }
        let own = self.density(&found);
        (count > 0.0).then(|| sum / count / own)
    }

    /// The squared distance to the nearest rows, feature by feature.
    pub(super) fn parts(&self, row: &[Finite]) -> Vec<f64> {
        let row = near(row, self.reference.width(), FARTHEST);
        let mut parts = vec![0.0; row.len()];
        if let Some(block) = self.reference.blocks().first() {
            block.add_parts(&row, &nearest(block, &row, None), &mut parts);
        }
        parts
    }

    pub(super) fn learn(&mut self, row: &[Finite], weight: f64) {
        if weight <= 0.0 {
            return;
        }
        let row = near(row, self.reference.width(), FARTHEST);
        if let Some((_, place)) = self.reference.learn(&row, weight) {
            if place == self.around.len() {
                self.around.reserve_exact(1);
                self.around.push(Around::default());
            }
            self.look_around(place);
        }
        let rows = self.around.len().max(1);
        self.look_around(usize::from(self.turn) % rows);
        self.turn = ((usize::from(self.turn) + 1) % rows) as u16;
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<LocalOutlierFactor>() + self.reference.bytes() + self.around.capacity() * size_of::<Around>()
    }

    /// Finds what is known of each row: first how far its neighbours are, and then, when that is known of all, how
    /// crowded it is.
    fn look_around_all(&mut self) {
        for _ in 0..2 {
            for place in 0..self.around.len() {
                self.look_around(place);
            }
        }
    }

    /// Finds what is known of a row.
    fn look_around(&mut self, place: usize) {
        let Some(block) = self.reference.blocks().first() else {
            return;
        };
        let mut row = vec![0.0; self.reference.width()];
        block.row(place, &mut row);
        let found = nearest(block, &row, Some(place));
        let farthest = found.found().last().map_or(0.0, |(square, _)| f64::from(square).sqrt());
        let density = self.density(&found);
        if let Some(around) = self.around.get_mut(place) {
            *around = Around { farthest, density };
        }
    }

    /// One divided by the mean distance at which the neighbours can be reached: that to each, or at least its own to the
    /// last of its neighbours.
    fn density(&self, found: &Nearest) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        for (square, place) in found.found() {
            let farthest = self.around.get(place).map_or(0.0, |around| around.farthest);
            sum += f64::from(square).sqrt().max(farthest);
            count += 1.0;
        }
        if count > 0.0 {
            1.0 / (sum / count + self.floor)
        } else {
            1.0 / self.floor
        }
    }
}

fn nearest(block: &Block, row: &[f32], but: Option<usize>) -> Nearest {
    let (mut squares, mut found) = ([0.0; BLOCK], Nearest::new(NEAREST));
    block.distances(row, &mut squares);
    found.find(squares.get(..block.rows()).unwrap_or_default(), but);
    found
}
