//! Putting things in order with little code: each type and comparison that the standard library's sorts are used with
//! is some 8 kB of a guest. Here only pairs of a key and a place are sorted, whatever they stand for. (A `BTreeMap` that
//! is collected, or made from an array, sorts as well; one that is extended does not.)

/// So many items are put in order where they are, which takes no memory.
const FEW: usize = 20;

/// Puts items in order of their keys; of the same key the first one stays first.
pub(crate) fn sort_by_key<T, K: Ord + Copy>(items: &mut [T], key: impl Fn(&T) -> K) {
    if items.len() <= FEW {
        for end in 1..items.len() {
            let mut at = end;
            while at > 0 && key(&items[at]) < key(&items[at - 1]) {
                items.swap(at, at - 1);
                at -= 1;
            }
        }
        return;
    }
    let mut ranks = ranks(items.iter().map(key));
    for at in 0..items.len() {
        while ranks[at] != at {
            let rank = ranks[at];
            items.swap(at, rank);
            ranks.swap(at, rank);
        }
    }
}

/// Where each key belongs.
#[inline(never)]
fn ranks<K: Ord>(keys: impl Iterator<Item = K>) -> Vec<usize> {
    let mut order: Vec<(K, usize)> = keys.zip(0..).collect();
    order.sort_unstable();
    let mut ranks = vec![0; order.len()];
    for (rank, (_, place)) in order.into_iter().enumerate() {
        ranks[place] = rank;
    }
    ranks
}

/// A key that puts the least number first.
pub(crate) fn rising(number: i64) -> u64 {
    number.cast_unsigned() ^ 1 << 63
}

/// A key that puts the greatest number first, in the order of `f64::total_cmp`.
pub(crate) fn falling(number: f64) -> u64 {
    let bits = number.to_bits();
    if bits >> 63 == 0 { !(bits | 1 << 63) } else { bits }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_order_is_that_of_a_stable_sort(
            numbers in proptest::collection::vec((prop_oneof![any::<f64>(), -2.0..2.0f64, Just(0.0), Just(-0.0)], 0..3u8), 0..60),
        ) {
            let mut expected: Vec<(u64, u8, usize)> =
                numbers.iter().zip(0..).map(|((number, few), place)| (number.to_bits(), *few, place)).collect();
            let mut found = expected.clone();
            expected.sort_by(|a, b| f64::from_bits(b.0).total_cmp(&f64::from_bits(a.0)));
            sort_by_key(&mut found, |item| falling(f64::from_bits(item.0)));
            prop_assert_eq!(&found, &expected);
            expected.sort_by_key(|item| item.1);
            sort_by_key(&mut found, |item| item.1);
            prop_assert_eq!(&found, &expected);
        }
    }
}
