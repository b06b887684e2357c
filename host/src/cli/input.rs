//! Inputs as the command line names them: files, folders, patterns and standard input, packed or not.

mod paths;
mod sniff;
mod source;

use std::path::PathBuf;

use watchpost_detector::Role;

use super::console::Console;
use super::exit::Usage;

pub(crate) use sniff::BY_NAME;
pub(crate) use source::{Message, Source, read};

/// The inputs that are meant by these paths, each list of them for what it is for, in the order in which they are read.
/// Says what was left out, and fails when something is not there.
pub(crate) fn find(given: &[(&[PathBuf], Role)], console: &Console) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for (paths, role) in given {
        let found = paths::find(paths)?;
        for log in &found.reordered {
            console.note(format_args!("{log}: its parts are read oldest first"));
        }
        let (lost, skipped): (Vec<_>, Vec<_>) = found.skipped.into_iter().partition(|skipped| skipped.is_lost);
        if !skipped.is_empty() {
            console.note(paths::told(&skipped));
        }
        if !lost.is_empty() {
            console.problem(paths::told(&lost));
        }
        sources.extend(found.files.iter().map(|path| Source::new(path, *role)));
    }
    if sources.iter().filter(|source| source.is_stdin()).count() > 1 {
        let message = "standard input can be read only once; name a file for the others";
        return Err(Usage(message.to_owned()).into());
    }
    sources.iter().try_for_each(Source::check)?;
    Ok(sources)
}
