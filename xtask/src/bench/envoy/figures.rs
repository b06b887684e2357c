//! Figures of rounds, and sizes.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use super::lane::Modules;

/// What came out over the rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of at least one value.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        let (half, is_odd) = (values.len() / 2, values.len() % 2 == 1);
        let median = if is_odd {
            at(half)
        } else {
            f64::midpoint(at(half.wrapping_sub(1)), at(half))
        };
        Spread {
            median,
            min: at(0),
            max: at(values.len().wrapping_sub(1)),
        }
    }
}

/// How large a module is, in bytes.
#[derive(Debug, Serialize)]
pub(crate) struct Size {
    pub(crate) module: &'static str,
    pub(crate) raw: usize,
    pub(crate) gzip: usize,
}

pub(crate) fn sizes(modules: &Modules) -> Result<Vec<Size>> {
    let size = |module: &'static str, file: &Path| -> Result<Size> {
        let bytes = fs::read(file).with_context(|| format!("read {}", file.display()))?;
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&bytes)?;
        Ok(Size {
            module,
            raw: bytes.len(),
            gzip: packed.finish()?.len(),
        })
    };
    Ok(vec![
        size("watchpost-envoy.wasm", &modules.watchpost)?,
        size("empty filter on the SDK", &modules.empty)?,
    ])
}

/// A count as a number to calculate with.
#[allow(clippy::cast_precision_loss, reason = "what is counted here is far below 2^52")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]).median, 2.0);
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]).median, 2.5);
        let one = Spread::of([5.0]);
        assert_eq!((one.min, one.median, one.max), (5.0, 5.0, 5.0));
    }
}
