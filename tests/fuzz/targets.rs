//! What is tried with bytes from anywhere: every format, the configuration and the snapshot. libFuzzer makes the bytes
//! (`cargo xtask fuzz`), and an ordinary test takes those of the corpus.

use watchpost_detector::wire::{Format, Reader};
use watchpost_detector::{Config, Detector, Emit, Input, Scorer, Timestamp};

/// Every target: the formats under their names, and what else comes from outside. Each has a file in `targets/` and a
/// folder in `corpus/`.
pub const TARGETS: [&str; 14] = [
    "auto",
    "ndjson",
    "csv",
    "text",
    "logfmt",
    "syslog",
    "access",
    "envoy",
    "kubernetes",
    "otlp",
    "prometheus",
    "native-json",
    "config",
    "snapshot",
];

/// Longer inputs find nothing that shorter ones do not, and take longer.
const LONGEST: usize = 64 << 10;

/// Tries the bytes with a target; panics when something does not hold.
pub fn run(target: &str, bytes: &[u8]) {
    let bytes = bytes.get(..LONGEST).unwrap_or(bytes);
    match target {
        "config" => config(bytes),
        "snapshot" => snapshot(bytes),
        name => format(
            serde_json::from_value(name.into()).expect("every other target is called after a format"),
            bytes,
        ),
    }
}

/// The rows are the same however the input is cut, and the verdicts on them are lines of JSON.
fn format(format: Format, bytes: &[u8]) {
    let input = Input {
        emit: Emit::All,
        year: 2026,
        ..Input::new(format)
    };
    let whole = rows(&input, bytes, usize::MAX);
    for size in [1, 7, 4093] {
        assert_eq!(rows(&input, bytes, size), whole, "in chunks of {size} bytes");
    }
    let mut scorer = Scorer::new(Detector::new(Config::default()));
    let mut out = Vec::new();
    scorer.begin(input);
    for chunk in bytes.chunks(4093) {
        scorer.push(chunk, &mut out);
        // Whatever waits for more is handed on in between, as on a stream that pauses.
        scorer.flush(&mut out);
    }
    scorer.finish(&mut out);
    scorer.close(&mut out);
    for line in out.split_inclusive(|byte| *byte == b'\n') {
        let line: serde_json::Value = serde_json::from_slice(line).expect("every line is one JSON value");
        assert!(line.is_object());
    }
}

fn rows(input: &Input, bytes: &[u8], size: usize) -> Vec<String> {
    let mut rows = Vec::new();
    let mut reader = Reader::new(input, Some(Timestamp::from_seconds(1_795_165_200)));
    for chunk in bytes.chunks(size) {
        reader.read(chunk, &mut |row| rows.push(format!("{row:?}")));
    }
    reader.finish(&mut |row| rows.push(format!("{row:?}")));
    rows
}

/// A configuration that is taken is one that can be written and taken again.
fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(config) = Config::from_json(text) {
        let written = serde_json::to_string(&config).expect("a configuration is JSON");
        assert_eq!(Config::from_json(&written).as_ref(), Ok(&config));
    }
    // Why a text is refused is the caller's to read.
    let _ = Scorer::open(text, None).map_err(|error| error.to_string());
}

/// A snapshot that is taken is a detector that goes on.
fn snapshot(bytes: &[u8]) {
    match Detector::restore(Config::default(), bytes) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(detector) => {
            let again = detector.snapshot();
            Detector::restore(Config::default(), &again).expect("what was restored can be restored again");
            let mut scorer = Scorer::new(detector);
            let mut out = Vec::new();
            scorer.begin(Input::new(Format::Text));
            scorer.push(b"2026-11-20T09:00:00Z ERROR no more memory\n", &mut out);
            scorer.finish(&mut out);
            scorer.close(&mut out);
        }
    }
}
