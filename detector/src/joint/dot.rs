//! A sum of products in an order of our own: that of a library may depend on what instructions a machine has.

use std::ops::{Add, Mul};

use ndarray::ArrayRef1;

/// Parts that are summed side by side, which is what vector instructions need and what none of them changes.
const LANES: usize = 8;

/// The sum of the products of two rows: in eight interleaved parts, which are then added in their order.
pub(super) fn dot<T>(a: &ArrayRef1<T>, b: &ArrayRef1<T>) -> T
where
    T: Copy + Default + Add<Output = T> + Mul<Output = T>,
{
    match (a.as_slice(), b.as_slice()) {
        (Some(a), Some(b)) => in_parts(a, b),
        // Columns do not lie in one piece.
        _ => in_parts(&a.to_vec(), &b.to_vec()),
    }
}

fn in_parts<T>(a: &[T], b: &[T]) -> T
where
    T: Copy + Default + Add<Output = T> + Mul<Output = T>,
{
    let mut lanes = [T::default(); LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a.remainder().iter().zip(b.remainder());
    let mut end = T::default();
    for (a, b) in rest {
        end = end + *a * *b;
    }
    for (a, b) in a.zip(b) {
        for ((sum, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *sum = *sum + *a * *b;
        }
    }
    for sum in lanes {
        end = end + sum;
    }
    end
}
