//! What the plugin writes to Envoy's log: verdicts, the journal, and words.

use std::collections::BTreeMap;

use serde::Deserialize;
use watchpost_detector::{Anomaly, Phase, Timestamp};

/// A line that the plugin has written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line<'a> {
    pub(super) time: Timestamp,
    /// Envoy's thread, which each VM has to itself.
    pub(super) thread: u64,
    /// As Envoy calls it, for example `warning`.
    pub(super) level: &'a str,
    pub(super) message: &'a str,
}

/// A verdict as it stands in the log.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Verdict<'a> {
    pub(super) line: Line<'a>,
    pub(super) anomaly: Anomaly,
}

impl Verdict<'_> {
    pub(super) fn is_onset(&self) -> bool {
        self.anomaly.phase == Phase::Onset
    }

    /// Who is named, in a few words.
    pub(super) fn named(&self) -> String {
        let label = |name: &str| {
            let value = self.anomaly.subject.get(name)?;
            Some(format!("{name} {value}"))
        };
        let labels = ["client", "route", "upstream"].into_iter().filter_map(label);
        labels.collect::<Vec<_>>().join(", ")
    }
}

/// One entry of the journal of a VM.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Entry<'a> {
    /// What it saw, and the verdict on it as it was written.
    Exchange(Box<Seen>, &'a str),
    Tick(Timestamp),
}

/// An exchange as the journal tells it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Seen {
    pub(super) service: Option<String>,
    pub(super) exchange: Exchange,
}

/// A request with all that is known of it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exchange {
    pub(super) time: Timestamp,
    pub(super) method: Option<String>,
    pub(super) path: Option<String>,
    pub(super) route: Option<String>,
    pub(super) upstream: Option<String>,
    pub(super) client: Option<String>,
    pub(super) status: Option<u16>,
    pub(super) duration: Option<f64>,
    pub(super) bytes: Option<f64>,
    pub(super) flags: Option<String>,
}

/// What the plugin wrote to a log, line by line.
pub(super) fn lines(log: &str) -> Vec<Line<'_>> {
    log.lines().filter_map(line).collect()
}

/// `[2026-11-21 12:00:00.123][17][warning][wasm] [source/…cc:1370] wasm log NAME ROOT VM: message`.
fn line(text: &str) -> Option<Line<'_>> {
    let (prefix, rest) = text.split_once(" wasm log ")?;
    let (_, message) = rest.split_once(": ")?;
    let mut parts = prefix.strip_prefix('[')?.splitn(4, "][");
    let time = parts.next()?.replacen(' ', "T", 1);
    let time = serde_json::from_value(format!("{time}Z").into()).expect("Envoy's times are times");
    let thread = parts.next()?.parse().expect("Envoy's threads are numbers");
    Some(Line {
        time,
        thread,
        level: parts.next()?,
        message,
    })
}

/// The verdicts among lines, which are those that are one object of the canonical form.
pub(super) fn verdicts<'a>(lines: &[Line<'a>]) -> Vec<Verdict<'a>> {
    let verdict = |line: &Line<'a>| {
        line.message.starts_with("{\"timestamp\":").then(|| Verdict {
            line: *line,
            anomaly: serde_json::from_str(line.message).expect("a verdict is as docs/verdicts.md says"),
        })
    };
    lines.iter().filter_map(verdict).collect()
}

/// The journals of the VMs that kept one, by their number, and the thread that each ran on.
pub(super) fn journals<'a>(lines: &[Line<'a>]) -> BTreeMap<u64, (u64, Vec<Entry<'a>>)> {
    let mut journals = BTreeMap::new();
    for line in lines {
        let Some((vm, entry)) = line
            .message
            .strip_prefix("journal ")
            .and_then(|rest| rest.split_once(' '))
        else {
            continue;
        };
        let vm = vm.parse().expect("VMs are numbers");
        let (thread, entries) = journals.entry(vm).or_insert_with(|| (line.thread, Vec::new()));
        assert_eq!(*thread, line.thread, "VM {vm} has changed its thread");
        entries.push(entry_of(entry));
    }
    journals
}

fn entry_of(text: &str) -> Entry<'_> {
    if let Some(tick) = text.strip_prefix("{\"tick\":").and_then(|rest| rest.strip_suffix('}')) {
        return Entry::Tick(serde_json::from_str(tick).expect("a tick is a time"));
    }
    let seen = text
        .strip_prefix("{\"exchange\":")
        .and_then(|rest| rest.strip_suffix('}'))
        .unwrap_or_else(|| panic!("neither an exchange nor a tick: {text}"));
    // Quotes in strings are escaped, so that this is never a part of one.
    let verdict = seen
        .rsplit_once(",\"verdict\":")
        .and_then(|(_, rest)| rest.strip_suffix('}'));
    Entry::Exchange(
        serde_json::from_str(seen).unwrap_or_else(|error| panic!("{error}: {seen}")),
        verdict.unwrap_or_else(|| panic!("no verdict: {seen}")),
    )
}

#[test]
fn lines_of_a_log_are_read() {
    let log = "[2026-11-21 12:00:00.123][17][warning][wasm] [source/a/wasm/context.cc:1370] wasm log a b c: watchpost: hm: x\n\
               [2026-11-21 12:00:01.000][1][info][main] [source/server/server.cc:1] starting main dispatch loop\n\
               [2026-11-21 12:00:02.000][17][info][wasm] [source/a/wasm/context.cc:1370] wasm log a b c: \
               journal 3 {\"tick\":\"2026-11-21T12:00:02Z\"}\n\
               [2026-11-21 12:00:03.000][17][info][wasm] [source/a/wasm/context.cc:1370] wasm log a b c: \
               journal 3 {\"exchange\":{\"service\":\"shop\",\"exchange\":{\"time\":\"2026-11-21T12:00:02.5Z\",\"method\":\"GET\",\"path\":\"/\\\",\\\"verdict\\\":\",\
               \"status\":200,\"duration\":1.5},\"verdict\":{\"row\":1}}}\n";
    let lines = lines(log);
    assert_eq!(lines.len(), 3);
    assert_eq!((lines[0].level, lines[0].message), ("warning", "watchpost: hm: x"));
    let journals = journals(&lines);
    let (thread, entries) = &journals[&3];
    assert_eq!((*thread, entries.len()), (17, 2));
    let Entry::Exchange(seen, verdict) = &entries[1] else {
        panic!("an exchange");
    };
    assert_eq!(seen.service.as_deref(), Some("shop"));
    assert_eq!(seen.exchange.path.as_deref(), Some("/\",\"verdict\":"));
    assert_eq!(*verdict, "{\"row\":1}");
    assert_eq!(verdicts(&lines), []);
}
