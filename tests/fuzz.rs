//! The corpus of every fuzz target, replayed: what libFuzzer once found, and what is tricky about each format.

#[path = "fuzz/targets.rs"]
#[allow(unreachable_pub, reason = "elsewhere it is a library")]
mod targets;

use std::fs;
use std::panic;
use std::path::{Path, PathBuf};

use targets::TARGETS;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name)
}

/// The entries of a folder, sorted.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn names(paths: &[PathBuf]) -> Vec<String> {
    let mut names: Vec<String> = paths
        .iter()
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn every_target_holds_for_its_corpus() {
    let mut failed = Vec::new();
    for target in TARGETS {
        let inputs = entries(&folder("corpus").join(target));
        assert!(!inputs.is_empty(), "the corpus of {target} is empty");
        for path in inputs {
            let bytes = fs::read(&path).unwrap();
            // The file that fails is what one wants to know.
            if panic::catch_unwind(|| targets::run(target, &bytes)).is_err() {
                failed.push(path.display().to_string());
            }
        }
    }
    assert!(failed.is_empty(), "failed: {}", failed.join(", "));
}

#[test]
fn every_target_has_a_file_and_a_corpus() {
    let mut targets: Vec<String> = TARGETS.iter().map(|&target| target.to_owned()).collect();
    targets.sort();
    assert_eq!(names(&entries(&folder("targets"))), targets);
    assert_eq!(names(&entries(&folder("corpus"))), targets);
    let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
    for target in targets {
        assert!(
            manifest.contains(&format!("name = \"{target}\"")),
            "{target} is no [[bin]]"
        );
    }
}

/// What a snapshot is made of is not for people to write, so the corpus has only what is refused: here is one that is
/// taken, and all that a flipped bit makes of it.
#[test]
fn a_snapshot_with_a_flipped_bit_does_no_harm() {
    use watchpost_detector::wire::Format;
    use watchpost_detector::{Config, Detector, Input, Scorer};
    let mut scorer = Scorer::new(Detector::new(Config::default()));
    scorer.begin(Input::new(Format::Text));
    scorer.push(&fs::read(folder("corpus/text/iso")).unwrap(), &mut Vec::new());
    scorer.finish(&mut Vec::new());
    let snapshot = scorer.snapshot();
    targets::run("snapshot", &snapshot);
    for at in (0..snapshot.len()).step_by(snapshot.len() / 512 + 1) {
        let mut flipped = snapshot.clone();
        flipped[at] ^= 0x10;
        targets::run("snapshot", &flipped);
    }
    for end in (0..snapshot.len()).step_by(snapshot.len() / 64 + 1) {
        targets::run("snapshot", &snapshot[..end]);
    }
}
