//! Rows of the past that others are compared with.

use serde::{Deserialize, Serialize};

use crate::random::Random;

/// Rows that lie together. Their values are kept feature by feature, so that the distances to all of them are summed
/// at once: each sum is over the features in order, whatever the instruction set takes in one go.
pub(super) const BLOCK: usize = 256;

/// A sample of the rows of a stream in blocks, in which each new row takes the place of a random older one with a fixed
/// probability, so that the ages of its rows fall off exponentially (Aggarwal, *On Biased Reservoir Sampling*, VLDB
/// 2006).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Reservoir {
    width: u16,
    most_blocks: u16,
    /// About how many rows ago the rows are from on average, once there were so many.
    horizon: f64,
    /// Rows that were learned, anomalous ones by their weight.
    seen: f64,
    blocks: Vec<Block>,
    random: Random,
}

/// Up to 256 rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Block {
    rows: u16,
    values: Vec<f32>,
}

impl Reservoir {
    pub(super) fn new(width: usize, most_blocks: u16, horizon: u32, random: Random) -> Self {
        Reservoir {
            width: u16::try_from(width).unwrap_or(u16::MAX),
            most_blocks,
            horizon: f64::from(horizon),
            seen: 0.0,
            blocks: Vec::new(),
            random,
        }
    }

    /// Features of a row.
    pub(super) fn width(&self) -> usize {
        usize::from(self.width)
    }

    /// Rows that there are.
    pub(super) fn rows(&self) -> usize {
        self.blocks.iter().map(Block::rows).sum()
    }

    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Takes in a row: one of `weight` below 1 with that probability, of 0 never. Returns where it stands, by block
    /// and row.
    pub(super) fn learn(&mut self, row: &[f32], weight: f64) -> Option<(usize, usize)> {
        let weight = weight.clamp(0.0, 1.0);
        if weight == 0.0 || self.width == 0 {
            return None;
        }
        self.seen += weight;
        let capacity = usize::from(self.most_blocks) * BLOCK;
        let full = self.rows() >= capacity;
        let chance = if full {
            weight * capacity as f64 / self.seen.min(self.horizon)
        } else {
            weight
        };
        if self.random.unit() >= chance {
            return None;
        }
        let place = if full { self.random.below(capacity) } else { self.rows() };
        self.put(place, row);
        Some((place / BLOCK, place % BLOCK))
    }

    /// Takes a row in, whatever there is, while there is room for it.
    pub(super) fn fill(&mut self, row: &[f32]) {
        let place = self.rows();
        if place < usize::from(self.most_blocks) * BLOCK {
            self.seen += 1.0;
            self.put(place, row);
        }
    }

    fn put(&mut self, place: usize, row: &[f32]) {
        if place / BLOCK == self.blocks.len() {
            self.blocks.reserve_exact(1);
            self.blocks.push(Block {
                rows: 0,
                values: vec![0.0; usize::from(self.width) * BLOCK],
            });
        }
        if let Some(block) = self.blocks.get_mut(place / BLOCK) {
            block.put(place % BLOCK, row);
        }
    }

    /// A random row; nothing while there is none.
    pub(super) fn pick(&mut self, into: &mut [f32]) {
        let rows = self.rows();
        let place = self.random.below(rows);
        if let Some(block) = self.blocks.get(place / BLOCK) {
            block.row(place % BLOCK, into);
        }
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        let values: usize = self.blocks.iter().map(|block| block.values.capacity()).sum();
        self.blocks.capacity() * size_of::<Block>() + values * size_of::<f32>()
    }
}

impl Block {
    pub(super) fn rows(&self) -> usize {
        usize::from(self.rows).min(BLOCK)
    }

    /// The values of one of the rows, feature by feature.
    pub(super) fn row(&self, place: usize, into: &mut [f32]) {
        for (value, column) in into.iter_mut().zip(self.columns()) {
            *value = column.get(place).copied().unwrap_or(0.0);
        }
    }

    /// The squared distance of a row to each of the rows; what stands beyond them means nothing.
    pub(super) fn distances(&self, row: &[f32], squares: &mut [f32; BLOCK]) {
        squares.fill(0.0);
        for (value, column) in row.iter().zip(self.columns()) {
            for (sum, other) in squares.iter_mut().zip(column) {
                let away = value - other;
                *sum += away * away;
            }
        }
    }

    /// Adds the squared distance of a row to those nearest to it, feature by feature.
    pub(super) fn add_parts(&self, row: &[f32], nearest: &Nearest, parts: &mut [f64]) {
        for ((part, value), column) in parts.iter_mut().zip(row).zip(self.columns()) {
            for (_, place) in nearest.found() {
                let away = f64::from(value - column.get(place).copied().unwrap_or(0.0));
                *part += away * away;
            }
        }
    }

    fn columns(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(BLOCK)
    }

    fn put(&mut self, place: usize, row: &[f32]) {
        for (value, column) in row.iter().zip(self.values.chunks_exact_mut(BLOCK)) {
            if let Some(slot) = column.get_mut(place) {
                *slot = *value;
            }
        }
        self.rows = self.rows.max(place as u16 + 1);
    }
}

/// The rows of a block that are nearest to another one.
#[derive(Debug, Clone)]
pub(super) struct Nearest {
    /// Squared distances and places, the nearest first; of equal ones the first comes first.
    slots: [(f32, u16); MOST_NEAREST],
    wanted: usize,
}

/// Neighbours at most.
pub(super) const MOST_NEAREST: usize = 32;
const NONE: (f32, u16) = (f32::INFINITY, 0);

impl Nearest {
    pub(super) fn new(wanted: u8) -> Self {
        Nearest {
            slots: [NONE; MOST_NEAREST],
            wanted: usize::from(wanted).clamp(1, MOST_NEAREST),
        }
    }

    /// Of rows with these squared distances, leaving out one of them: a row is no neighbour of itself.
    pub(super) fn find(&mut self, squares: &[f32], but: Option<usize>) {
        let (slots, _) = self.slots.split_at_mut(self.wanted);
        slots.fill(NONE);
        let mut farthest = NONE.0;
        for (place, square) in squares.iter().enumerate() {
            if *square >= farthest || Some(place) == but {
                continue;
            }
            let before = slots.partition_point(|slot| slot.0 <= *square);
            let (_, after) = slots.split_at_mut(before);
            after.rotate_right(1);
            if let Some(slot) = after.first_mut() {
                *slot = (*square, place as u16);
            }
            farthest = slots.last().map_or(farthest, |slot| slot.0);
        }
    }

    /// Squared distances and places, the nearest first: as many as were wanted, or all that there are.
    pub(super) fn found(&self) -> impl ExactSizeIterator<Item = (f32, usize)> + '_ {
        let count = self.slots.partition_point(|slot| slot.0.is_finite());
        self.slots
            .iter()
            .take(count)
            .map(|(square, place)| (*square, usize::from(*place)))
    }
}
