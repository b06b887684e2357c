//! The state of a detector as bytes: magic, version, bounds and models, postcard, checksum.

use serde::{Serialize, de::DeserializeOwned};

use crate::config::{Bounds, Config, Models};
use crate::joint::JointModel;

const MAGIC: &[u8; 8] = b"wpstate\n";
/// Raised with every change of the state's layout.
const VERSION: u16 = 7;
const HEADER: usize = 8 + 2 + SHAPE;
/// Four bounds of four bytes, and a byte for each of the two lists of models.
const SHAPE: usize = 4 * 4 + 2;

/// A snapshot that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Not a snapshot at all.
    #[error("this is no state of a Watchpost detector")]
    Foreign,
    /// Written by a version whose state cannot be read.
    #[error(
        "the state has version {found} and this program reads version {VERSION}: \
         learn again from history (--warm-up), or use the version that wrote it"
    )]
    Version {
        /// The version it has.
        found: u16,
    },
    /// Damaged or cut off.
    #[error("the state is damaged or cut off: use an older one, or start without it")]
    Damaged,
    /// Made under other bounds, or with other models.
    #[error(
        "the state was made with another configuration, {differences}: configure the same as then, or start without \
         the state; the budget, rules and patterns may differ"
    )]
    Configuration {
        /// The fields that differ, with what they were and what they are now.
        differences: String,
    },
}

pub(crate) fn write<T: Serialize>(config: &Config, state: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 << 16);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&shape(config));
    let mut bytes = postcard::to_extend(state, bytes)
        .expect("every part of the state can be serialized and a Vec takes every byte");
    let checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

pub(crate) fn read<T: DeserializeOwned>(config: &Config, bytes: &[u8]) -> Result<T, SnapshotError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(SnapshotError::Foreign)?;
    let (version, rest) = rest.split_first_chunk().ok_or(SnapshotError::Damaged)?;
    let found = u16::from_le_bytes(*version);
    if found != VERSION {
        return Err(SnapshotError::Version { found });
    }
    let (stored, rest) = rest.split_first_chunk::<SHAPE>().ok_or(SnapshotError::Damaged)?;
    let (body, checksum) = rest.split_last_chunk().ok_or(SnapshotError::Damaged)?;
    let covered = bytes.get(..HEADER + body.len()).ok_or(SnapshotError::Damaged)?;
    if crc32fast::hash(covered) != u32::from_le_bytes(*checksum) {
        return Err(SnapshotError::Damaged);
    }
    let differences = differences(stored, &shape(config));
    if !differences.is_empty() {
        return Err(SnapshotError::Configuration { differences });
    }
    postcard::from_bytes(body).map_err(|_| SnapshotError::Damaged)
}

/// What shapes the state; budget and learning are policy and may change between save and load.
fn shape(config: &Config) -> [u8; SHAPE] {
    let Bounds {
        max_series,
        max_metrics,
        max_templates,
        max_routes,
    } = &config.bounds;
    let Models { together, lines } = &config.models;
    let mut bytes = [0; SHAPE];
    let bounds = [max_series, max_metrics, max_templates, max_routes];
    for (chunk, bound) in bytes.chunks_exact_mut(4).zip(bounds) {
        chunk.copy_from_slice(&bound.get().to_le_bytes());
    }
    for (byte, models) in bytes.iter_mut().skip(4 * bounds.len()).zip([together, lines]) {
        *byte = models.iter().fold(0, |bits, model| bits | model.bit());
    }
    bytes
}

/// The fields in which two shapes differ, as a person would write them.
fn differences(then: &[u8; SHAPE], now: &[u8; SHAPE]) -> String {
    const BOUNDS: [&str; 4] = ["max_series", "max_metrics", "max_templates", "max_routes"];
    let number = |chunk: &[u8]| {
        chunk
            .iter()
            .rev()
            .fold(0_u32, |number, byte| number << 8 | u32::from(*byte))
    };
    let bounds = BOUNDS.iter().zip(then.chunks_exact(4).zip(now.chunks_exact(4)));
    let bounds = bounds
        .filter(|(_, (then, now))| then != now)
        .map(|(name, (then, now))| format!("`bounds.{name}` was {} and is {}", number(then), number(now)));
    let models = ["together", "lines"].iter().zip(then.iter().zip(now).skip(16));
    let models = models
        .filter(|(_, (then, now))| then != now)
        .map(|(name, (then, now))| format!("`models.{name}` was {} and is {}", list(*then), list(*now)));
    bounds.chain(models).collect::<Vec<_>>().join(", ")
}

fn list(bits: u8) -> String {
    let models = JointModel::ALL.into_iter().filter(|model| bits & model.bit() != 0);
    let names: Vec<String> = models.map(|model| format!("\"{}\"", model.name())).collect();
    format!("[{}]", names.join(", "))
}
