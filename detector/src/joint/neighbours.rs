//! Nearest neighbours: how far a row is from the rows of the past that are most like it.
//!
//! Ramaswamy, Rastogi and Shim, *Efficient Algorithms for Mining Outliers from Large Data Sets*, SIGMOD 2000; with the
//! mean distance to the nearest few, as Angiulli and Pizzuti (PKDD 2002) have it, rather than that to the last of them.
//! The past is four samples of 256 rows, and the distance the mean of what it is in each: as good as all rows, and at a
//! bounded cost (Sugiyama and Borgwardt, NeurIPS 2013).

use serde::{Deserialize, Serialize};

use super::near;
use super::reservoir::{BLOCK, Nearest, Reservoir};
use crate::event::Finite;
use crate::forest::Table;
use crate::random::Random;

/// The rows that others are compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Neighbours {
    reference: Reservoir,
    nearest: u8,
}

const SAMPLES: u16 = 4;
/// Neighbours in each sample.
const NEAREST: u8 = 5;
/// A row is compared with rows that are about as old as this on average.
const HORIZON: u32 = 8192;
/// From so many rows on a sample tells what is usual.
const FEWEST: usize = 64;
/// Values are taken to be at most this far from what is usual.
const FARTHEST: f64 = 32.0;

impl Neighbours {
    pub(super) fn new(width: usize, random: Random) -> Self {
        Neighbours {
            reference: Reservoir::new(width, SAMPLES, HORIZON, random),
            nearest: NEAREST,
        }
    }

    pub(super) fn fit(table: Table<'_>, mut random: Random) -> Self {
        let sample = table.sample(usize::from(SAMPLES) * BLOCK, &mut random);
        let mut neighbours = Neighbours::new(table.width(), random);
        for row in sample {
            neighbours.reference.fill(&near(row, table.width(), FARTHEST));
        }
        neighbours
    }

    /// The mean distance to the nearest five rows, averaged over the samples; `None` while there are fewer than 64 rows.
    pub(super) fn score(&self, row: &[Finite]) -> Option<f64> {
        let row = near(row, self.reference.width(), FARTHEST);
        let mut found = Nearest::new(self.nearest);
        let (mut sum, mut samples) = (0.0, 0.0);
        let mut squares = [0.0; BLOCK];
        for block in self.reference.blocks().iter().filter(|block| block.rows() >= FEWEST) {
            block.distances(&row, &mut squares);
            found.find(squares.get(..block.rows()).unwrap_or_default(), None);
            let distances: f64 = found.found().map(|(square, _)| f64::from(square).sqrt()).sum();
            sum += distances / (found.found().len() as f64);
            samples += 1.0;
        }
        (samples > 0.0).then(|| sum / samples)
    }

    /// The squared distance to the nearest rows, feature by feature.
    pub(super) fn parts(&self, row: &[Finite]) -> Vec<f64> {
        let row = near(row, self.reference.width(), FARTHEST);
        let mut parts = vec![0.0; row.len()];
        let (mut squares, mut found) = ([0.0; BLOCK], Nearest::new(self.nearest));
        for block in self.reference.blocks().iter().filter(|block| block.rows() >= FEWEST) {
            block.distances(&row, &mut squares);
            found.find(squares.get(..block.rows()).unwrap_or_default(), None);
            block.add_parts(&row, &found, &mut parts);
        }
        parts
    }

    pub(super) fn learn(&mut self, row: &[Finite], weight: f64) {
        let row = near(row, self.reference.width(), FARTHEST);
        self.reference.learn(&row, weight);
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Neighbours>() + self.reference.bytes()
    }
}
