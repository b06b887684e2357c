//! How rows walk down trees. Whatever the instructions, it is the same walk and the same whole number at its end.

use super::tree::{Block, Tree};

/// Levels of a block.
pub(super) const LEVELS: u32 = 4;

/// A row in cells, with room for a power of two of features, so that a place can be brought into range by its low bits.
pub(super) trait Cells: Clone {
    /// The exit by which the row leaves a block.
    fn exit(&self, block: &Block) -> usize;
}

/// What a row's walk through a tree comes to, in parts of an edge.
#[inline(always)]
pub(super) fn path(tree: &Tree, cells: &impl Cells) -> u32 {
    let Some(first) = tree.blocks.first() else { return 0 };
    let exit = cells.exit(first) % 16;
    let path = u32::from(first.paths[exit]);
    // Exits that are leaves lead to a block that adds nothing: no branch depends on the row.
    if tree.blocks.len() > 1
        && let Some(block) = tree.blocks.get(usize::from(tree.next[exit]))
    {
        return path + u32::from(block.paths[cells.exit(block) % 16]);
    }
    path
}

/// One comparison after the other. Places are taken modulo the size of what they are in, which changes nothing and
/// leaves the compiler no bound to check.
#[inline(always)]
pub(super) fn exit_by_steps<const N: usize>(cells: &[u8; N], block: &Block) -> usize {
    let mut node = 0;
    for _ in 0..LEVELS {
        let feature = usize::from(block.features[node % 16]);
        let right = cells[feature % N] > block.cells[node % 16];
        node = 2 * node + 1 + usize::from(right);
    }
    node - 15
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod by_width {
    use super::{Block, Cells, exit_by_steps};

    impl<const N: usize> Cells for [u8; N] {
        #[inline(always)]
        fn exit(&self, block: &Block) -> usize {
            exit_by_steps(self, block)
        }
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod by_width {
    use std::arch::wasm32::{u8x16_bitmask, u8x16_gt, u8x16_splat, u8x16_sub, u8x16_swizzle, u64x2, v128, v128_or};

    use super::{Block, Cells, LEVELS, exit_by_steps};

    impl Cells for [u8; 16] {
        #[inline(always)]
        fn exit(&self, block: &Block) -> usize {
            follow(u8x16_swizzle(vector(self), vector(&block.features)), block)
        }
    }

    impl Cells for [u8; 64] {
        #[inline(always)]
        fn exit(&self, block: &Block) -> usize {
            let (rows, _) = self.as_chunks::<16>();
            let mut wanted = vector(&block.features);
            let mut found = u8x16_splat(0);
            for row in rows {
                // A swizzle gives 0 for a place from 16 on, and so does each but the right one of the four.
                found = v128_or(found, u8x16_swizzle(vector(row), wanted));
                wanted = u8x16_sub(wanted, u8x16_splat(16));
            }
            follow(found, block)
        }
    }

    impl Cells for [u8; 256] {
        #[inline(always)]
        fn exit(&self, block: &Block) -> usize {
            exit_by_steps(self, block)
        }
    }

    /// All fifteen nodes are compared at once; the way through them is then read off the bits.
    #[inline(always)]
    fn follow(found: v128, block: &Block) -> usize {
        let right = usize::from(u8x16_bitmask(u8x16_gt(found, vector(&block.cells))));
        let mut node = 0;
        for _ in 0..LEVELS {
            node = 2 * node + 1 + ((right >> node) & 1);
        }
        node - 15
    }

    #[inline(always)]
    fn vector(bytes: &[u8; 16]) -> v128 {
        let (halves, _) = bytes.as_chunks::<8>();
        u64x2(u64::from_le_bytes(halves[0]), u64::from_le_bytes(halves[1]))
    }
}
