//! Records in, records out.

use memchr::memchr2;
use serde::Deserialize;
use watchpost_detector::wire::Format;
use watchpost_detector::{
    Config, Detector, Emit, FieldName, Input, Relay, RelayConfig, Scorer, Timestamp, parse_document,
};

use crate::GIVEN;
use crate::memory::shrink;

/// What the module can be given in JSON: `{"detector": {…}, "relay": {…}}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Document {
    detector: Config,
    relay: RelayConfig,
}

impl Default for Document {
    fn default() -> Self {
        Document {
            detector: Config::default(),
            relay: RelayConfig {
                annotate: Some(FieldName::default()),
                ..RelayConfig::default()
            },
        }
    }
}

/// What becomes of records, one after the other.
pub(crate) struct Filter {
    /// Why records are not judged, when they are not.
    work: Result<Work, String>,
    /// The record as a line.
    line: Vec<u8>,
    said: Vec<u8>,
    aside: Vec<u8>,
    /// The answer to the last record.
    out: Vec<u8>,
}

struct Work {
    scorer: Scorer,
    relay: Relay,
}

impl Filter {
    /// From what the module was given; the first record is of this time.
    pub(crate) fn open(now: Timestamp) -> Self {
        Filter::new(Work::open(now))
    }

    /// Passes everything on and says why.
    pub(crate) fn idle(why: String) -> Self {
        Filter::new(Err(why))
    }

    fn new(work: Result<Work, String>) -> Self {
        Filter {
            work,
            line: Vec::new(),
            said: Vec::new(),
            aside: Vec::new(),
            out: Vec::new(),
        }
    }

    /// Judges a record, which is of this time if it does not tell its own.
    pub(crate) fn record(&mut self, record: &[u8], time: Timestamp) -> *const u8 {
        self.begin();
        self.line.extend_from_slice(record);
        // What ends a line or a text cannot stand in JSON but between its tokens, where it means nothing.
        if memchr2(b'\n', 0, record).is_some() {
            for byte in &mut self.line {
                if matches!(byte, b'\n' | 0) {
                    *byte = b' ';
                }
            }
        }
        self.line.push(b'\n');
        match &mut self.work {
            Ok(Work { scorer, relay }) => {
                scorer.set_time(time);
                scorer.push(&self.line, &mut self.said);
                relay.pass(&self.line, &self.said, &mut self.out, &mut self.aside);
            }
            Err(why) => tell(why, &self.line, &mut self.out),
        }
        self.end()
    }

    /// There was no memory for a record. Its tag and its time are still worth something, and nobody would miss it.
    pub(crate) fn lost(&mut self, len: usize) -> *const u8 {
        self.begin();
        let what = format!("a record of {len} bytes stood here, and there was no memory for it");
        tell(&what, b"{}\n", &mut self.out);
        self.end()
    }

    fn begin(&mut self) {
        for buffer in [&mut self.line, &mut self.said, &mut self.aside, &mut self.out] {
            buffer.clear();
            shrink(buffer);
        }
    }

    fn end(&mut self) -> *const u8 {
        self.out.pop_if(|last| *last == b'\n');
        self.out.push(0);
        self.out.as_ptr()
    }
}

impl Work {
    fn open(now: Timestamp) -> Result<Self, String> {
        let config = std::str::from_utf8(GIVEN.config().unwrap_or_default())
            .map_err(|_| "configuration: this is not UTF-8".to_owned())?;
        let Document { detector, relay } = match config.trim() {
            "" => Document::default(),
            config => parse_document(config).map_err(|error| format!("configuration: {error}"))?,
        };
        let detector = match GIVEN.state() {
            Some(state) => Detector::restore(detector, state).map_err(|error| error.to_string())?,
            None => Detector::new(detector),
        };
        let mut scorer = Scorer::new(detector);
        let year = now.to_string().get(..4).and_then(|year| year.parse().ok());
        let input = Input::new(Format::Ndjson);
        scorer.begin(Input {
            emit: Emit::All,
            line_by_line: true,
            year: year.unwrap_or(input.year),
            ..input
        });
        Ok(Work {
            scorer,
            relay: Relay::new(relay),
        })
    }
}

/// Passes a line on with something to be known in the place of a verdict.
fn tell(problem: &str, line: &[u8], out: &mut Vec<u8>) {
    let mut relay = Relay::new(RelayConfig {
        annotate: Some(FieldName::default()),
        ..RelayConfig::default()
    });
    let problem = serde_json::Value::from(problem);
    let said = format!("{{\"row\":0,\"problem\":{problem}}}\n");
    relay.pass(line, said.as_bytes(), out, &mut Vec::new());
}
