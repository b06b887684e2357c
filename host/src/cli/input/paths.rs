//! Which files are meant: folders and patterns become the files in them, and rotated logs come in order of time.

mod rotation;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use walkdir::WalkDir;

use super::sniff::Packing;

/// What a list of paths comes to.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The files in the order in which they are read; `-` is standard input.
    pub(super) files: Vec<PathBuf>,
    /// What was found in folders and by patterns and is not read.
    pub(super) skipped: Vec<Skipped>,
    /// Rotated logs that were given in another order than that of time.
    pub(super) reordered: Vec<String>,
    /// Where the files are that nobody has named, without links: one file behind two names is read once.
    places: BTreeMap<PathBuf, PathBuf>,
}

/// A file that is not read, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Skipped {
    pub(super) path: PathBuf,
    pub(super) reason: String,
    /// It may well have been wanted.
    pub(super) is_lost: bool,
}

/// Finds the files that are meant: a file is itself, a folder all files in it at any depth, and a pattern (`*`, `?`,
/// `[a-z]`, `**`) that the shell has left alone every file and folder that it matches.
///
/// A file that is named is read whatever it is; of what is found, hidden files and what is certainly no text is left
/// out.
pub(super) fn find(given: &[PathBuf]) -> anyhow::Result<Found> {
    let mut found = Found::default();
    let mut named = Vec::new();
    for path in given {
        if path == Path::new("-") {
            found.files.push(path.clone());
            continue;
        }
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                let before = (found.files.len(), found.skipped.len());
                found.walk(path, true);
                if found.files.len() == before.0 {
                    let skipped = found.skipped.get(before.1..).unwrap_or_default();
                    bail!("{}", nothing_in(path, skipped));
                }
            }
            Ok(_) => {
                named.push(found.files.len());
                found.files.push(path.clone());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if is_pattern(path) {
                    found.matching(path)?;
                } else {
                    bail!("{}", not_there(path));
                }
            }
            Err(error) => return Err(unreadable(&error, path)),
        }
    }
    found.reordered = rotation::in_order(&mut found.files, &named);
    Ok(found)
}

/// The log that a file is a part of: its path without what rotation has added.
pub(super) fn log(path: &Path) -> PathBuf {
    rotation::key(path).log()
}

/// Fails when a file cannot be opened, before anything was read.
pub(super) fn check(path: &Path) -> anyhow::Result<()> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(&error, path))?;
    // Only plain files: opening and closing a named pipe would end the program that writes into it.
    if metadata.is_file() {
        File::open(path).map_err(|error| unreadable(&error, path))?;
    }
    Ok(())
}

impl Found {
    /// Takes the files below a folder, sorted by name.
    fn walk(&mut self, folder: &Path, follow_links: bool) {
        let mut files = Vec::new();
        let is_shown = |entry: &walkdir::DirEntry| entry.depth() == 0 || !is_hidden(entry.file_name());
        // Links in a folder that was named are followed: the logs of Kubernetes' containers are all behind them. walkdir
        // finds loops.
        let entries = WalkDir::new(folder).follow_links(follow_links).sort_by_file_name();
        for entry in entries.into_iter().filter_entry(is_shown) {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {}
                Ok(entry) if entry.path_is_symlink() && entry.path().is_dir() => {}
                Ok(entry) => self.sieve(entry.into_path(), &mut files),
                Err(error) => {
                    let path = error.path().unwrap_or(folder).to_owned();
                    self.skipped.push(match error.io_error() {
                        Some(error) => Skipped::failed(path, error),
                        None => Skipped::new(path, "it leads back to a folder above it"),
                    });
                }
            }
        }
        files.sort_by_cached_key(|path| rotation::key(path));
        self.files.append(&mut files);
    }

    /// Takes what a pattern matches.
    fn matching(&mut self, pattern: &Path) -> anyhow::Result<()> {
        let text = pattern
            .to_str()
            .with_context(|| format!("{}: a pattern has to be UTF-8", pattern.display()))?;
        let options = glob::MatchOptions {
            require_literal_leading_dot: true,
            ..glob::MatchOptions::default()
        };
        let is_no_pattern = |error: glob::PatternError| anyhow::anyhow!("{text}: this is no pattern: {}", error.msg);
        let (files_before, skipped_before) = (self.files.len(), self.skipped.len());
        let mut files = Vec::new();
        let mut matched = false;
        if let Some(above) = above_any_depth(text) {
            let pattern = glob::Pattern::new(text).map_err(is_no_pattern)?;
            for folder in glob::glob_with(above, options).map_err(is_no_pattern)?.flatten() {
                matched |= self.matching_below(&folder, &pattern, options, &mut files);
            }
        } else {
            for path in glob::glob_with(text, options).map_err(is_no_pattern)? {
                matched = true;
                match path {
                    Ok(path) if path.is_dir() => self.walk(&path, true),
                    Ok(path) => self.sieve(path, &mut files),
                    Err(error) => self
                        .skipped
                        .push(Skipped::failed(error.path().to_owned(), error.error())),
                }
            }
        }
        files.sort_by_cached_key(|path| rotation::key(path));
        self.files.append(&mut files);
        if !matched {
            bail!("{}", no_match(pattern));
        }
        if self.files.len() == files_before {
            let skipped = self.skipped.get(skipped_before..).unwrap_or_default();
            bail!("{}", nothing_in(pattern, skipped));
        }
        Ok(())
    }

    /// Takes what a pattern with `**` matches below a folder. Links to folders are not followed: a link that leads back
    /// would make the same files match at any depth.
    fn matching_below(
        &mut self,
        folder: &Path,
        pattern: &glob::Pattern,
        options: glob::MatchOptions,
        files: &mut Vec<PathBuf>,
    ) -> bool {
        let options = glob::MatchOptions {
            require_literal_separator: true,
            ..options
        };
        let mut matched = false;
        let mut entries = WalkDir::new(folder).sort_by_file_name().into_iter();
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let path = error.path().unwrap_or(folder).to_owned();
                    if let Some(error) = error.io_error() {
                        self.skipped.push(Skipped::failed(path, error));
                    }
                    continue;
                }
            };
            let path = entry.path().strip_prefix(".").unwrap_or(entry.path());
            if !pattern.matches_path_with(path, options) {
                continue;
            }
            matched = true;
            let path = path.to_owned();
            if entry.file_type().is_dir() {
                self.walk(&path, false);
                entries.skip_current_dir();
            } else if path.is_dir() {
                self.skipped.push(Skipped::new(path, "a link to a folder"));
            } else {
                self.sieve(path, files);
            }
        }
        matched
    }

    /// Takes a file that nobody has named, unless it is certainly no text.
    fn sieve(&mut self, path: PathBuf, files: &mut Vec<PathBuf>) {
        if let Some(kind) = path.file_name().and_then(by_name) {
            self.skipped.push(Skipped::new(path, kind));
            return;
        }
        match by_content(&path) {
            Err(error) => self.skipped.push(Skipped::failed(path, &error)),
            Ok(kind) => match kind.or_else(|| self.known(&path)) {
                Some(reason) => self.skipped.push(Skipped::new(path, reason)),
                None => files.push(path),
            },
        }
    }

    /// Why a file is not read again.
    fn known(&mut self, path: &Path) -> Option<String> {
        let place = fs::canonicalize(path).ok()?;
        match self.places.entry(place) {
            Entry::Occupied(first) => Some(format!("the same file as {}", first.get().display())),
            Entry::Vacant(vacant) => {
                vacant.insert(path.to_owned());
                None
            }
        }
    }
}

impl Skipped {
    fn new(path: PathBuf, reason: impl Into<String>) -> Self {
        Skipped {
            path,
            reason: reason.into(),
            is_lost: false,
        }
    }

    fn failed(path: PathBuf, error: &io::Error) -> Self {
        let reason = match error.kind() {
            io::ErrorKind::PermissionDenied => "no permission to read it".to_owned(),
            io::ErrorKind::NotFound => "a link that leads nowhere".to_owned(),
            _ => error.to_string(),
        };
        Skipped {
            path,
            reason,
            is_lost: error.kind() != io::ErrorKind::NotFound,
        }
    }
}

/// Says what was skipped, in one sentence.
pub(super) fn told(skipped: &[Skipped]) -> String {
    const SHOWN: usize = 5;
    let shown = skipped
        .iter()
        .take(SHOWN)
        .map(|skipped| format!("{} ({})", skipped.path.display(), skipped.reason))
        .collect::<Vec<_>>()
        .join(", ");
    match skipped.len() {
        1 => format!("skipped {shown}"),
        count if count <= SHOWN => format!("skipped {count} files: {shown}"),
        count => format!("skipped {count} files: {shown} and {} more", count - SHOWN),
    }
}

/// Names that are never a log, by their endings.
const KINDS: [(&str, &[&str]); 8] = [
    ("a picture", &["png", "jpg", "jpeg", "gif", "ico", "webp", "svg", "bmp"]),
    ("a recording", &["mp3", "mp4", "wav", "avi", "mkv", "webm", "ogg"]),
    (
        "a document",
        &["pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "odt", "ods"],
    ),
    (
        "an archive",
        &[
            "zip", "tar", "tgz", "tbz2", "txz", "rar", "7z", "jar", "war", "deb", "rpm",
        ],
    ),
    (
        "a program",
        &["exe", "dll", "so", "dylib", "a", "o", "class", "pyc", "wasm", "bin"],
    ),
    ("a database", &["db", "sqlite", "sqlite3", "mdb", "ldb", "rdb"]),
    ("a binary log", &["journal", "evtx", "etl", "pcap", "pcapng"]),
    ("a binary table", &["parquet", "orc", "avro", "arrow", "feather"]),
];

/// What a file is by its name, when that is nothing to be read.
fn by_name(name: &OsStr) -> Option<&'static str> {
    let name = name.to_str()?.to_ascii_lowercase();
    let (base, packed) = match name.strip_suffix(".gz").or(name.strip_suffix(".zst")) {
        Some(base) => (base, true),
        None => (name.as_str(), false),
    };
    if packed && base.ends_with(".tar") {
        return Some("an archive");
    }
    let ending = base.rsplit_once('.')?.1;
    KINDS
        .iter()
        .find(|(_, endings)| endings.contains(&ending))
        .map(|(kind, _)| *kind)
}

/// What a file is by its beginning, when that is nothing to be read.
fn by_content(path: &Path) -> io::Result<Option<String>> {
    if !fs::metadata(path)?.is_file() {
        return Ok(Some("no plain file".to_owned()));
    }
    let mut beginning = Vec::new();
    File::open(path)?.take(1 << 10).read_to_end(&mut beginning)?;
    if beginning.is_empty() {
        return Ok(Some("empty".to_owned()));
    }
    Ok(match Packing::of(&beginning) {
        Some(Packing::Foreign(name, program)) => Some(format!(
            "packed with {name}: `{program} FILE` unpacks it, and `-` reads a pipe"
        )),
        Some(Packing::Gzip | Packing::Zstd) => None,
        _ => beginning.contains(&0).then(|| "not text".to_owned()),
    })
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

fn is_pattern(path: &Path) -> bool {
    path.as_os_str()
        .as_encoded_bytes()
        .iter()
        .any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// The part of a pattern above its first `**`, `.` where there is none; nothing of a pattern without `**`.
fn above_any_depth(pattern: &str) -> Option<&str> {
    let at = pattern.split('/').position(|part| part == "**")?;
    let length = pattern.split('/').take(at).map(|part| part.len() + 1).sum::<usize>();
    Some(match pattern.get(..length)? {
        "" => ".",
        "/" => "/",
        above => above.trim_end_matches('/'),
    })
}

fn unreadable(error: &io::Error, path: &Path) -> anyhow::Error {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            anyhow::anyhow!("{path}: no permission to read it; run watchpost as a user who has it")
        }
        io::ErrorKind::NotFound => anyhow::anyhow!("{path}: there is no such file"),
        _ => anyhow::anyhow!("{path}: {error}"),
    }
}

fn nothing_in(path: &Path, skipped: &[Skipped]) -> String {
    let path = path.display();
    if skipped.is_empty() {
        format!("{path}: there are no files to read in this folder")
    } else {
        format!("{path}: there is nothing here to read; {}", told(skipped))
    }
}

fn no_match(pattern: &Path) -> String {
    let is_plain = |folder: &&Path| !is_pattern(folder) && !folder.as_os_str().is_empty();
    let folder = pattern.ancestors().skip(1).find(is_plain).unwrap_or(Path::new("."));
    let pattern = pattern.display();
    if folder.is_dir() {
        format!("{pattern}: no file matches this pattern")
    } else {
        format!(
            "{pattern}: no file matches this pattern: there is no folder {}",
            folder.display()
        )
    }
}

/// Says that a file is not there, and names the one that was probably meant.
fn not_there(path: &Path) -> String {
    let mut message = format!("{}: there is no such file", path.display());
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let Some(name) = path.file_name().and_then(OsStr::to_str) else {
        return message;
    };
    if !folder.is_dir() {
        return format!("{message}; there is no folder {} either", folder.display());
    }
    let names = fs::read_dir(folder).into_iter().flatten().take(1_000);
    let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let nearest = names
        .filter(|other| !other.starts_with('.'))
        .map(|other| (strsim::normalized_damerau_levenshtein(name, &other), other))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|(a, left), (b, right)| a.total_cmp(b).then_with(|| right.cmp(left)));
    if let Some((_, nearest)) = nearest {
        message.push_str("; did you mean ");
        message.push_str(&path.with_file_name(nearest).display().to_string());
        message.push('?');
    }
    message
}
