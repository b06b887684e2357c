//! What holds for every format, and how the tests of each format read an input.

use proptest::prelude::*;

use super::{Format, MAX_LINE_BYTES, Reader, Row, recycle};
use crate::event::{Event, Subject, Timestamp};
use crate::scorer::Input;

/// The rows of an input that comes in these chunks, one line of text each.
pub(super) fn rows_of_chunks(input: &Input, chunks: &[&[u8]]) -> Vec<String> {
    let mut rows = Vec::new();
    let mut reader = Reader::new(input, None);
    for chunk in chunks {
        reader.read(chunk, &mut |row| rows.push(shown(&row)));
    }
    reader.finish(&mut |row| rows.push(shown(&row)));
    rows
}

pub(super) fn rows(input: &Input, bytes: &[u8]) -> Vec<String> {
    rows_of_chunks(input, &[bytes])
}

/// The rows of an input of this format, which are the same wherever it is cut in two.
pub(super) fn check(format: Format, text: &str, expected: &[&str]) {
    check_input(&Input::new(format), text.as_bytes(), expected);
}

pub(super) fn check_input(input: &Input, bytes: &[u8], expected: &[&str]) {
    assert_eq!(rows(input, bytes), expected, "of {:?}", String::from_utf8_lossy(bytes));
    if bytes.len() < 2_000 {
        for cut in 0..=bytes.len() {
            let (left, right) = bytes.split_at(cut);
            assert_eq!(rows_of_chunks(input, &[left, right]), expected, "cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(rows_of_chunks(input, &single), expected, "byte by byte");
    }
}

pub(super) fn shown(row: &Row<'_>) -> String {
    match row {
        Row::Event(Event::Sample(sample)) => {
            let mut text = format!("{}{}", sample.time, labels(&sample.subject));
            for value in sample.values {
                text.push_str(&format!(" {}={}", value.metric, value.value.value()));
            }
            text
        }
        Row::Event(Event::Log(record)) => {
            let level = record.level.map_or("-", crate::event::Level::name);
            let session = record.session.map_or(String::new(), |session| format!(" <{session}>"));
            let fields: Vec<_> = record
                .fields
                .iter()
                .map(|field| format!("{}={}", field.metric, field.value.value()))
                .collect();
            let fields = if fields.is_empty() {
                String::new()
            } else {
                format!(" [{}]", fields.join(" "))
            };
            format!(
                "{}{} {level}{session}: {}{fields}",
                record.time,
                labels(&record.subject),
                record.message
            )
        }
        Row::Event(Event::Request(request)) => {
            let number =
                |value: Option<crate::event::Finite>| value.map_or("-".to_owned(), |value| value.value().to_string());
            let text = |value: Option<&str>| value.map_or("-".to_owned(), str::to_owned);
            format!(
                "{}{} {} {} {} {} ms {} B, route {}, upstream {}, client {}, flags {}",
                request.time,
                labels(&request.subject),
                text(request.method),
                text(request.path),
                request.status.map_or("-".to_owned(), |status| status.to_string()),
                number(request.duration),
                number(request.bytes),
                text(request.route),
                text(request.upstream),
                text(request.client),
                text(request.flags),
            )
        }
        Row::Continues => "continues".to_owned(),
        Row::Found(_, note) => format!("note: {note}"),
        Row::Blank => "blank".to_owned(),
        Row::Bad(problem) => {
            let field = problem
                .field
                .as_deref()
                .map_or(String::new(), |field| format!(" [{field}]"));
            format!("line {}{field}: {}", problem.line, problem.message)
        }
    }
}

fn labels(subject: &Subject<'_>) -> String {
    let labels: Vec<_> = subject
        .labels()
        .iter()
        .map(|label| format!("{}={}", label.name, label.value))
        .collect();
    if labels.is_empty() {
        String::new()
    } else {
        format!(" {{{}}}", labels.join(" "))
    }
}

#[test]
fn memory_is_used_again() {
    let mut spent: Vec<&'static str> = Vec::with_capacity(10);
    spent.push("a");
    let at = spent.as_ptr();
    let again: Vec<&str> = recycle(spent);
    assert_eq!((again.len(), again.capacity(), again.as_ptr()), (0, 10, at));
}

#[test]
fn rows_without_a_time_are_an_interval_apart_after_the_last_event() {
    let mut input = Input::new(Format::Text);
    input.interval_seconds = 0.5.try_into().unwrap();
    let mut reader = Reader::new(&input, Some(Timestamp::from_seconds(100)));
    let mut times = Vec::new();
    let mut note = |row: Row<'_>| times.push(shown(&row));
    reader.read(b"one\ntwo\n", &mut note);
    reader.flush(&mut note);
    assert_eq!(times, ["1970-01-01T00:01:40.5Z -: one", "1970-01-01T00:01:41Z -: two"]);
    assert!(reader.assumed_interval());
}

#[test]
fn once_a_time_is_stated_rows_without_one_share_it() {
    let mut reader = Reader::new(&Input::new(Format::Text), None);
    let mut times = Vec::new();
    let mut note = |row: Row<'_>| times.push(shown(&row));
    reader.read(b"2026-11-20T09:00:00Z failed\nINFO main\nINFO start\n", &mut note);
    reader.finish(&mut note);
    assert_eq!(
        times,
        [
            "2026-11-20T09:00:00Z -: failed",
            "2026-11-20T09:00:00Z info: main",
            "2026-11-20T09:00:00Z info: start",
        ]
    );
    assert!(!reader.assumed_interval());
}

#[test]
fn rows_before_the_first_time_have_it_where_the_format_is_found_out() {
    let text = "== Server started ==\nlog level: info\n2026-11-20T09:00:00Z up\n2026-11-20T09:00:01Z ready\n";
    let expected = [
        "note: read as log lines: its first lines fit no other format",
        "2026-11-20T09:00:00Z -: == Server started ==",
        "2026-11-20T09:00:00Z -: log level: info",
        "2026-11-20T09:00:00Z -: up",
        "2026-11-20T09:00:01Z -: ready",
    ];
    let input = Input::new(Format::Auto);
    assert_eq!(rows(&input, text.as_bytes()), expected);
    let pieces: Vec<&[u8]> = text.as_bytes().chunks(7).collect();
    assert_eq!(rows_of_chunks(&input, &pieces), expected);
    // Also where the only time is that of the last line, and where an input came before.
    let last = Some(Timestamp::from_seconds(1_000));
    let mut reader = Reader::new(&input, last);
    let mut found = Vec::new();
    reader.read(b"== Server started ==\n2026-11-20T09:00:00Z up", &mut |row| {
        found.push(shown(&row));
    });
    reader.finish(&mut |row| found.push(shown(&row)));
    assert_eq!(found[1..], [expected[1], expected[3]]);
    assert!(!reader.assumed_interval());
}

#[test]
fn objects_behind_a_banner_are_json() {
    let text = "> node server.js\n{\"time\":\"2026-11-20T09:00:00Z\",\"msg\":\"up\"}\n\
        {\"time\":\"2026-11-20T09:00:01Z\",\"msg\":\"ready\"}\n";
    assert_eq!(
        rows(&Input::new(Format::Auto), text.as_bytes()),
        [
            "note: read as JSON: its first lines are objects",
            "2026-11-20T09:00:00Z -: > node server.js",
            "2026-11-20T09:00:00Z -: up",
            "2026-11-20T09:00:01Z -: ready",
        ]
    );
}

#[test]
fn what_comes_line_by_line_is_not_looked_through_for_a_time() {
    let text = b"== Server started ==\n2026-11-20T09:00:00Z up\n";
    for cut in [21, text.len()] {
        let mut reader = Reader::new(&Input::new(Format::Auto), None);
        let (start, rest) = text.split_at(cut);
        let mut found = Vec::new();
        let mut note = |row: Row<'_>| found.push(shown(&row));
        let super::Found::Now(bytes) = reader.find_out(start, &mut note) else {
            panic!("a line is enough");
        };
        reader.read(&bytes, &mut note);
        reader.read(rest, &mut note);
        reader.finish(&mut note);
        assert_eq!(
            found[1..],
            [
                "1970-01-01T00:00:00Z -: == Server started ==",
                "2026-11-20T09:00:00Z -: up"
            ]
        );
    }
}

#[test]
fn times_that_name_no_year_go_on_in_the_next_one_and_are_not_in_the_future() {
    let text = "Dec 31 23:59:58 db cart: one\nJan  1 00:00:01 db cart: two\nDec 31 23:59:59 db cart: late\n\
        Jan  1 00:00:03 db cart: three\nMar  1 00:00:00 db cart: four\n";
    let years = |read_at: Option<&str>| {
        let mut input = Input::new(Format::Syslog);
        input.year = 2026;
        input.read_at = read_at.map(|time| serde_json::from_value(time.into()).unwrap());
        let mut reader = Reader::new(&input, None);
        let mut years = Vec::new();
        let mut note = |row: Row<'_>| years.push(shown(&row)[..10].to_owned());
        reader.read(text.as_bytes(), &mut note);
        reader.finish(&mut note);
        (years, reader.assumed_year())
    };
    let expected = |first: u16, next: u16| {
        let day = |year: u16, day: &str| format!("{year}-{day}");
        vec![
            day(first, "12-31"),
            day(next, "01-01"),
            day(first, "12-31"),
            day(next, "01-01"),
            day(next, "03-01"),
        ]
    };
    assert_eq!(years(None), (expected(2026, 2027), Some(2026)));
    // Read in March 2026, December can only have been that of the year before.
    assert_eq!(years(Some("2026-03-02T00:00:00Z")), (expected(2025, 2026), Some(2025)));
    assert_eq!(years(Some("2027-01-01T00:10:00Z")), (expected(2026, 2027), Some(2026)));
}

#[test]
fn times_that_name_their_year_keep_it_after_new_year() {
    let text = "Dec 31 23:59:58 db cart: one\nJan  1 00:00:01 db cart: two\n2027-01-01T00:00:05Z three\n\
        Jan  1 00:00:09 db cart: four\n";
    let mut input = Input::new(Format::Text);
    input.year = 2026;
    let found = rows(&input, text.as_bytes());
    let years: Vec<&str> = found.iter().map(|row| &row[..4]).collect();
    assert_eq!(years, ["2026", "2027", "2027", "2027"]);
    // What the host says of a record as well.
    let mut reader = Reader::new(&input, None);
    let mut years = Vec::new();
    for line in [
        "Dec 31 23:59:58 db cart: one\n",
        "Jan  1 00:00:01 db cart: two\n",
        "INFO up\n",
    ] {
        let at = if line == "INFO up\n" {
            "2027-01-01T00:00:05Z"
        } else {
            "2026-12-31T23:59:59Z"
        };
        reader.set_time(serde_json::from_value(at.into()).unwrap());
        reader.read(line.as_bytes(), &mut |row| years.push(shown(&row)[..4].to_owned()));
        reader.flush(&mut |row| years.push(shown(&row)[..4].to_owned()));
    }
    assert_eq!(years, ["2026", "2027", "2027"]);
}

#[test]
fn a_time_of_long_ago_turns_no_year() {
    let text = "Nov 20 09:00:00 db cart: one\n2001-01-01T00:00:00Z old\nNov 20 09:00:01 db cart: two\n";
    let mut input = Input::new(Format::Text);
    input.year = 2026;
    let found = rows(&input, text.as_bytes());
    let years: Vec<&str> = found.iter().map(|row| &row[..4]).collect();
    assert_eq!(years, ["2026", "2001", "2026"]);
}

#[test]
fn the_year_of_times_that_name_none_is_told() {
    for (format, text, expected) in [
        (Format::Text, "up\nNov 20 09:00:00 db cart: up\n", Some(2026)),
        (Format::Text, "I1120 09:00:00.123456 1 a.go:1] up\n", Some(2026)),
        (Format::Syslog, "<11>Nov 20 09:00:00 db cart[71]: up\n", Some(2026)),
        (Format::Text, "Nov 20 2026 09:00:00 db cart: up\n", None),
        (Format::Text, "2026-11-20T09:00:00Z up\nNov 20 is near\n", None),
        (Format::Syslog, "<11>1 2026-11-20T09:00:00Z db cart 71 - - up\n", None),
        (Format::Text, "up\n", None),
    ] {
        let mut input = Input::new(format);
        input.year = 2026;
        let mut reader = Reader::new(&input, None);
        reader.read(text.as_bytes(), &mut |_| {});
        assert_eq!(reader.assumed_year(), expected, "{text}");
    }
}

#[test]
fn a_bad_row_takes_its_place_in_time_and_assumes_nothing() {
    check(
        Format::Ndjson,
        "{\"a\":1}\n{\n{\"a\":2}\n",
        &[
            "1970-01-01T00:00:00Z a=1",
            "line 2: at column 1, the text ends inside an object: a } is missing, or the end was cut off",
            "1970-01-01T00:02:00Z a=2",
        ],
    );
    let mut reader = Reader::new(&Input::new(Format::Ndjson), None);
    reader.read(b"{\n", &mut |_| {});
    assert!(!reader.assumed_interval());
}

#[test]
fn a_long_line_is_one_problem() {
    let message = "the line is longer than 1048576 bytes and was skipped: split it, or cut its longest part";
    let full = "x".repeat(MAX_LINE_BYTES);
    let text = format!("one\n{full}y\n{full}{full}\ntwo\n{full}");
    let input = Input::new(Format::Text);
    let found = rows(&input, text.as_bytes());
    assert_eq!(found.len(), 5);
    assert_eq!(found[1], format!("line 2: {message}"));
    assert_eq!(found[2], format!("line 3: {message}"));
    assert_eq!(found[3], "1970-01-01T00:03:00Z -: two");
    assert_eq!(found[4], format!("1970-01-01T00:04:00Z -: {full}"));
    for size in [1_000, 65_536, MAX_LINE_BYTES, MAX_LINE_BYTES + 1] {
        let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
        assert_eq!(rows_of_chunks(&input, &chunks), found);
    }
}

fn format() -> impl Strategy<Value = Format> {
    proptest::sample::select(&[
        Format::Auto,
        Format::Ndjson,
        Format::Csv,
        Format::Text,
        Format::Logfmt,
        Format::Syslog,
        Format::Access,
        Format::Envoy,
        Format::Kubernetes,
        Format::Otlp,
        Format::Prometheus,
        Format::NativeJson,
    ])
}

/// Pieces of all formats, so that random inputs get past the first byte.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&str] = &[
        "\n",
        "\r\n",
        "\r",
        "\"",
        ",",
        ";",
        "\u{feff}",
        "timestamp,cpu,host\n",
        "time;a;a;\n",
        "2026-11-20 09:00:00,1.5,web\n",
        "1795165200,NaN,\"we\nb\"\n",
        "{\"ts\":\"2026-11-20T09:00:00.5+01:00\",\"cpu\":4e1,\"host\":\"w\\u00e9b\"}\n",
        "{\"msg\":\"up\",\"level\":30,\"labels\":{\"a\":\"b\"},\"metrics\":{\"x\":1,\"x\":2},\"id\":[1,{}]}\n",
        "{\"time\":1e300,\"metrics\":[]",
        "{\"log\":\"level=warn msg=a\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-20T09:00:00Z\"}\n",
        "{\"raw_log\":\"a b\",\"format_type\":\"regex\",\"custom_config\":{\"pattern\":\"(?<level>a) (b)\"}}\n",
        "{\"logs\":[{\"raw_log\":\"a=1 b=2\",\"format_type\":\"kv\"},{\"message\":\"x\"}]}\n",
        "{\"start_time\":\"2026-11-20T09:00:00Z\",\"response_code\":503,\"response_flags\":\"UF\",\"duration\":\"7\"}\n",
        "[\n{\n\"took\": \"5ms\",\n\"a\": {\"b\": 1}},\n",
        "{\"log\":{\"message\":\"up\",\"timestamp\":\"2026-11-20T09:00:00Z\",\"source_type\":\"file\"}}\n",
        "{\"metric\":{\"name\":\"a\",\"kind\":\"absolute\",\"tags\":{\"b\":null},\"gauge\":{\"value\":1.5}}}\n",
        "{\"event\":{\"log\":{\"value\":{\"map\":{\"fields\":{\"message\":{\"rawBytes\":\"dXA=\"}}}}}}}\n",
        "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":\"x\"}}]}]}]}\n",
        "{",
        "}",
        "]\n",
        "ts=2026-11-20T09:00:00Z level=info msg=\"a \\\"b\" took=1,5ms x\n",
        "2026-11-20T09:00:00Z stdout P {\"msg\":\n",
        "2026-11-20T09:00:00Z stdout F \"up\"}\n",
        "http_requests_total{code=\"200\"} 17\n",
        "[2026-11-20T09:00:00Z] \"GET / HTTP/1.1\" 200 - 0 1 2 3 \"-\" \"-\" \"-\" \"-\" \"-\"\n",
        "10.0.0.9 - - [20/Nov/2026:09:00:03 +0000] \"GET /pay HTTP/1.1\" 500 12\n",
        "Nov 20 09:00:00 db01 postgres[71]: ERROR: no",
        "<11>1 2026-11-20T09:00:00Z db01 app - - - hi\n",
        "[20/Nov/2026:09:00:00 +0100] \"GET",
        "[Fri Nov 20 09:00:00.1 2026] [core:error] [pid 7]",
        "11-20 09:00:00.123  1702  2395 D Tag: x\n",
        "I1120 09:00:00.123456   1 main.rs:3] x\n",
        "261120 090000 148 INFO dfs: x\n",
        "26/11/20 09:00:00 WARN x\n",
        "1795165200.25 level=error service=\"cart\" é\n",
        "[11.20 09:00:00] [",
        "E/",
        "\u{0}",
        "9999-99-99T99:99:99.999999999999+99:99",
        "0000-01-01 00:00",
    ];
    prop_oneof![
        6 => proptest::sample::select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..12),
    ]
}

/// An input of such pieces, with a few bytes of it changed.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (proptest::collection::vec(piece(), 0..12), changes).prop_map(|(pieces, changes)| {
        let mut bytes = pieces.concat();
        for (at, byte) in changes {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn rows_are_the_same_wherever_an_input_is_cut(
        format in format(),
        bytes in bytes(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
        subject in proptest::option::of(Just(vec!["host".to_owned(), "a".to_owned()])),
    ) {
        let mut input = Input::new(format);
        input.subject = subject;
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
        prop_assert_eq!(rows_of_chunks(&input, &chunks), rows(&input, &bytes));
    }

    #[test]
    fn names_are_there_once(format in format(), bytes in bytes()) {
        let mut reader = Reader::new(&Input::new(format), None);
        let mut check = |row: Row<'_>| {
            if let Row::Event(Event::Log(record)) = row {
                assert!(record.fields.windows(2).all(|pair| pair[0].metric < pair[1].metric));
                let labels = record.subject.labels();
                assert!(labels.windows(2).all(|pair| pair[0].name < pair[1].name));
            }
            if let Row::Event(Event::Sample(sample)) = row {
                let mut names: Vec<_> = sample.values.iter().map(|value| value.metric).collect();
                names.sort_unstable();
                assert!(!names.is_empty() && names.windows(2).all(|pair| pair[0] != pair[1]));
                let labels = sample.subject.labels();
                assert!(labels.windows(2).all(|pair| pair[0].name < pair[1].name));
            }
        };
        reader.read(&bytes, &mut check);
        reader.finish(&mut check);
    }
}
