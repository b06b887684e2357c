//! Principal components: how far a row is from the few directions in which rows usually vary.
//!
//! The squared prediction error of Jackson and Mudholkar, *Control Procedures for Residuals Associated With Principal
//! Component Analysis*, Technometrics 1979. Where we differ: mean and covariance forget, and the score is the root of
//! the error, a distance.

use serde::{Deserialize, Serialize};

use super::clipped;
use super::dot::dot;
use crate::event::Finite;
use crate::forest::Table;

/// Mean, covariance, and the directions that hold most of the variance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pca {
    width: u16,
    /// Rows that were learned, anomalous ones by their weight.
    seen: f64,
    /// Rows since the directions were found, likewise.
    waited: f64,
    mean: Vec<f64>,
    /// Row by row up to the diagonal.
    covariance: Vec<f64>,
    /// One after another, each of length 1, orthogonal to the others.
    pub(super) directions: Vec<f64>,
}

/// Features at most: the covariance grows with their square. Others are left out.
const MOST_FEATURES: usize = 64;
/// Rows are forgotten after about so many.
const MEMORY: f64 = 8192.0;
/// The directions hold this share of the variance.
const EXPLAINED: f64 = 0.9;
/// What is learned of a value is at most this far from what is usual, so that a single row is no direction.
const FARTHEST_LEARNED: f64 = 8.0;
/// Values are taken to be at most this far from what is usual.
const FARTHEST: f64 = 1e6;
/// Pairs of directions are orthogonal when the cosine between them is less.
const ORTHOGONAL: f64 = 1e-13;
const MOST_SWEEPS: usize = 30;

impl Pca {
    pub(super) fn new(width: usize) -> Self {
        let width = width.min(MOST_FEATURES);
        Pca {
            width: width as u16,
            seen: 0.0,
            waited: 0.0,
            mean: vec![0.0; width],
            covariance: vec![0.0; width * (width + 1) / 2],
            directions: Vec::new(),
        }
    }

    pub(super) fn fit(table: Table<'_>) -> Self {
        let mut pca = Pca::new(table.width());
        for row in table.each() {
            pca.follow(row, 1.0, f64::INFINITY);
        }
        pca.find();
        pca
    }

    /// The length of what the directions leave of the row; `None` before there are any.
    pub(super) fn score(&self, row: &[Finite]) -> Option<f64> {
        if self.directions.is_empty() {
            return None;
        }
        let rest = self.rest(row);
        Some(dot(&rest, &rest).sqrt())
    }

    /// The square of what is left, feature by feature.
    pub(super) fn parts(&self, row: &[Finite]) -> Vec<f64> {
        let mut rest = self.rest(row);
        for value in &mut rest {
            *value *= *value;
        }
        rest.resize(row.len(), 0.0);
        rest
    }

    /// Learns a row by its weight. The directions are found anew every so many rows, so that this costs no more than
    /// the covariance does: in the order of the square of the width.
    pub(super) fn learn(&mut self, row: &[Finite], weight: f64) {
        let weight = weight.clamp(0.0, 1.0);
        if weight == 0.0 || self.width == 0 {
            return;
        }
        self.follow(row, weight, MEMORY);
        self.waited += weight;
        let width = f64::from(self.width);
        let enough = (2.0 * width).max(32.0);
        if self.seen >= enough && (self.directions.is_empty() || self.waited >= (8.0 * width).max(64.0)) {
            self.waited = 0.0;
            self.find();
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let values = self.mean.capacity() + self.covariance.capacity() + self.directions.capacity();
        size_of::<Pca>() + values * size_of::<f64>()
    }

    fn width(&self) -> usize {
        usize::from(self.width)
    }

    /// The row without its mean and without its part along the directions.
    fn rest(&self, row: &[Finite]) -> Vec<f64> {
        let mut rest = vec![0.0; self.width()];
        for ((rest, value), mean) in rest.iter_mut().zip(row).zip(&self.mean) {
            *rest = clipped(*value, FARTHEST) - mean;
        }
        for direction in self.directions.chunks_exact(self.width().max(1)) {
            let along = dot(&rest, direction);
            for (rest, part) in rest.iter_mut().zip(direction) {
                *rest -= along * part;
            }
        }
        rest
    }

    /// Moves mean and covariance towards a row.
    fn follow(&mut self, row: &[Finite], weight: f64, memory: f64) {
        self.seen += weight;
        let rate = weight / self.seen.min(memory);
        let mut away = vec![0.0; self.width()];
        for ((away, value), mean) in away.iter_mut().zip(row).zip(&mut self.mean) {
            *away = clipped(*value, FARTHEST_LEARNED) - *mean;
            *mean += rate * *away;
        }
        let mut cells = self.covariance.iter_mut();
        for (count, value) in away.iter().enumerate() {
            let scaled = rate * value;
            for (cell, other) in cells.by_ref().take(count + 1).zip(&away) {
                *cell = (1.0 - rate) * (*cell + scaled * other);
            }
        }
    }

    /// Finds the directions by one-sided Jacobi rotations (Hestenes 1958): the rows of a covariance C are rotated in
    /// pairs until they are orthogonal, which makes each an eigenvector times its eigenvalue.
    fn find(&mut self) {
        let width = self.width();
        let mut rows = self.square();
        for _ in 0..MOST_SWEEPS {
            if !sweep(&mut rows, width) {
                break;
            }
        }
        let mut order: Vec<(f64, &[f64])> = rows
            .chunks_exact(width.max(1))
            .map(|row| (dot(row, row).sqrt(), row))
            .collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        let whole: f64 = order.iter().map(|(length, _)| length).sum();
        let mut held = 0.0;
        let mut directions = Vec::new();
        // One direction at least is left to tell rows by.
        for (length, row) in order.iter().take(width.saturating_sub(1)) {
            if *length <= 0.0 || held >= EXPLAINED * whole {
                break;
            }
            held += length;
            directions.extend(row.iter().map(|value| value / length));
        }
        directions.shrink_to_fit();
        self.directions = directions;
    }

    /// The whole covariance.
    fn square(&self) -> Vec<f64> {
        let width = self.width();
        let mut square = vec![0.0; width * width];
        let mut cells = self.covariance.iter();
        for i in 0..width {
            for (j, cell) in cells.by_ref().take(i + 1).enumerate() {
                for place in [i * width + j, j * width + i] {
                    if let Some(slot) = square.get_mut(place) {
                        *slot = *cell;
                    }
                }
            }
        }
        square
    }
}

/// Rotates every pair of rows until both are orthogonal; whether there was one that was not.
fn sweep(rows: &mut [f64], width: usize) -> bool {
    let mut rotated = false;
    for second in 1..width {
        for first in 0..second {
            let (head, tail) = rows.split_at_mut(second * width);
            let (Some(p), Some(q)) = (head.get_mut(first * width..(first + 1) * width), tail.get_mut(..width)) else {
                continue;
            };
            let (alpha, beta, gamma) = (dot(p, p), dot(q, q), dot(p, q));
            if gamma.abs() <= ORTHOGONAL * (alpha * beta).sqrt() {
                continue;
            }
            rotated = true;
            let zeta = (beta - alpha) / (2.0 * gamma);
            let tangent = zeta.signum() / (zeta.abs() + (1.0 + zeta * zeta).sqrt());
            let cosine = 1.0 / (1.0 + tangent * tangent).sqrt();
            let sine = cosine * tangent;
            for (p, q) in p.iter_mut().zip(q) {
                (*p, *q) = (cosine * *p - sine * *q, sine * *p + cosine * *q);
            }
        }
    }
    rotated
}
