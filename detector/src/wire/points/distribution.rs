//! Histograms: what came since the point before, its mean, and where its quantiles lie.

use std::hash::BuildHasherDefault;

use lru::LruCache;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::event::Timestamp;
use crate::keys::KeyHasher;
use crate::order;

/// So many distributions are remembered, the most recently seen ones.
const MOST_SERIES: usize = 2_048;
/// A histogram with more buckets, which is none that a library makes, has no quantiles.
const MOST_BUCKETS: usize = 512;

const QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];

/// Where cumulative distributions stood at their last points.
#[derive(Debug)]
pub(super) struct Distributions {
    last: LruCache<u64, Last, BuildHasherDefault<KeyHasher>>,
}

#[derive(Debug)]
struct Last {
    start: Option<Timestamp>,
    count: f64,
    sum: Option<f64>,
    mass: Mass,
}

/// What a distribution says of the time between two points.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct News {
    pub(super) mean: Option<f64>,
    pub(super) quantiles: [Option<f64>; QUANTILES.len()],
}

/// How many values lie where.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in super::super) struct Mass {
    /// Buckets that are not empty, in order.
    buckets: Vec<Bucket>,
    layout: Layout,
}

/// The sign of a bucket's values, and its position away from zero; of explicit buckets all are positive.
type Slot = (i8, i64);

/// A slot, and how many values lie there.
type Bucket = (Slot, f64);

#[derive(Debug, Clone, PartialEq, Default)]
enum Layout {
    #[default]
    None,
    Explicit {
        bounds: Vec<f64>,
        /// Of the bounds, by which they are compared with those of the point before.
        key: u64,
    },
    Exponential {
        scale: i32,
    },
    /// Each bucket is one value.
    Values(Vec<f64>),
}

impl Default for Distributions {
    fn default() -> Self {
        Distributions {
            last: LruCache::unbounded_with_hasher(BuildHasherDefault::default()),
        }
    }
}

impl Distributions {
    /// The news of a distribution that holds only what is new.
    pub(super) fn whole(count: f64, sum: Option<f64>, mass: &Mass) -> News {
        News {
            mean: sum.filter(|_| count > 0.0).map(|sum| sum / count),
            quantiles: QUANTILES.map(|quantile| mass.quantile(quantile)),
        }
    }

    /// The news of a cumulative distribution: all of it when it is seen for the first time or has begun anew.
    pub(super) fn since_last(
        &mut self,
        series: u64,
        start: Option<Timestamp>,
        count: f64,
        sum: Option<f64>,
        mass: Mass,
    ) -> News {
        let now = Last {
            start,
            count,
            sum,
            mass,
        };
        let last = self.last.get(&series).filter(|last| now.goes_on_from(last));
        let news = match last {
            None => Self::whole(now.count, now.sum, &now.mass),
            Some(last) => {
                let sum = now.sum.zip(last.sum).map(|(now, last)| now - last);
                Self::whole(now.count - last.count, sum, &now.mass.without(&last.mass))
            }
        };
        self.last.put(series, now);
        if self.last.len() > MOST_SERIES {
            self.last.pop_lru();
        }
        news
    }
}

impl Last {
    fn goes_on_from(&self, last: &Last) -> bool {
        let same_layout = match (&self.mass.layout, &last.mass.layout) {
            (Layout::Explicit { key: now, .. }, Layout::Explicit { key: last, .. }) => now == last,
            // A coarser scale can be compared with; a finer one is a new beginning.
            (Layout::Exponential { scale: now }, Layout::Exponential { scale: last }) => now <= last,
            (Layout::None, Layout::None) => true,
            _ => false,
        };
        same_layout && self.start == last.start && self.count >= last.count
    }
}

impl Mass {
    /// A histogram with explicit bounds, the upper ones of its buckets but for the last, which may have none.
    pub(in super::super) fn explicit(bounds: impl Iterator<Item = f64>, counts: impl Iterator<Item = f64>) -> Mass {
        let bounds: Vec<f64> = bounds.take(MOST_BUCKETS).collect();
        let ascending = bounds.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
        let buckets: Vec<Bucket> = counts
            .take(MOST_BUCKETS + 1)
            .enumerate()
            .filter(|(_, count)| *count > 0.0)
            .map(|(at, count)| ((1, at as i64), count))
            .collect();
        let fits = buckets.last().is_none_or(|((_, at), _)| *at <= bounds.len() as i64);
        if bounds.is_empty() || bounds.len() >= MOST_BUCKETS || !ascending || !fits {
            return Mass::default();
        }
        let key = bounds
            .iter()
            .fold(0, |key, bound| xxh3_64_with_seed(&bound.to_le_bytes(), key));
        Mass {
            buckets,
            layout: Layout::Explicit { bounds, key },
        }
    }

    /// An exponential histogram: its bucket i holds what lies between base^i and base^(i + 1), base = 2^(2^−scale).
    pub(in super::super) fn exponential(scale: i64, halves: impl Iterator<Item = Bucket>, zeros: f64) -> Mass {
        let Some(scale) = i32::try_from(scale).ok().filter(|scale| (-20..=20).contains(scale)) else {
            return Mass::default();
        };
        let mut buckets: Vec<Bucket> = halves.collect();
        if zeros > 0.0 {
            buckets.push(((0, 0), zeros));
        }
        let mut mass = Mass {
            buckets,
            layout: Layout::Exponential { scale },
        };
        mass.sort();
        mass
    }

    /// The buckets of one sign, of which the first one is at this position.
    pub(in super::super) fn half(
        sign: i8,
        offset: i64,
        counts: impl Iterator<Item = f64>,
    ) -> impl Iterator<Item = Bucket> {
        counts
            .take(MOST_BUCKETS)
            .enumerate()
            .filter(|(_, count)| *count > 0.0)
            .map(move |(at, count)| ((sign, offset.saturating_add(at as i64)), count))
    }

    /// Values, and how often each was seen. They are not compared with those of the point before.
    pub(in super::super) fn values(seen: impl Iterator<Item = (f64, f64)>) -> Mass {
        let mut seen: Vec<(f64, f64)> = seen
            .filter(|(value, count)| value.is_finite() && *count > 0.0)
            .collect();
        order::sort_by_key(&mut seen, |(value, _)| !order::falling(*value));
        Mass {
            buckets: (0..).zip(&seen).map(|(at, (_, count))| ((1, at), *count)).collect(),
            layout: Layout::Values(seen.into_iter().map(|(value, _)| value).collect()),
        }
    }

    /// In the order of their values: the larger the position of a negative bucket, the smaller its values.
    fn sort(&mut self) {
        order::sort_by_key(&mut self.buckets, |((sign, at), _)| {
            order::rising(at.saturating_mul(i64::from(*sign)))
        });
        order::sort_by_key(&mut self.buckets, |((sign, _), _)| order::rising(i64::from(*sign)));
        self.buckets.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                earlier.1 += later.1;
            }
            same
        });
    }

    /// What is here and was not there; the layouts go together.
    fn without(&self, last: &Mass) -> Mass {
        let mut last = last.clone();
        if let (Layout::Exponential { scale: now }, Layout::Exponential { scale: then }) = (&self.layout, &last.layout)
        {
            let coarser = then.saturating_sub(*now).clamp(0, 63);
            for ((sign, at), _) in &mut last.buckets {
                *at = if *sign == 0 { 0 } else { *at >> coarser };
            }
            last.sort();
        }
        let buckets = self.buckets.iter().map(|(slot, count)| {
            let before = last.buckets.iter().find(|(other, _)| other == slot);
            (*slot, count - before.map_or(0.0, |(_, before)| *before))
        });
        Mass {
            buckets: buckets.filter(|(_, count)| *count > 0.0).collect(),
            layout: self.layout.clone(),
        }
    }

    /// Where a quantile lies, when values lie evenly within their bucket.
    fn quantile(&self, quantile: f64) -> Option<f64> {
        let total: f64 = self.buckets.iter().map(|(_, count)| count).sum();
        let mut rank = quantile * total;
        for (at, (slot, count)) in self.buckets.iter().enumerate() {
            if rank <= *count || at + 1 == self.buckets.len() {
                let (low, high) = self.range(*slot)?;
                return Some(low + (high - low) * (rank / count).clamp(0.0, 1.0));
            }
            rank -= count;
        }
        None
    }

    /// The bounds of a bucket. The last of explicit ones has none above: as in Prometheus it is taken to lie on its
    /// lower one.
    fn range(&self, (sign, at): Slot) -> Option<(f64, f64)> {
        match &self.layout {
            Layout::None => None,
            Layout::Explicit { bounds, .. } => {
                let at = usize::try_from(at).ok()?;
                let below = at.checked_sub(1).and_then(|below| bounds.get(below)).copied();
                let above = bounds.get(at).copied();
                let low = below.or(above.map(|above| above.min(0.0)))?;
                Some((low, above.unwrap_or(low)))
            }
            Layout::Exponential { scale } => {
                if sign == 0 {
                    return Some((0.0, 0.0));
                }
                let power = |at: i64| libm::exp2(at as f64 * libm::exp2(-f64::from(*scale)));
                let (near, far) = (power(at), power(at.saturating_add(1)));
                Some(if sign > 0 { (near, far) } else { (-far, -near) })
            }
            Layout::Values(values) => {
                let value = *values.get(usize::try_from(at).ok()?)?;
                Some((value, value))
            }
        }
    }
}
