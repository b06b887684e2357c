//! The eigenvectors of a symmetric matrix, those of the largest eigenvalues first.
//!
//! Householder's reflections make the matrix tridiagonal, and QL steps with implicit shifts make that diagonal: Martin,
//! Reinsch and Wilkinson's `tred2` (Numerische Mathematik 11, 1968), and `imtql2` of Dubrulle, Martin and Wilkinson (12,
//! 1968). Where we differ: vectors are rows, so that all work is along rows, and reflections are undone for those
//! vectors only that are asked for. For n rows that is some 6n³ operations, and about as many whatever the rows hold.

use ndarray::{Array1, Array2, Axis, Zip, s};

use super::dot::dot;
use crate::number::Bounded;
use crate::order;

/// What a symmetric matrix came down to.
pub(super) struct Eigen {
    /// Eigenvalues, the largest first, each with the row of `vectors` that it belongs to.
    order: Vec<(f64, usize)>,
    /// The eigenvectors of the tridiagonal matrix.
    vectors: Array2<f64>,
    /// What the rows were reflected by, the last row's first.
    reflections: Vec<Array1<f64>>,
}

/// Steps for an eigenvalue at most; it takes one or two.
const MOST_STEPS: usize = 30;
/// The squared length of what counts as nothing beside the whole.
const NOTHING: f64 = 1e-60;

impl Eigen {
    /// Of a square matrix whose eigenvalues are at least 0 and sum to 1.
    pub(super) fn new(mut matrix: Array2<f64>) -> Self {
        let width = matrix.nrows();
        let mut beside = Array1::zeros(width);
        let mut reflections = Vec::with_capacity(width);
        for row in (1..width).rev() {
            let (reflection, left) = reflect(&mut matrix, row);
            reflections.push(reflection);
            beside[row - 1] = left;
        }
        let mut values = matrix.diag().to_owned();
        let vectors = diagonalize(&mut values, &mut beside);
        let mut order: Vec<(f64, usize)> = values.into_iter().zip(0..).collect();
        order::sort_by_key(&mut order, |value| order::falling(value.0));
        Eigen {
            order,
            vectors,
            reflections,
        }
    }

    /// The eigenvalues, the largest first, with their vectors, each of length 1 and orthogonal to the others.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (f64, Array1<f64>)> + '_ {
        self.order.iter().map(|(value, row)| {
            let mut vector = self.vectors.row(*row).to_owned();
            for reflection in self.reflections.iter().rev() {
                let mut part = vector.slice_mut(s![..reflection.len()]);
                let along = dot(&part, reflection);
                part.scaled_add(-along, reflection);
            }
            (*value, vector)
        })
    }
}

/// Reflects what is before a row of a symmetric matrix, so that all of the row before the diagonal is 0 but for the
/// value beside it. Returns what it was reflected by, a vector v that takes x to x - v(v·x), and that value.
fn reflect(matrix: &mut Array2<f64>, row: usize) -> (Array1<f64>, f64) {
    let mut by = matrix.slice(s![row, ..row]).to_owned();
    let last = by[row - 1];
    let others = by.slice(s![..row - 1]);
    if dot(&others, &others) <= NOTHING {
        by.fill(0.0);
        return (by, last);
    }
    // Of the two values beside the diagonal that are possible the one of the other sign, so that nothing cancels.
    let length = dot(&by, &by).sqrt();
    let left = if last > 0.0 { -length } else { length };
    by[row - 1] -= left;
    let scale = (0.5 * dot(&by, &by)).sqrt();
    by /= scale;
    let mut before = matrix.slice_mut(s![..row, ..row]);
    let mut image: Array1<f64> = before.rows().into_iter().map(|cells| dot(&cells, &by)).collect();
    let along = dot(&image, &by);
    image.scaled_add(-0.5 * along, &by);
    for ((mut cells, by_here), image_here) in before.rows_mut().into_iter().zip(&by).zip(&image) {
        Zip::from(&mut cells)
            .and(&by)
            .and(&image)
            .for_each(|cell, by, image| *cell -= image_here * by + by_here * image);
    }
    (by, left)
}

/// Makes a tridiagonal matrix of this diagonal diagonal, which leaves its eigenvalues there, and returns its
/// eigenvectors as rows. What is `beside` is in each place the value between this one and the next.
fn diagonalize(diagonal: &mut Array1<f64>, beside: &mut Array1<f64>) -> Array2<f64> {
    let width = diagonal.len();
    let mut vectors = Array2::eye(width);
    let sizes = diagonal.iter().zip(beside.iter()).map(|(a, b)| a.abs() + b.abs());
    let small = f64::EPSILON * sizes.fold(0.0, |most: f64, size| most.at_least(size));
    for first in 0..width {
        for _ in 0..MOST_STEPS {
            let block = beside.iter().skip(first).take_while(|value| value.abs() > small);
            let last = first + block.count();
            if last == first || last >= width {
                break;
            }
            step(diagonal, beside, &mut vectors, first, last);
        }
    }
    vectors
}

/// A QL step on the rows from `first` to `last`, with Wilkinson's shift: rotations of neighbouring rows from the last
/// to the first, each of which takes the value that the one before has left two beside the diagonal.
fn step(diagonal: &mut Array1<f64>, beside: &mut Array1<f64>, vectors: &mut Array2<f64>, first: usize, last: usize) {
    let ratio = (diagonal[first + 1] - diagonal[first]) / (2.0 * beside[first]);
    let root = (ratio * ratio + 1.0).sqrt();
    let root = if ratio < 0.0 { ratio - root } else { ratio + root };
    let mut ahead = diagonal[last] - diagonal[first] + beside[first] / root;
    let (mut sine, mut cosine, mut shift) = (1.0, 1.0, 0.0);
    for row in (first..last).rev() {
        let (away, near) = (sine * beside[row], cosine * beside[row]);
        let length = (away * away + ahead * ahead).sqrt();
        beside[row + 1] = length;
        if length == 0.0 {
            // The matrix falls apart here.
            diagonal[row + 1] -= shift;
            beside[last] = 0.0;
            return;
        }
        (sine, cosine) = (away / length, ahead / length);
        let base = diagonal[row + 1] - shift;
        let change = (diagonal[row] - base) * sine + 2.0 * cosine * near;
        shift = sine * change;
        diagonal[row + 1] = base + shift;
        ahead = cosine * change - near;
        let (mut head, mut tail) = vectors.view_mut().split_at(Axis(0), row + 1);
        Zip::from(head.row_mut(row))
            .and(tail.row_mut(0))
            .for_each(|a, b| (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b));
    }
    diagonal[first] -= shift;
    beside[first] = ahead;
    beside[last] = 0.0;
}
