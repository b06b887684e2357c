//! Principal components: how far a row is from the few directions in which rows usually vary.
//!
//! The squared prediction error of Jackson and Mudholkar, *Control Procedures for Residuals Associated With Principal
//! Component Analysis*, Technometrics 1979. Where we differ: mean and covariance forget, and the score is the root of
//! the error, a distance.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use super::clipped;
use super::dot::dot;
use super::eigen::Eigen;
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
    /// One in each row, of length 1, orthogonal to the others.
    pub(super) directions: Array2<f64>,
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
/// Less variance than this is none: its parts cannot be told.
const NOTHING: f64 = 1e-290;

impl Pca {
    pub(super) fn new(width: usize) -> Self {
        let width = width.min(MOST_FEATURES);
        Pca {
            width: width as u16,
            seen: 0.0,
            waited: 0.0,
            mean: vec![0.0; width],
            covariance: vec![0.0; width * (width + 1) / 2],
            directions: Array2::zeros((0, width)),
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
        let mut squares: Vec<f64> = self.rest(row).iter().map(|rest| rest * rest).collect();
        squares.resize(row.len(), 0.0);
        squares
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
        let values = self.mean.capacity() + self.covariance.capacity() + self.directions.len();
        size_of::<Pca>() + values * size_of::<f64>()
    }

    fn width(&self) -> usize {
        usize::from(self.width)
    }

    /// The row without its mean and without its part along the directions.
    fn rest(&self, row: &[Finite]) -> Array1<f64> {
        let mut rest = Array1::zeros(self.directions.ncols());
        for ((rest, value), mean) in rest.iter_mut().zip(row).zip(&self.mean) {
            *rest = clipped(*value, FARTHEST) - mean;
        }
        for direction in self.directions.rows() {
            let along = dot(&rest, &direction);
            rest.scaled_add(-along, &direction);
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

    /// Finds the directions: the eigenvectors of the covariance that hold most of it.
    fn find(&mut self) {
        let width = self.width();
        let mut square = self.square();
        let whole: f64 = square.diag().iter().sum();
        let mut found = Vec::new();
        if whole > NOTHING {
            square /= whole;
            let mut held = 0.0;
            // One direction at least is left to tell rows by.
            for (share, direction) in Eigen::new(square).pairs().take(width.saturating_sub(1)) {
                if share <= 0.0 || held >= EXPLAINED {
                    break;
                }
                held += share;
                found.push(direction);
            }
        }
        self.directions = Array2::zeros((found.len(), width));
        for (mut row, direction) in self.directions.rows_mut().into_iter().zip(&found) {
            row.assign(direction);
        }
    }

    /// The whole covariance.
    fn square(&self) -> Array2<f64> {
        let width = self.width();
        let mut square = Array2::zeros((width, width));
        let mut cells = self.covariance.iter();
        for i in 0..width {
            for (j, cell) in cells.by_ref().take(i + 1).enumerate() {
                square[(i, j)] = *cell;
                square[(j, i)] = *cell;
            }
        }
        square
    }
}
