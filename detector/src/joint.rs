//! Models of how the metrics of a row go together.
//!
//! Each looks at a row of deviations, in units of what is usual for their metric and 0 where nothing is known, and says
//! how strange it is as a whole. They follow a stream ([`Joint`]), in bounded memory and with bounded work for each row,
//! or are fitted once to a table ([`Fitted`]).

mod autoencoder;
mod dot;
mod eigen;
mod half_space_trees;
mod local_outlier_factor;
mod neighbours;
mod network;
mod pca;
mod reservoir;
mod variational_autoencoder;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use self::autoencoder::Autoencoder;
pub use self::half_space_trees::HalfSpaceTrees;
pub use self::local_outlier_factor::LocalOutlierFactor;
pub use self::neighbours::Neighbours;
pub use self::pca::Pca;
pub use self::variational_autoencoder::VariationalAutoencoder;
use crate::event::Finite;
use crate::forest::{Forest, ForestError, OnlineForest, OnlineOptions, Options, Table};
use crate::number::Bounded;
use crate::random::Random;

/// A model of the metrics of a subject together, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum JointModel {
    /// An isolation forest (Liu, Ting and Zhou, ICDM 2008): how few random splits set the row apart from others. 32
    /// trees of 64 rows, from 256 of about the last 2,048; renewed one by one. Looks at up to 256 metrics.
    Forest,
    /// Half-space trees (Tan, Ting and Liu, IJCAI 2011): how many of the last window of 250 rows fell where the row
    /// falls, in 25 random trees of eight levels. Looks at up to 256 metrics.
    HalfSpaceTrees,
    /// What the principal components leave (Jackson and Mudholkar, Technometrics 1979): how far the row is from the
    /// directions that hold nine tenths of the variance of about the last 8,192 rows. Looks at up to 64 metrics.
    Pca,
    /// Nearest neighbours (Ramaswamy, Rastogi and Shim, SIGMOD 2000): the mean distance to the five nearest of 256 rows,
    /// averaged over four such samples of about the last 8,192. Looks at up to 256 metrics.
    Neighbours,
    /// The local outlier factor (Breunig et al., SIGMOD 2000): how much more crowded it is around the twenty nearest of
    /// 256 of about the last 8,192 rows than around the row. Looks at up to 256 metrics.
    LocalOutlierFactor,
    /// An autoencoder (Hawkins et al., DaWaK 2002): how far the row is from what a neural network with layers of 32, 8
    /// and 32 units makes of it. Trained with 16 of 512 rows at a time, with each of the first 4,096 rows and with
    /// every sixteenth later. Looks at up to 256 metrics.
    Autoencoder,
    /// A variational autoencoder (Kingma and Welling, ICLR 2014): how unlikely the row is to a neural network with the
    /// same layers that makes rows from random numbers, which come from a seed. Trained likewise. Looks at up to 256
    /// metrics.
    VariationalAutoencoder,
}

impl JointModel {
    /// All of them.
    pub const ALL: [JointModel; 7] = [
        JointModel::Forest,
        JointModel::HalfSpaceTrees,
        JointModel::Pca,
        JointModel::Neighbours,
        JointModel::LocalOutlierFactor,
        JointModel::Autoencoder,
        JointModel::VariationalAutoencoder,
    ];

    /// What stands for it in the head of a state: a bit of its own, which it keeps.
    pub(crate) fn bit(self) -> u8 {
        match self {
            JointModel::Forest => 1,
            JointModel::HalfSpaceTrees => 1 << 1,
            JointModel::Pca => 1 << 2,
            JointModel::Neighbours => 1 << 3,
            JointModel::LocalOutlierFactor => 1 << 4,
            JointModel::Autoencoder => 1 << 5,
            JointModel::VariationalAutoencoder => 1 << 6,
        }
    }

    /// Bytes that it holds at most, itself and on the heap, for rows of so many features.
    pub fn most_bytes(self, width: usize) -> usize {
        let width = width.min(MOST_FEATURES);
        match self {
            JointModel::Forest => 32 * 1300 + 256 * width + 1000,
            JointModel::HalfSpaceTrees => 25 * 3500,
            JointModel::Pca => 12 * width.min(64) * width.min(64) + 8 * width.min(64) + 1000,
            JointModel::Neighbours => 4096 * width + 1000,
            JointModel::LocalOutlierFactor => 1024 * width + 256 * 16 + 1000,
            JointModel::Autoencoder => (2048 + 12 * 65) * width + 10_000,
            JointModel::VariationalAutoencoder => (2048 + 12 * 65) * width + 13_000,
        }
    }

    /// Its name, as it is written in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            JointModel::Forest => "forest",
            JointModel::HalfSpaceTrees => "half_space_trees",
            JointModel::Pca => "pca",
            JointModel::Neighbours => "neighbours",
            JointModel::LocalOutlierFactor => "local_outlier_factor",
            JointModel::Autoencoder => "autoencoder",
            JointModel::VariationalAutoencoder => "variational_autoencoder",
        }
    }
}

/// A model that follows a stream of rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Joint {
    /// An isolation forest.
    Forest(OnlineForest),
    /// Half-space trees.
    HalfSpaceTrees(HalfSpaceTrees),
    /// What the principal components leave.
    Pca(Pca),
    /// Nearest neighbours.
    Neighbours(Neighbours),
    /// The local outlier factor.
    LocalOutlierFactor(LocalOutlierFactor),
    /// An autoencoder.
    Autoencoder(Box<Autoencoder>),
    /// A variational autoencoder.
    VariationalAutoencoder(Box<VariationalAutoencoder>),
}

/// Features of a row at most; others are left out.
const MOST_FEATURES: usize = 256;

impl Joint {
    /// A model that has seen nothing, for rows of `width` features; those beyond 256 are left out, of principal
    /// components those beyond 64. The same seed and rows give the same model everywhere.
    pub fn new(model: JointModel, width: usize, seed: u64) -> Self {
        let width = width.min(MOST_FEATURES);
        let random = Random::new(seed, width as u64);
        match model {
            JointModel::Forest => Joint::Forest(OnlineForest::new(width as u16, OnlineOptions::seeded(seed))),
            JointModel::HalfSpaceTrees => Joint::HalfSpaceTrees(HalfSpaceTrees::new(width, random)),
            JointModel::Pca => Joint::Pca(Pca::new(width)),
            JointModel::Neighbours => Joint::Neighbours(Neighbours::new(width, random)),
            JointModel::LocalOutlierFactor => Joint::LocalOutlierFactor(LocalOutlierFactor::new(width, random)),
            JointModel::Autoencoder => Joint::Autoencoder(Box::new(Autoencoder::new(width, random))),
            JointModel::VariationalAutoencoder => {
                Joint::VariationalAutoencoder(Box::new(VariationalAutoencoder::new(width, random)))
            }
        }
    }

    /// Which model it is.
    pub fn model(&self) -> JointModel {
        match self {
            Joint::Forest(_) => JointModel::Forest,
            Joint::HalfSpaceTrees(_) => JointModel::HalfSpaceTrees,
            Joint::Pca(_) => JointModel::Pca,
            Joint::Neighbours(_) => JointModel::Neighbours,
            Joint::LocalOutlierFactor(_) => JointModel::LocalOutlierFactor,
            Joint::Autoencoder(_) => JointModel::Autoencoder,
            Joint::VariationalAutoencoder(_) => JointModel::VariationalAutoencoder,
        }
    }

    /// How strange a row is: finite, at least 0, in units of the model's own, and more for stranger rows. `None` before
    /// the model knows enough. Features that the row lacks are taken to be usual.
    pub fn score(&self, row: &[Finite]) -> Option<f64> {
        match self {
            Joint::Forest(forest) => forest.score(row),
            Joint::HalfSpaceTrees(trees) => trees.score(row),
            Joint::Pca(pca) => pca.score(row),
            Joint::Neighbours(neighbours) => neighbours.score(row),
            Joint::LocalOutlierFactor(factor) => factor.score(row),
            Joint::Autoencoder(coder) => coder.score(row),
            Joint::VariationalAutoencoder(coder) => coder.score(row),
        }
    }

    /// How much each feature has to do with the score, at least 0 and in units that compare within a row only; empty
    /// or all 0 before the model knows enough.
    pub fn parts(&self, row: &[Finite]) -> Vec<f64> {
        match self {
            Joint::Forest(forest) => forest.influences(row),
            Joint::HalfSpaceTrees(trees) => trees.parts(row),
            Joint::Pca(pca) => pca.parts(row),
            Joint::Neighbours(neighbours) => neighbours.parts(row),
            Joint::LocalOutlierFactor(factor) => factor.parts(row),
            Joint::Autoencoder(coder) => coder.parts(row),
            Joint::VariationalAutoencoder(coder) => coder.parts(row),
        }
    }

    /// Learns a row by its weight, from 0 (not at all) to 1.
    pub fn learn(&mut self, row: &[Finite], weight: f64) {
        match self {
            Joint::Forest(forest) => forest.learn(row, weight),
            Joint::HalfSpaceTrees(trees) => trees.learn(row, weight),
            Joint::Pca(pca) => pca.learn(row, weight),
            Joint::Neighbours(neighbours) => neighbours.learn(row, weight),
            Joint::LocalOutlierFactor(factor) => factor.learn(row, weight),
            Joint::Autoencoder(coder) => coder.learn(row, weight),
            Joint::VariationalAutoencoder(coder) => coder.learn(row, weight),
        }
    }

    /// Bytes that the model holds, itself and on the heap.
    pub fn bytes(&self) -> usize {
        let held = match self {
            Joint::Forest(forest) => forest.bytes(),
            Joint::HalfSpaceTrees(trees) => trees.bytes(),
            Joint::Pca(pca) => pca.bytes(),
            Joint::Neighbours(neighbours) => neighbours.bytes(),
            Joint::LocalOutlierFactor(factor) => factor.bytes(),
            Joint::Autoencoder(coder) => size_of::<Joint>() + coder.bytes(),
            Joint::VariationalAutoencoder(coder) => size_of::<Joint>() + coder.bytes(),
        };
        held.max(size_of::<Joint>())
    }
}

/// A model that was fitted once to a table. Its columns are brought to a mean of 0 and a deviation of 1 first, but for
/// the forest's, which needs no such thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Forest(Forest),
    /// The mean of each column and one divided by its deviation, and the model.
    Scaled(Vec<(f64, f64)>, Box<Joint>),
}

impl Fitted {
    /// Fits a model to a table: a forest of a thousand trees, for others what [`JointModel`] says of them.
    ///
    /// # Errors
    /// When the table has no rows, or 2³² of them.
    pub fn new(model: JointModel, table: Table<'_>, seed: u64) -> Result<Self, ForestError> {
        if table.rows() == 0 {
            return Err(ForestError::Rows { rows: 0 });
        }
        let random = Random::new(seed, table.width() as u64);
        let scaling = scaling(table);
        let scaled: Vec<Finite> = table.each().flat_map(|row| scaled(&scaling, row)).collect();
        let scaled = Table::new(table.width(), &scaled)?;
        let joint = match model {
            JointModel::Forest => {
                let options = Options::new(1000, 256, seed)?;
                let kind = Kind::Forest(Forest::fit(table, &options)?);
                return Ok(Fitted { kind });
            }
            JointModel::HalfSpaceTrees => Joint::HalfSpaceTrees(HalfSpaceTrees::fit(scaled, random)),
            JointModel::Pca => Joint::Pca(Pca::fit(scaled)),
            JointModel::Neighbours => Joint::Neighbours(Neighbours::fit(scaled, random)),
            JointModel::LocalOutlierFactor => Joint::LocalOutlierFactor(LocalOutlierFactor::fit(scaled, random)),
            JointModel::Autoencoder => Joint::Autoencoder(Box::new(Autoencoder::fit(scaled, random))),
            JointModel::VariationalAutoencoder => {
                Joint::VariationalAutoencoder(Box::new(VariationalAutoencoder::fit(scaled, random)))
            }
        };
        Ok(Fitted {
            kind: Kind::Scaled(scaling, Box::new(joint)),
        })
    }

    /// The score of each row of a table, as [`Joint::score`] has it; 0 where the table that the model was fitted to had
    /// too few rows to say anything.
    ///
    /// # Errors
    /// When the rows have not as many features as those that the model was fitted to.
    pub fn score_many(&self, table: Table<'_>) -> Result<Vec<f64>, ForestError> {
        match &self.kind {
            Kind::Forest(forest) => forest.score_many(table),
            Kind::Scaled(scaling, joint) => {
                if scaling.len() != table.width() {
                    return Err(ForestError::Width {
                        given: table.width(),
                        fitted: scaling.len(),
                    });
                }
                let score = |row| {
                    let row: Vec<_> = scaled(scaling, row).collect();
                    joint.score(&row).unwrap_or(0.0)
                };
                Ok(table.each().map(score).collect())
            }
        }
    }
}

/// The mean of each column, and one divided by its standard deviation; 0 where it does not vary.
fn scaling(table: Table<'_>) -> Vec<(f64, f64)> {
    let mut columns = vec![(0.0, 0.0); table.width()];
    let mut rows = 0.0;
    for row in table.each() {
        rows += 1.0;
        for ((mean, squares), value) in columns.iter_mut().zip(row) {
            let away = value.value() - *mean;
            *mean += away / rows;
            *squares += away * (value.value() - *mean);
        }
    }
    for (_, squares) in &mut columns {
        let deviation = (*squares / rows).sqrt();
        *squares = if deviation > 0.0 { 1.0 / deviation } else { 0.0 };
    }
    columns
}

fn scaled(scaling: &[(f64, f64)], row: &[Finite]) -> impl Iterator<Item = Finite> {
    row.iter()
        .zip(scaling)
        .map(|(value, (mean, scale))| Finite::new((value.value() - mean) * scale).unwrap_or_default())
}

/// A value that is at most so far from 0.
fn clipped(value: Finite, farthest: f64) -> f64 {
    value.value().at_least(-farthest).at_most(farthest)
}

/// A row of `width` values that are at most so far from 0; what it lacks is 0.
fn near(row: &[Finite], width: usize, farthest: f64) -> Vec<f32> {
    let mut values: Vec<f32> = row
        .iter()
        .take(width)
        .map(|value| clipped(*value, farthest) as f32)
        .collect();
    values.resize(width, 0.0);
    values
}
