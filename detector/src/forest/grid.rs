//! The grid that values are brought to before a forest sees them: at most 256 cells for each feature.

use serde::{Deserialize, Serialize};

use crate::event::Finite;
use crate::order;

/// Cells of a feature at most: a cell is a byte.
const CELLS: usize = 256;

/// The edges of the cells of each feature, in rising order. A value is in the cell whose number is how many edges are
/// less than it, so that "in cell k or below" is "at most edge k".
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Grid {
    edges: Vec<Vec<f64>>,
}

/// A split that an exact tree drew: at which value, and how many rows it divided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) at: f64,
    pub(super) rows: usize,
}

impl Grid {
    /// A grid for columns of values and the cuts that exact trees made of them.
    ///
    /// A feature with few different values gets an edge between each two of them and loses nothing. For others, what
    /// the cells have to resolve is what trees ask, and that is neither the quantiles (which lump together the tails,
    /// where anomalies are) nor the range (of which one outlier takes all): so the edges are quantiles of the *cuts*,
    /// each weighted with the rows that it divides, which gives every level of the trees the same say.
    pub(super) fn new(columns: impl Iterator<Item = (Vec<f64>, Vec<Cut>)>) -> Self {
        let edges = columns
            .map(|(mut values, cuts)| {
                values.sort_unstable_by(f64::total_cmp);
                values.dedup_by(|a, b| a == b);
                if values.len() <= CELLS {
                    values
                        .iter()
                        .zip(values.iter().skip(1))
                        .map(|(low, high)| between(*low, *high))
                        .collect()
                } else {
                    quantiles(cuts)
                }
            })
            .collect();
        Grid { edges }
    }

    /// Features.
    pub(super) fn width(&self) -> usize {
        self.edges.len()
    }

    /// The cells of a row, as far as there is room for them.
    pub(super) fn cells(&self, row: &[Finite], cells: &mut [u8]) {
        for ((edges, value), cell) in self.edges.iter().zip(row).zip(cells) {
            *cell = cell_of(edges, value.value());
        }
    }

    /// The edge that is nearest to a value, by the number of the cell below it.
    pub(super) fn edge(&self, feature: usize, value: f64) -> u8 {
        self.edges.get(feature).map_or(0, |edges| nearest(edges, value))
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        let edges: usize = self.edges.iter().map(|edges| edges.capacity() * size_of::<f64>()).sum();
        edges + self.edges.capacity() * size_of::<Vec<f64>>()
    }
}

fn cell_of(edges: &[f64], value: f64) -> u8 {
    edges.partition_point(|edge| *edge < value).min(CELLS - 1) as u8
}

fn nearest(edges: &[f64], value: f64) -> u8 {
    let above = cell_of(edges, value);
    let below = above.saturating_sub(1);
    match (edges.get(usize::from(below)), edges.get(usize::from(above))) {
        (Some(low), Some(high)) if value - low < high - value => below,
        (Some(_), None) => below,
        _ => above,
    }
}

/// A number from `low` on and below `high`, in the middle where there is one.
pub(super) fn between(low: f64, high: f64) -> f64 {
    let middle = 0.5 * low + 0.5 * high;
    if middle >= low && middle < high { middle } else { low }
}

fn quantiles(mut cuts: Vec<Cut>) -> Vec<f64> {
    // Cuts at the same value are alike but for their weight, so that the order of equal ones means nothing.
    order::sort_by_key(&mut cuts, |cut| !order::falling(cut.at));
    let total: usize = cuts.iter().map(|cut| cut.rows).sum();
    let mut edges = Vec::with_capacity(CELLS - 1);
    let mut passed = 0;
    for cut in cuts {
        passed += cut.rows;
        // The next of the 255 places that divide the whole weight evenly.
        let place = (2 * edges.len() + 1) * total / (2 * (CELLS - 1));
        if passed > place && edges.len() < CELLS - 1 && edges.last().is_none_or(|last| *last < cut.at) {
            edges.push(cut.at);
        }
    }
    edges
}
