//! The state of a detector as bytes: magic, version, a digest of bounds and models, postcard, checksum.

use serde::{Serialize, de::DeserializeOwned};
use xxhash_rust::xxh3::xxh3_64;

use crate::config::{Bounds, Config, Models};

const MAGIC: &[u8; 8] = b"wpstate\n";
/// Raised with every change of the state's layout.
const VERSION: u16 = 6;
const HEADER: usize = 8 + 2 + 8;

/// A snapshot that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Not a snapshot at all.
    #[error("this is not a snapshot of a Watchpost detector")]
    Foreign,
    /// Written by a version whose state cannot be read.
    #[error(
        "the snapshot has state version {found} and this program reads version {VERSION}: \
         learn again from history (--warm-up), or use the version that wrote it"
    )]
    Version {
        /// The version it has.
        found: u16,
    },
    /// Damaged or cut off.
    #[error("the snapshot is damaged or cut off: use an older one, or start without it")]
    Damaged,
    /// Made under other bounds, or with other models.
    #[error(
        "the snapshot was made under other `bounds` or with other `models`: use the configuration that it was made \
         with, or start without it"
    )]
    Bounds,
}

pub(crate) fn write<T: Serialize>(config: &Config, state: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 << 16);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&digest(config).to_le_bytes());
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
    let (stored, rest) = rest.split_first_chunk().ok_or(SnapshotError::Damaged)?;
    let (body, checksum) = rest.split_last_chunk().ok_or(SnapshotError::Damaged)?;
    let covered = bytes.get(..HEADER + body.len()).ok_or(SnapshotError::Damaged)?;
    if crc32fast::hash(covered) != u32::from_le_bytes(*checksum) {
        return Err(SnapshotError::Damaged);
    }
    if u64::from_le_bytes(*stored) != digest(config) {
        return Err(SnapshotError::Bounds);
    }
    postcard::from_bytes(body).map_err(|_| SnapshotError::Damaged)
}

/// Covers what shapes the state; budget and learning are policy and may change between save and load.
fn digest(config: &Config) -> u64 {
    let Bounds {
        max_series,
        max_metrics,
        max_templates,
        max_routes,
    } = &config.bounds;
    let Models { together, lines } = &config.models;
    let mut bytes = [0; 18];
    let bounds = [max_series, max_metrics, max_templates, max_routes];
    for (chunk, bound) in bytes.chunks_exact_mut(4).zip(bounds) {
        chunk.copy_from_slice(&bound.get().to_le_bytes());
    }
    for (byte, models) in bytes.iter_mut().skip(16).zip([together, lines]) {
        *byte = models.iter().fold(0, |bits, model| bits | model.bit());
    }
    xxh3_64(&bytes)
}
