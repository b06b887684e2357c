//! Half-space trees: how many rows of the last window fell where the row falls.
//!
//! Tan, Ting and Liu, *Fast Anomaly Detection for Streaming Data*, IJCAI 2011. Trees halve a space of their own at
//! random features, whatever the rows are, and count the rows of a window in each part; the counts of the window before
//! say how crowded each part is. Where we differ: deviations are unbounded, and are brought into the space by a curve;
//! trees have eight levels rather than fifteen, which need a hundredth of the memory; and the score is the logarithm of
//! the mass, the other way round.

use serde::{Deserialize, Serialize};

use super::clipped;
use crate::event::Finite;
use crate::forest::Table;
use crate::random::Random;

/// The trees and how far the window has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HalfSpaceTrees {
    width: u16,
    pub(super) trees: Vec<Tree>,
    /// Rows of the window before, which scores are from; 0 before there is one.
    pub(super) known: u32,
    /// Rows of this one.
    learned: u32,
    random: Random,
}

/// A complete binary tree: the children of node `n` are `2 n + 1`, below the edge, and `2 n + 2`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Tree {
    /// What each inner node asks for, and the edge between its halves.
    pub(super) features: Vec<u8>,
    pub(super) edges: Vec<f32>,
    /// Rows of the window before in each node, and of this one.
    pub(super) before: Vec<u16>,
    now: Vec<u16>,
}

const TREES: usize = 25;
pub(super) const LEVELS: u32 = 8;
const INNER: usize = (1 << LEVELS) - 1;
const NODES: usize = 2 * INNER + 1;
/// Rows of a window.
pub(super) const WINDOW: u32 = 250;
/// A node with no more than this share of the window is not looked into.
pub(super) const FEW: f64 = 0.1;
/// The deviation that is half way between what is usual and the end of the space.
const HALF_WAY: f64 = 2.0;
/// Values are taken to be at most this far from what is usual.
const FARTHEST: f64 = 1e6;

impl HalfSpaceTrees {
    pub(super) fn new(width: usize, mut random: Random) -> Self {
        let trees = if width == 0 { 0 } else { TREES };
        HalfSpaceTrees {
            width: width as u16,
            trees: (0..trees).map(|_| Tree::new(width, &mut random)).collect(),
            known: 0,
            learned: 0,
            random,
        }
    }

    /// All rows are the window before; of a table with more than 65,535, so many of them.
    pub(super) fn fit(table: Table<'_>, mut random: Random) -> Self {
        let sample = table.sample(usize::from(u16::MAX), &mut random);
        let mut trees = HalfSpaceTrees::new(table.width(), random);
        for row in sample {
            trees.count(row);
        }
        trees.turn();
        trees
    }

    /// The binary logarithm of how much more crowded than around the row it could be, from 0 to about 21; `None` before
    /// the first window is over.
    pub(super) fn score(&self, row: &[Finite]) -> Option<f64> {
        if self.known == 0 || self.trees.is_empty() {
            return None;
        }
        Some(self.score_places(&self.places(row)))
    }

    /// By how much the score would fall if one of the features were usual, feature by feature.
    pub(super) fn parts(&self, row: &[Finite]) -> Vec<f64> {
        let mut places = self.places(row);
        if self.known == 0 {
            return vec![0.0; places.len()];
        }
        let whole = self.score_places(&places);
        let usual = place(Finite::default());
        (0..places.len())
            .map(|feature| {
                let Some(was) = places.get_mut(feature).map(|place| std::mem::replace(place, usual)) else {
                    return 0.0;
                };
                let without = self.score_places(&places);
                if let Some(place) = places.get_mut(feature) {
                    *place = was;
                }
                (whole - without).max(0.0)
            })
            .collect()
    }

    /// Learns a row: one of `weight` below 1 with that probability, of 0 never.
    pub(super) fn learn(&mut self, row: &[Finite], weight: f64) {
        if weight > 0.0 && self.random.unit() < weight {
            self.count(row);
            if self.learned >= WINDOW {
                self.turn();
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let trees: usize = self.trees.iter().map(Tree::bytes).sum();
        size_of::<HalfSpaceTrees>() + self.trees.capacity() * size_of::<Tree>() + trees
    }

    fn count(&mut self, row: &[Finite]) {
        let places = self.places(row);
        self.learned += 1;
        for tree in &mut self.trees {
            let (mut node, now) = (Some(0), &mut tree.now);
            while let Some(at) = node {
                if let Some(rows) = now.get_mut(at) {
                    *rows = rows.saturating_add(1);
                }
                node = below(&tree.features, &tree.edges, at, &places);
            }
        }
    }

    /// The window is over, and becomes the one before.
    fn turn(&mut self) {
        self.known = std::mem::take(&mut self.learned);
        for tree in &mut self.trees {
            std::mem::swap(&mut tree.before, &mut tree.now);
            tree.now.fill(0);
        }
    }

    /// Where a row is in the space.
    pub(super) fn places(&self, row: &[Finite]) -> Vec<f32> {
        let mut places: Vec<f32> = row
            .iter()
            .take(usize::from(self.width))
            .map(|value| place(*value))
            .collect();
        places.resize(usize::from(self.width), place(Finite::default()));
        places
    }

    fn score_places(&self, places: &[f32]) -> f64 {
        let few = FEW * f64::from(self.known);
        // Whole numbers below 2^53: their order does not matter.
        let mass: f64 = self.trees.iter().map(|tree| tree.mass(places, few)).sum();
        strangeness(mass / (self.trees.len() as f64 * f64::from(self.known)), self.known)
    }
}

/// The score of a mass, in shares of the window; that of half a row in one tree is as little as there can be.
pub(super) fn strangeness(mass: f64, window: u32) -> f64 {
    let least = 0.5 / (TREES as f64 * f64::from(window));
    let most = f64::from(1_u32 << LEVELS);
    libm::log2((most + least) / (mass + least))
}

impl Tree {
    fn new(width: usize, random: &mut Random) -> Self {
        // Each tree has a space of its own, around a random middle, and all values are in each of them.
        let mut space: Vec<(f64, f64)> = (0..width)
            .map(|_| {
                let middle = random.unit();
                let reach = 2.0 * middle.max(1.0 - middle);
                (middle - reach, middle + reach)
            })
            .collect();
        let mut tree = Tree {
            features: vec![0; INNER],
            edges: vec![0.0; INNER],
            before: vec![0; NODES],
            now: vec![0; NODES],
        };
        tree.halve(0, &mut space, random);
        tree
    }

    /// Halves the space of a node at a random feature, and so on.
    fn halve(&mut self, node: usize, space: &mut [(f64, f64)], random: &mut Random) {
        let feature = random.below(space.len());
        let (Some(slot), Some(edge)) = (self.features.get_mut(node), self.edges.get_mut(node)) else {
            return;
        };
        let Some((low, high)) = space.get(feature).copied() else {
            return;
        };
        let middle = 0.5 * (low + high);
        (*slot, *edge) = (feature as u8, middle as f32);
        for (child, half) in [(2 * node + 1, (low, middle)), (2 * node + 2, (middle, high))] {
            if let Some(side) = space.get_mut(feature) {
                *side = half;
            }
            self.halve(child, space, random);
        }
        if let Some(side) = space.get_mut(feature) {
            *side = (low, high);
        }
    }

    /// The rows in the last node that is worth looking into, as many times as its level has nodes.
    fn mass(&self, places: &[f32], few: f64) -> f64 {
        let (mut at, mut level) = (0, 0_u32);
        loop {
            let rows = f64::from(self.before.get(at).copied().unwrap_or(0));
            match below(&self.features, &self.edges, at, places) {
                Some(node) if rows > few => (at, level) = (node, level + 1),
                _ => return rows * f64::from(1_u32 << level.min(LEVELS)),
            }
        }
    }

    fn bytes(&self) -> usize {
        self.features.capacity() + self.edges.capacity() * 4 + (self.before.capacity() + self.now.capacity()) * 2
    }
}

/// The child of a node that a row falls into; `None` of a leaf.
fn below(features: &[u8], edges: &[f32], node: usize, places: &[f32]) -> Option<usize> {
    let (feature, edge) = (features.get(node)?, edges.get(node)?);
    let place = places.get(usize::from(*feature)).copied().unwrap_or(0.5);
    Some(2 * node + if place < *edge { 1 } else { 2 })
}

/// Where a deviation is between 0 and 1, what is usual being in the middle.
fn place(value: Finite) -> f32 {
    let value = clipped(value, FARTHEST);
    (0.5 + 0.5 * value / (value.abs() + HALF_WAY)) as f32
}
