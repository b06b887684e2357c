//! The documents of a release archive. They are those of the project at places of their own, so that the links between
//! them have to be led there; what is not in the archive is linked where the project is kept.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// Documents by their paths in the project, with their places in the archive.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    places: BTreeMap<PathBuf, String>,
    /// Where the rest of the project can be read, with a `/` at its end.
    elsewhere: String,
}

impl Documents {
    /// None yet.
    pub(crate) fn new(elsewhere: String) -> Documents {
        let places = BTreeMap::new();
        Documents { places, elsewhere }
    }

    /// A file of the project will be at this place.
    pub(crate) fn place(&mut self, path: impl Into<PathBuf>, place: impl Into<String>) {
        self.places.insert(path.into(), place.into());
    }

    /// The text of a document, with its links as they must be at its place.
    pub(crate) fn lead(&self, path: &Path, text: &str) -> String {
        let folder = path.parent().unwrap_or(Path::new(""));
        let depth = self.places.get(path).map_or(0, |place| place.matches('/').count());
        let mut led = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("](") {
            let Some((link, after)) = after.split_once(')') else {
                break;
            };
            led.push_str(before);
            led.push_str("](");
            led.push_str(&self.lead_link(folder, depth, link));
            led.push(')');
            rest = after;
        }
        led + rest
    }

    fn lead_link(&self, folder: &Path, depth: usize, link: &str) -> String {
        let (path, anchor) = match link.split_once('#') {
            Some((path, anchor)) => (path, format!("#{anchor}")),
            None => (link, String::new()),
        };
        if path.is_empty() || path.contains("://") {
            return link.to_owned();
        }
        let path = resolved(&folder.join(path));
        match self.places.get(&path) {
            Some(place) => "../".repeat(depth) + place + &anchor,
            None => format!("{}{}{anchor}", self.elsewhere, path.display()),
        }
    }
}

/// A path without `.` and `..`.
fn resolved(path: &Path) -> PathBuf {
    let mut resolved = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                resolved.pop();
            }
            Component::CurDir => {}
            other => resolved.push(other),
        }
    }
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_place_or_to_the_project() {
        let mut documents = Documents::new("https://example.com/".to_owned());
        documents.place("plugins/envoy/README.md", "README.md");
        documents.place("docs/verdicts.md", "docs/verdicts.md");
        documents.place("plugins/envoy/examples/filter.yaml", "examples/filter.yaml");
        let led = documents.lead(
            Path::new("plugins/envoy/README.md"),
            "[a](../../docs/verdicts.md#kinds) [b](examples/filter.yaml) [c](../README.md) [d](#e) [f](https://g)",
        );
        assert_eq!(
            led,
            "[a](docs/verdicts.md#kinds) [b](examples/filter.yaml) [c](https://example.com/plugins/README.md) [d](#e) \
             [f](https://g)"
        );
        let led = documents.lead(
            Path::new("docs/verdicts.md"),
            "[a](verdicts.md) [b](../plugins/envoy/README.md)",
        );
        assert_eq!(led, "[a](../docs/verdicts.md) [b](../README.md)");
    }
}
