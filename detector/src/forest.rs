//! Isolation forests: how few random splits it takes to set a row apart from the others.
//!
//! Liu, Ting and Zhou, *Isolation Forest*, ICDM 2008. A tree splits a small sample of the rows at random values of
//! random features until each is alone; rows that are alone early are anomalous. Where we differ: values are brought
//! to a grid of at most 256 cells for each feature and every split is at an edge of it, so that a tree is bytes, its
//! walk is a comparison of bytes, and path lengths are whole numbers. Every instruction set walks the same trees and
//! arrives at the same sums.

mod grid;
mod online;
mod tree;
mod walk;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use self::grid::Grid;
pub use self::online::{MOST_ONLINE_FEATURES, OnlineForest, OnlineOptions};
use self::tree::{PARTS, Tree};
use crate::event::Finite;
use crate::random::Random;

/// Rows that one tree is grown from at most: as many as eight levels can tell apart on average.
pub const MOST_SAMPLES: usize = 256;
/// Trees of a forest at most.
pub const MOST_TREES: u16 = 1000;
/// Features of a row at most.
pub const MOST_FEATURES: usize = 65_536;

/// Rows that walk through one tree before the next is fetched.
const TOGETHER: usize = 256;

/// An isolation forest, fitted once to a table.
///
/// ```
/// use watchpost_detector::{Finite, forest::{Forest, Options, Table}};
///
/// let mut values = Vec::new();
/// for row in 0..200 {
///     values.push(f64::from(row % 20));
///     values.push(if row == 77 { 90.0 } else { f64::from(row % 7) });
/// }
/// let values: Vec<Finite> = values.into_iter().filter_map(Finite::new).collect();
/// let table = Table::new(2, &values)?;
/// let forest = Forest::fit(table, &Options::default())?;
/// let scores = forest.score_many(table)?;
/// assert!(scores.iter().all(|score| *score <= scores[77]));
/// # Ok::<(), watchpost_detector::forest::ForestError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forest {
    grid: Grid,
    trees: Vec<Tree>,
}

/// How a forest is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    trees: u16,
    samples: u16,
    /// Where its random numbers start. The same seed and table give the same forest everywhere.
    pub seed: u64,
}

impl Options {
    /// So many trees, each over a sample of so many rows drawn without repetition.
    ///
    /// # Errors
    /// Unless there are 1 to 1,000 trees and 1 to 256 samples.
    pub fn new(trees: u16, samples: u16, seed: u64) -> Result<Self, ForestError> {
        if (1..=MOST_TREES).contains(&trees) && (1..=MOST_SAMPLES).contains(&usize::from(samples)) {
            Ok(Options { trees, samples, seed })
        } else {
            Err(ForestError::Options { trees, samples })
        }
    }
}

/// What the paper recommends: 100 trees over 256 rows each.
impl Default for Options {
    fn default() -> Self {
        Options {
            trees: 100,
            samples: 256,
            seed: 0,
        }
    }
}

/// What cannot be fitted or scored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForestError {
    /// A number of trees or samples that is out of range.
    #[error("{trees} trees of {samples} samples: give 1 to {MOST_TREES} trees and 1 to {MOST_SAMPLES} samples")]
    Options {
        /// Trees that were asked for.
        trees: u16,
        /// Samples that were asked for.
        samples: u16,
    },
    /// The values do not fill rows of this width.
    #[error("{values} values do not make rows of {width}: give 1 to {MOST_FEATURES} features, and all of every row")]
    Shape {
        /// Features of a row.
        width: usize,
        /// Values that there are.
        values: usize,
    },
    /// There are too many rows, or none to learn from.
    #[error("{rows} rows: a forest is fitted to at least one and fewer than 2^32")]
    Rows {
        /// Rows that there are.
        rows: usize,
    },
    /// The rows are not those that the forest was fitted to.
    #[error("rows of {given} features, but the forest was fitted to {fitted}")]
    Width {
        /// Features of these rows.
        given: usize,
        /// Features of the rows that the forest was fitted to.
        fitted: usize,
    },
}

/// A table of numbers, row by row.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a> {
    width: usize,
    values: &'a [Finite],
}

impl<'a> Table<'a> {
    /// A table of rows with `width` features each; the values of a row are next to each other.
    ///
    /// # Errors
    /// When the width is 0 or above 65,536, or does not divide the number of values.
    pub fn new(width: usize, values: &'a [Finite]) -> Result<Self, ForestError> {
        if (1..=MOST_FEATURES).contains(&width) && values.len().is_multiple_of(width) {
            Ok(Table { width, values })
        } else {
            Err(ForestError::Shape {
                width,
                values: values.len(),
            })
        }
    }

    fn rows(&self) -> usize {
        self.values.len() / self.width
    }
}

impl Forest {
    /// Fits a forest to a table. Takes time in the order of the table's values and their logarithm, and of trees,
    /// samples and, where features are constant, features.
    ///
    /// # Errors
    /// When the table has no rows, or 2³² of them.
    pub fn fit(table: Table<'_>, options: &Options) -> Result<Self, ForestError> {
        let rows = match u32::try_from(table.rows()) {
            Ok(rows) if rows > 0 => rows,
            _ => return Err(ForestError::Rows { rows: table.rows() }),
        };
        let mut all: Vec<u32> = (0..rows).collect();
        let grid = Grid::default();
        let mut raw = Gridded {
            table,
            grid,
            cells: Vec::new(),
        };
        // The exact trees whose cuts make the grid are others than the forest's: a tree must not be fitted to itself.
        let mut cuts = vec![Vec::new(); table.width];
        for tree in 0..options.trees {
            let mut random = Random::new(options.seed, EXACT | u64::from(tree));
            let sample = sample(&mut all, options, &mut random);
            tree::cuts(&raw, sample, &mut random, &mut |feature, cut| {
                if let Some(cuts) = cuts.get_mut(usize::from(feature)) {
                    cuts.push(cut);
                }
            });
        }
        let columns = cuts.into_iter().enumerate().map(|(feature, cuts)| {
            let column = table.values.iter().skip(feature).step_by(table.width);
            (column.map(|value| value.value()).collect(), cuts)
        });
        raw.grid = Grid::new(columns);
        raw.cells = vec![0; table.values.len()];
        for (row, cells) in table
            .values
            .chunks_exact(table.width)
            .zip(raw.cells.chunks_exact_mut(table.width))
        {
            raw.grid.cells(row, cells);
        }
        let trees = (0..options.trees)
            .map(|tree| {
                let mut random = Random::new(options.seed, u64::from(tree));
                let sample = sample(&mut all, options, &mut random);
                Tree::grow(&raw, sample, &mut random)
            })
            .collect();
        Ok(Forest { grid: raw.grid, trees })
    }

    /// How anomalous a row is, above 0 and at most 1: about 0.5 for rows like most, more for rows that are set apart
    /// early. It is what scikit-learn's `IsolationForest.score_samples` gives, with the sign changed.
    ///
    /// # Errors
    /// When the row has not as many features as the table that the forest was fitted to.
    pub fn score(&self, row: &[Finite]) -> Result<f64, ForestError> {
        let table = Table {
            width: row.len(),
            values: row,
        };
        self.check(table)?;
        let usual = self.usual();
        Ok(match self.grid.width() {
            0..=16 => score(self.sum(&self.cells::<16>(row)), usual),
            17..=64 => score(self.sum(&self.cells::<64>(row)), usual),
            65..=256 => score(self.sum(&self.cells::<256>(row)), usual),
            _ => self.score_wide(table).first().copied().unwrap_or(0.5),
        })
    }

    /// The score of each row of a table. Gives what [`Forest::score`] gives, in less time.
    ///
    /// # Errors
    /// When the rows have not as many features as those that the forest was fitted to.
    pub fn score_many(&self, table: Table<'_>) -> Result<Vec<f64>, ForestError> {
        self.check(table)?;
        Ok(match self.grid.width() {
            0..=16 => self.score_blocks::<16>(table),
            17..=64 => self.score_blocks::<64>(table),
            65..=256 => self.score_blocks::<256>(table),
            _ => self.score_wide(table),
        })
    }

    /// Features of a row.
    pub fn width(&self) -> usize {
        self.grid.width()
    }

    /// Bytes that the forest holds, itself and on the heap.
    pub fn bytes(&self) -> usize {
        let trees: usize = self.trees.iter().map(Tree::bytes).sum();
        size_of::<Forest>() + self.grid.bytes() + self.trees.capacity() * size_of::<Tree>() + trees
    }

    fn check(&self, table: Table<'_>) -> Result<(), ForestError> {
        if table.width == self.grid.width() {
            Ok(())
        } else {
            Err(ForestError::Width {
                given: table.width,
                fitted: self.grid.width(),
            })
        }
    }

    fn usual(&self) -> f64 {
        self.trees.iter().map(|tree| tree.usual).sum()
    }

    fn cells<const N: usize>(&self, row: &[Finite]) -> [u8; N] {
        let mut cells = [0; N];
        self.grid.cells(row, &mut cells);
        cells
    }

    fn sum(&self, cells: &impl walk::Cells) -> u32 {
        self.trees.iter().map(|tree| walk::path(tree, cells)).sum()
    }

    /// A tree stays in the cache while so many rows walk through it.
    fn score_blocks<const N: usize>(&self, table: Table<'_>) -> Vec<f64>
    where
        [u8; N]: walk::Cells,
    {
        let usual = self.usual();
        let mut scores = Vec::with_capacity(table.rows());
        let mut cells: Vec<[u8; N]> = Vec::with_capacity(TOGETHER);
        for block in table.values.chunks(TOGETHER * table.width) {
            cells.clear();
            cells.extend(block.chunks_exact(table.width).map(|row| self.cells::<N>(row)));
            let mut sums = [0_u32; TOGETHER];
            for tree in &self.trees {
                for (sum, cells) in sums.iter_mut().zip(&cells) {
                    *sum += walk::path(tree, cells);
                }
            }
            scores.extend(sums.iter().take(cells.len()).map(|sum| score(*sum, usual)));
        }
        scores
    }

    /// Rows with more features than a byte can name: each tree has the few hundred that it asks for brought together.
    fn score_wide(&self, table: Table<'_>) -> Vec<f64> {
        let usual = self.usual();
        let mut cells = vec![0; table.width];
        let mut asked = [0; 256];
        table
            .values
            .chunks_exact(table.width)
            .map(|row| {
                self.grid.cells(row, &mut cells);
                let mut sum = 0;
                for tree in &self.trees {
                    for (asked, feature) in asked.iter_mut().zip(&tree.features) {
                        *asked = cells.get(usize::from(*feature)).copied().unwrap_or(0);
                    }
                    sum += walk::path(tree, &asked);
                }
                score(sum, usual)
            })
            .collect()
    }
}

/// Tells the random numbers of the trees that the grid is made of from those of the forest's own.
const EXACT: u64 = 1 << 32;

fn sample<'a>(all: &'a mut [u32], options: &Options, random: &mut Random) -> &'a mut [u32] {
    let count = usize::from(options.samples).min(all.len());
    // Whatever order the tree before left behind, a random choice of any order is one.
    random.choose(all, count);
    all.split_at_mut(count).0
}

/// A table and where its values are on the grid.
struct Gridded<'a> {
    table: Table<'a>,
    grid: Grid,
    cells: Vec<u8>,
}

impl tree::Rows for Gridded<'_> {
    fn width(&self) -> usize {
        self.table.width
    }

    fn value(&self, row: u32, feature: u16) -> f64 {
        let place = row as usize * self.table.width + usize::from(feature);
        self.table.values.get(place).map_or(0.0, |value| value.value())
    }

    fn cell(&self, row: u32, feature: u16) -> u8 {
        let place = row as usize * self.table.width + usize::from(feature);
        self.cells.get(place).copied().unwrap_or(0)
    }

    fn edge(&self, feature: u16, value: f64) -> u8 {
        self.grid.edge(usize::from(feature), value)
    }
}

/// The score of a sum of path lengths, in parts, where so many edges would be usual.
fn score(sum: u32, usual: f64) -> f64 {
    if usual > 0.0 {
        libm::exp2(-(f64::from(sum) / PARTS) / usual)
    } else {
        // Trees of a single row tell nothing.
        0.5
    }
}

/// The average path length of an unsuccessful search in a binary search tree of `rows` rows, which is what an
/// isolation tree of so many rows has on average (Preiss 1999, as used in the paper): `c(n)`.
fn average_path_length(rows: usize) -> f64 {
    const EULER: f64 = 0.577_215_664_901_532_9;
    let n = rows as f64;
    match rows {
        0 | 1 => 0.0,
        2 => 1.0,
        _ => 2.0 * (libm::log(n - 1.0) + EULER) - 2.0 * (n - 1.0) / n,
    }
}
