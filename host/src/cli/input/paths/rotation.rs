//! Rotated logs: `app.log.2.gz`, `app.log.1` and `app.log` are one log, the oldest part first.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

/// Sorts files by folder and name, and the parts of a rotated log by age.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    folder: PathBuf,
    /// The name that all parts have in common.
    base: String,
    /// The part that is written now comes last.
    is_current: bool,
    /// Digits of a date in the name.
    date: String,
    /// The higher, the older.
    number: Reverse<u32>,
    name: String,
}

impl Key {
    /// What all parts have in common.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.join(&self.base)
    }
}

/// Where a file stands among the others.
pub(super) fn key(path: &Path) -> Key {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let unpacked = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
    let (rest, number) = number(unpacked).map_or((unpacked, None), |(rest, number)| (rest, Some(number)));
    let (base, date) = date(rest).unwrap_or((rest, String::new()));
    Key {
        folder: path.parent().unwrap_or(Path::new("")).to_owned(),
        base: base.to_owned(),
        is_current: number.is_none() && date.is_empty(),
        date,
        number: Reverse(number.unwrap_or(0)),
        name,
    }
}

/// Puts the parts of each rotated log among these files, which are those at `named`, in order of time: a shell sorts
/// `app.log*` by name, which is the newest part first. Every part takes the place of a part. Returns the logs whose
/// order has changed.
pub(super) fn in_order(files: &mut [PathBuf], named: &[usize]) -> Vec<String> {
    let mut changed = Vec::new();
    let mut keyed: Vec<(Key, usize)> = named
        .iter()
        .filter_map(|at| Some((key(files.get(*at)?), *at)))
        .collect();
    keyed.sort();
    for parts in keyed.chunk_by(|(a, _), (b, _)| a.folder == b.folder && a.base == b.base) {
        let mut places: Vec<usize> = parts.iter().map(|(_, at)| *at).collect();
        if places.is_sorted() {
            continue;
        }
        let paths: Vec<PathBuf> = parts.iter().filter_map(|(_, at)| files.get(*at).cloned()).collect();
        places.sort_unstable();
        for (place, path) in places.into_iter().zip(paths) {
            if let Some(file) = files.get_mut(place) {
                *file = path;
            }
        }
        changed.extend(parts.first().map(|(key, _)| key.base.clone()));
    }
    changed
}

/// `app.log` and 2 of `app.log.2`. Four digits would be a year.
fn number(name: &str) -> Option<(&str, u32)> {
    let (rest, digits) = name.rsplit_once('.')?;
    let is_number = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && !rest.is_empty()).then_some(())?;
    Some((rest, digits.parse().ok()?))
}

/// `app.log` and 20261119 of `app.log-20261119` or `app.log.2026-11-19`; a time behind the date, or seconds since
/// 1970, count as well.
fn date(name: &str) -> Option<(&str, String)> {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '_' | 'T');
    let base = name.trim_end_matches(is_part);
    let tail = name.get(base.len()..)?;
    let is_apart = base.ends_with('.') || tail.starts_with(['-', '_']);
    let digits: String = tail.chars().filter(char::is_ascii_digit).collect();
    let is_date = (8..=14).contains(&digits.len()) && (digits.starts_with("19") || digits.starts_with("20"));
    let is_count = digits.len() == 10;
    let base = base.trim_end_matches('.');
    (is_apart && (is_date || is_count) && !base.is_empty()).then_some((base, digits))
}
