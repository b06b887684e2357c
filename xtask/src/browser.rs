//! The playground in a real Chromium: `tests/browser`.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{debian, envoy, npm, process, wasm, www};

/// The filter with which `cargo xtask test` runs all of these tests.
const ALL: &str = "browser";

/// The packages of Debian, each unpacked in the folder of this name. The shell is Chromium without its window and without
/// what talks to Google, so that everything that leaves the machine is the page's doing.
const PACKAGES: [(&str, &str); 2] = [("chromium-headless-shell", "chromium"), ("fonts-dejavu-core", "fonts")];

/// The fonts that were unpacked and no others: text is as wide on every machine.
const FONTS: &str = r#"<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">fonts/usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
  <alias><family>sans-serif</family><prefer><family>DejaVu Sans</family></prefer></alias>
  <alias><family>serif</family><prefer><family>DejaVu Serif</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
"#;

/// What the tests are run with, all of it below the target directory.
pub(crate) struct Browser {
    folder: PathBuf,
}

/// The tests' files of which some are meant by the filter; all of them without one.
pub(crate) fn meant(filter: Option<&str>) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(sources()).context("read tests/browser")? {
        let path = entry?.path();
        if !path.to_string_lossy().ends_with(".test.mjs") {
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let is_meant = filter.is_none_or(|filter| filter == ALL || names(&text).any(|name| name.contains(filter)));
        if is_meant {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Chromium and a font as Debian has them, and the packages that drive it.
pub(crate) fn installed() -> Result<Browser> {
    if !process::exists("node") || !process::exists("npm") {
        bail!("there is no node or no npm");
    }
    let folder = process::target().join("browser");
    for (package, name) in PACKAGES {
        let unpacked = debian::unpack(package, &folder.join(name))?;
        println!("{name}: {}", unpacked.join(", "));
    }
    let fonts = folder.join("fonts.conf");
    fs::write(&fonts, FONTS).with_context(|| format!("write {}", fonts.display()))?;
    npm::install(&sources(), &folder.join("npm"))?;
    Ok(Browser { folder })
}

impl Browser {
    /// Runs the tests in these files whose names contain the filter.
    pub(crate) fn test(&self, files: &[PathBuf], filter: Option<&str>) -> Result<()> {
        let mut node = Command::new("node");
        // One after the other: a browser keeps two cores busy.
        node.args(["--test", "--test-concurrency=1", "--test-reporter=spec"]);
        if let Some(filter) = filter.filter(|filter| *filter != ALL) {
            node.arg(format!("--test-name-pattern={}", literally(filter)));
        }
        node.args(files)
            .env("WATCHPOST_BROWSER", &self.folder)
            .env("WATCHPOST_SITE", site()?)
            .env("WATCHPOST_PROGRAM", process::target().join("debug").join("watchpost"))
            .env("WATCHPOST_CACHE_DIR", process::target().join("cache"));
        if process::exists("python3") {
            node.env("WATCHPOST_ENVOY", envoy::binary()?)
                .env("WATCHPOST_ENVOY_MODULE", wasm::folder().join("watchpost-envoy.wasm"));
        }
        process::run(&mut node)
    }
}

/// The folder with the playground: one that was built elsewhere, or our own.
fn site() -> Result<PathBuf> {
    match env::var_os("WATCHPOST_SITE") {
        Some(folder) => Ok(folder.into()),
        None => www::build(),
    }
}

fn sources() -> PathBuf {
    watchpost_guests::root().join("tests").join("browser")
}

/// The names of the tests in a file, which formatting keeps on the line that they begin on.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("test(\"")?.split('"').next())
}

/// The regular expression that stands for this text.
fn literally(text: &str) -> String {
    let mut expression = String::new();
    for letter in text.chars() {
        if letter.is_ascii_punctuation() {
            expression.push('\\');
        }
        expression.push(letter);
    }
    expression
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_has_a_name() {
        let text = "import x;\ntest(\"a file is dropped\", async () => {\n  test(\"no\");\n});\n";
        assert_eq!(names(text).collect::<Vec<_>>(), ["a file is dropped"]);
    }

    #[test]
    fn a_filter_is_no_expression() {
        assert_eq!(literally("100 MB (gz)"), r"100 MB \(gz\)");
    }
}
