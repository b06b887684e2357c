//! One isolation tree: how it is grown, and how it lies in memory.

use serde::{Deserialize, Serialize};

use super::grid::{Cut, between};
use super::{average_path_length, walk::LEVELS};
use crate::random::Random;

/// Nodes of four levels, and the ways out of them.
const NODES: usize = 15;
pub(super) const EXITS: usize = 16;

/// Path lengths are counted in parts of an edge, so that sums are whole numbers and do not depend on their order.
/// The longest path, 8 edges and the average path of 256 rows, is 18.3 edges: 37,500 parts.
pub(super) const PARTS: f64 = 2048.0;

/// Four levels of a tree in one cache line. Node `n` has its children at `2n + 1` and `2n + 2`; a row goes to the
/// second when its cell of the node's feature is above the node's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Block {
    pub(super) features: [u8; EXITS],
    pub(super) cells: [u8; EXITS],
    /// What the path that leaves here is longer by, in parts.
    pub(super) paths: [u16; EXITS],
}

impl Block {
    /// Leads everything to the first exit, at no length. Where a leaf is reached early, the rest of the way to the
    /// first exit below it looks like this, so that every walk takes the same number of steps.
    const EMPTY: Block = Block {
        features: [0; EXITS],
        cells: [u8::MAX; EXITS],
        paths: [0; EXITS],
    };
}

/// A tree of at most eight levels: a block for the first four, and blocks for the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Tree {
    /// The average path length of its sample, in edges.
    pub(super) usual: f64,
    /// Nodes name features by their place in this list, or, where the list is empty, by number. A tree has at most
    /// 255 nodes, so that a byte suffices for them however many features there are.
    pub(super) features: Vec<u16>,
    /// The block that each exit of the first one leads to.
    pub(super) next: [u8; EXITS],
    pub(super) blocks: Vec<Block>,
}

/// What a tree is grown from: values to draw splits in, and cells to apply them to. Cells never fall as values rise.
pub(super) trait Rows {
    /// How many features there are.
    fn width(&self) -> usize;
    /// The value of a feature.
    fn value(&self, row: u32, feature: u16) -> f64;
    /// The cell that it is in.
    fn cell(&self, row: u32, feature: u16) -> u8;
    /// The edge of the grid that is nearest to a value, by the number of the cell below it.
    fn edge(&self, feature: u16, value: f64) -> u8;
}

impl Tree {
    /// Grows a tree over the sample, which is put in another order. At most 256 rows take part.
    pub(super) fn grow(rows: &impl Rows, sample: &mut [u32], random: &mut Random) -> Tree {
        let sample = match sample.split_at_mut_checked(super::MOST_SAMPLES) {
            Some((sample, _)) => sample,
            None => sample,
        };
        let mut growth = Growth {
            rows,
            random,
            order: order(rows.width()),
            levels: levels(sample.len()),
            tree: Tree {
                usual: average_path_length(sample.len()),
                features: Vec::new(),
                next: [0; EXITS],
                blocks: vec![Block::EMPTY],
            },
            nothing: None,
        };
        growth.node(sample, 0, 0, 0);
        let mut tree = growth.tree;
        tree.blocks.shrink_to_fit();
        tree.features.shrink_to_fit();
        tree
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        self.blocks.capacity() * size_of::<Block>() + self.features.capacity() * size_of::<u16>()
    }
}

/// The splits that a tree over exact values would make, for the grid to be made of.
pub(super) fn cuts(rows: &impl Rows, sample: &mut [u32], random: &mut Random, found: &mut impl FnMut(u16, Cut)) {
    let levels = levels(sample.len());
    divide(rows, sample, levels, &mut order(rows.width()), random, found);
}

fn divide<R: Rows>(
    rows: &R,
    sample: &mut [u32],
    levels: u32,
    order: &mut [u16],
    random: &mut Random,
    found: &mut impl FnMut(u16, Cut),
) {
    if levels == 0 || sample.len() < 2 {
        return;
    }
    let Some((feature, at)) = draw(rows, sample, order, random, |_, _, _| true) else {
        return;
    };
    found(feature, Cut { at, rows: sample.len() });
    let (left, right) = partition(sample, |row| rows.value(row, feature) <= at);
    divide(rows, left, levels - 1, order, random, found);
    divide(rows, right, levels - 1, order, random, found);
}

/// The height at which an average row is isolated: the logarithm of the sample size, rounded up.
fn levels(sample: usize) -> u32 {
    sample.next_power_of_two().trailing_zeros().min(2 * LEVELS)
}

fn order(width: usize) -> Vec<u16> {
    (0..=u16::MAX).take(width).collect()
}

/// Draws a feature of those that differ within the sample, and a value from its least up to its greatest there.
fn draw<R: Rows>(
    rows: &R,
    sample: &[u32],
    order: &mut [u16],
    random: &mut Random,
    separable: impl Fn(u16, u32, u32) -> bool,
) -> Option<(u16, f64)> {
    for position in 0..order.len() {
        let other = position + random.below(order.len() - position);
        order.swap(position, other);
        let feature = *order.get(position)?;
        let first = *sample.first()?;
        let value = rows.value(first, feature);
        let (mut least, mut greatest) = ((value, first), (value, first));
        for row in sample.iter().skip(1) {
            let value = rows.value(*row, feature);
            if value < least.0 {
                least = (value, *row);
            } else if value > greatest.0 {
                greatest = (value, *row);
            }
        }
        let (low, high) = (least.0, greatest.0);
        if low < high && separable(feature, least.1, greatest.1) {
            let part = random.unit();
            // In this form nothing overflows, whatever the range.
            let at = low * (1.0 - part) + high * part;
            return Some((feature, if at >= low && at < high { at } else { between(low, high) }));
        }
    }
    None
}

/// Puts the rows that go left first.
fn partition(sample: &mut [u32], left: impl Fn(u32) -> bool) -> (&mut [u32], &mut [u32]) {
    let mut middle = 0;
    for position in 0..sample.len() {
        if sample.get(position).is_some_and(|row| left(*row)) {
            sample.swap(middle, position);
            middle += 1;
        }
    }
    sample.split_at_mut(middle)
}

struct Growth<'a, R> {
    rows: &'a R,
    random: &'a mut Random,
    order: Vec<u16>,
    levels: u32,
    tree: Tree,
    /// The block that adds nothing, where exits of the first block lead that are leaves.
    nothing: Option<u8>,
}

impl<R: Rows> Growth<'_, R> {
    /// Grows the node `node` of a block, whose sample has come down `depth` edges.
    fn node(&mut self, sample: &mut [u32], depth: u32, block: usize, node: usize) {
        if depth >= self.levels || sample.len() < 2 {
            return self.leaf(sample.len(), depth, block, node);
        }
        let rows = self.rows;
        let Some((feature, at)) = draw(
            rows,
            sample,
            &mut self.order,
            self.random,
            |feature, least, greatest| rows.cell(least, feature) < rows.cell(greatest, feature),
        ) else {
            return self.leaf(sample.len(), depth, block, node);
        };
        let (block, node) = if node < NODES {
            (block, node)
        } else {
            let new = self.tree.blocks.len();
            self.tree.blocks.push(Block::EMPTY);
            self.lead(node - NODES, new as u8);
            (new, 0)
        };
        let cell = edge(rows, sample, feature, at);
        let name = self.name(feature);
        if let Some(block) = self.tree.blocks.get_mut(block)
            && let (Some(f), Some(c)) = (block.features.get_mut(node), block.cells.get_mut(node))
        {
            (*f, *c) = (name, cell);
        }
        let (left, right) = partition(sample, |row| rows.cell(row, feature) <= cell);
        self.node(left, depth + 1, block, 2 * node + 1);
        self.node(right, depth + 1, block, 2 * node + 2);
    }

    fn leaf(&mut self, rows: usize, depth: u32, block: usize, node: usize) {
        let mut exit = node;
        while exit < NODES {
            exit = 2 * exit + 1;
        }
        let path = f64::from(depth) + average_path_length(rows);
        if let Some(path_there) = self
            .tree
            .blocks
            .get_mut(block)
            .and_then(|block| block.paths.get_mut(exit - NODES))
        {
            *path_there = libm::round(path * PARTS) as u16;
        }
        if block == 0 && self.levels > LEVELS {
            let nothing = *self.nothing.get_or_insert_with(|| {
                self.tree.blocks.push(Block::EMPTY);
                (self.tree.blocks.len() - 1) as u8
            });
            self.lead(exit - NODES, nothing);
        }
    }

    fn lead(&mut self, exit: usize, block: u8) {
        if let Some(next) = self.tree.next.get_mut(exit) {
            *next = block;
        }
    }

    fn name(&mut self, feature: u16) -> u8 {
        if let Ok(feature) = u8::try_from(feature)
            && self.order.len() <= 256
        {
            return feature;
        }
        let names = &mut self.tree.features;
        let place = names.iter().position(|known| *known == feature).unwrap_or_else(|| {
            names.push(feature);
            names.len() - 1
        });
        place as u8
    }
}

/// The edge of the grid that divides the sample most nearly as the drawn value does, so that both sides have rows.
fn edge<R: Rows>(rows: &R, sample: &[u32], feature: u16, at: f64) -> u8 {
    // The highest cell that is wholly on the left, the lowest wholly on the right, and what is in the one between.
    let (mut least, mut greatest, mut last_left, mut first_right) = (u8::MAX, 0, 0, u8::MAX);
    for row in sample {
        let cell = rows.cell(*row, feature);
        least = least.min(cell);
        greatest = greatest.max(cell);
        if rows.value(*row, feature) <= at {
            last_left = last_left.max(cell);
        } else {
            first_right = first_right.min(cell);
        }
    }
    let cell = if last_left < first_right {
        // Any edge between the two divides this sample alike, and rows that are not in it differently.
        rows.edge(feature, at).clamp(last_left, first_right - 1)
    } else {
        // The drawn value is inside the cell that both share.
        let (mut left, mut right) = (0, 0);
        for row in sample {
            if rows.cell(*row, feature) == last_left {
                if rows.value(*row, feature) <= at {
                    left += 1;
                } else {
                    right += 1;
                }
            }
        }
        if left >= right {
            last_left
        } else {
            last_left.saturating_sub(1)
        }
    };
    cell.clamp(least, greatest.saturating_sub(1).max(least))
}
