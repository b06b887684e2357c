use super::*;
use crate::wire::Reader;
use crate::wire::Row;

fn found(source: Option<&str>, text: &str) -> Format {
    let mut input = Input::new(Format::Auto);
    input.source = source.map(str::to_owned);
    let mut auto = Auto::new(&input);
    let whole = auto.read(text.as_bytes()).unwrap_or_else(|| auto.finish());
    let mut auto = Auto::new(&input);
    let mut cut = None;
    for (at, _) in text.bytes().enumerate() {
        cut = cut.or_else(|| auto.read(&text.as_bytes()[at..at + 1]));
    }
    let cut = cut.unwrap_or_else(|| auto.finish());
    assert_eq!(cut.format, whole.format, "{text}");
    assert!(text.as_bytes().starts_with(&cut.bytes));
    assert_eq!(whole.bytes, text.as_bytes());
    whole.format
}

#[test]
fn every_format_is_recognised() {
    for (text, format) in [
        ("{\"a\":1}\n", Format::Ndjson),
        ("[\n{\"a\":1}\n]\n", Format::Ndjson),
        ("[{\"a\":1}]", Format::Ndjson),
        ("\u{feff}\n{\"a\":1}\n", Format::Ndjson),
        ("{", Format::Ndjson),
        ("time,cpu\n2026-11-20,1\n", Format::Csv),
        ("name;value\nx;1,5\n", Format::Csv),
        ("name\tvalue\nx\t3\n", Format::Csv),
        ("\"a, b\",c\n\"x, y\",3\n", Format::Csv),
        ("latency\n12.5\n13\n14\n", Format::Csv),
        ("latency\n12.5\n", Format::Csv),
        (
            "2026-11-20T09:00:00.1Z stdout F up\n2026-11-20T09:00:00.1Z stderr F down\n",
            Format::Kubernetes,
        ),
        (
            "10.0.0.9 - - [20/Nov/2026:09:00:03 +0000] \"GET /pay HTTP/1.1\" 500 12\n",
            Format::Access,
        ),
        (
            "[2026-11-20T09:00:00.123Z] \"GET /pay HTTP/1.1\" 200 - 0 512 37 36 \"10.0.0.9\" \"curl/8\" \"5bd0\" \"shop\" \
             \"10.0.0.7:8080\"\n",
            Format::Envoy,
        ),
        (
            "<34>1 2026-11-20T09:00:01Z web1 sshd 4711 - - refused\n<34>1 2026-11-20T09:00:01Z web1 sshd 4711 - - up\n",
            Format::Syslog,
        ),
        ("Nov 20 09:00:01 web1 sshd[4711]: refused\n", Format::Syslog),
        (
            "ts=2026-11-20T09:00:00Z level=info msg=\"up\"\nts=2026-11-20T09:00:00Z level=info msg=\"up\"\n",
            Format::Logfmt,
        ),
        ("# HELP up Is it up.\n# TYPE up gauge\nup 1\n", Format::Prometheus),
        (
            "http_requests_total{code=\"200\"} 17\nhttp_requests_total{code=\"500\"} 1\n",
            Format::Prometheus,
        ),
        ("", Format::Text),
        ("ready\nsteady\n", Format::Text),
        (
            "2026-11-20 09:00:00 INFO up, and ready\n2026-11-20 09:00:01 INFO 5 left, of 7\n",
            Format::Text,
        ),
        ("[2026-11-20 09:00:00] up\n", Format::Text),
        ("[error] no\n", Format::Text),
    ] {
        assert_eq!(found(None, text), format, "{text}");
    }
    assert_eq!(found(Some("x.CSV.gz"), "a\nb\n"), Format::Csv);
    assert_eq!(found(Some("x.csv"), "{\"a\":1}\n"), Format::Ndjson);
    assert_eq!(found(Some("x.jsonl"), "\n"), Format::Ndjson);
}

#[test]
fn a_pause_settles_the_format() {
    let mut rows = Vec::new();
    let mut reader = Reader::new(&Input::new(Format::Auto), None);
    let mut each = |row: Row<'_>| rows.push(matches!(row, Row::Found(Format::Text, _) | Row::Event(_)));
    reader.read(b"one\ntwo\nthr", &mut each);
    reader.flush(&mut each);
    assert_eq!(rows, [true; 3]);
}

#[test]
fn requests_and_log_lines_come_mixed() {
    const REQUEST: &str = "10.0.0.9 - - [20/Nov/2026:09:00:03 +0000] \"GET /pay HTTP/1.1\" 500 12\n";
    const LINE: &str = "2026/11/20 09:00:00 [error] 17#17: *5 connect() failed\n";
    assert_eq!(found(None, &format!("{REQUEST}{LINE}{LINE}")), Format::Access);
    assert_eq!(
        found(None, &format!("{LINE}{LINE}{LINE}{LINE}{LINE}{REQUEST}")),
        Format::Access
    );
    assert_eq!(found(None, &LINE.repeat(4)), Format::Text);
    let containers = "cart-1  | up\ncart-1  | up\n-- No entries --\nup and down\n";
    assert_eq!(found(None, containers), Format::Kubernetes);
    // A third that are pairs is too little: the others would not be joined.
    let pairs = "level=info msg=up\ndown we go\ndown we go\n";
    assert_eq!(found(None, pairs), Format::Text);
}
