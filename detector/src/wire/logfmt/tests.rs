use super::super::tests::check;
use crate::wire::Format;

#[test]
fn pairs() {
    for (line, expected) in [
        (
            r#"ts=2026-11-20T09:00:00Z level=warn msg="slow query" took=212ms rows=17 app=cart cached"#,
            "2026-11-20T09:00:00Z {service=cart} warn: slow query [rows=17 took=212]",
        ),
        (
            r#"time="2026-11-20T09:00:00Z" level=error msg="say \"no\"\n\u00e9" trace_id=5bd0 id=007"#,
            "2026-11-20T09:00:00Z error <5bd0>: say \"no\"\né",
        ),
        (
            "ts=1795165200.125 lvl=info msg= caller=main.go:17",
            "2026-11-20T09:00:00.125Z info: ",
        ),
        (
            "at=info method=GET path=\"/pay?id=7\" host=shop request_id=5bd0 fwd=\"10.0.0.9\" dyno=web.1 connect=1ms \
             service=8ms status=503 bytes=12",
            "1970-01-01T00:00:00Z GET /pay?id=7 503 8 ms 12 B, route -, upstream -, client 10.0.0.9, flags -",
        ),
        (
            "time=2026-11-20T09:00:00Z cpu=41.5% memory=1.5KiB host=w1",
            "2026-11-20T09:00:00Z {host=w1} cpu=41.5 memory=1536",
        ),
        ("level=info msg=\"not closed", "1970-01-01T00:00:00Z info: not closed"),
        ("a=b", "1970-01-01T00:00:00Z -: a=b"),
        ("user=ann shop=7a", "1970-01-01T00:00:00Z -: user=ann shop=7a"),
        ("x = 1 and y = 2", "1970-01-01T00:00:00Z -: x = 1 and y = 2"),
        ("", ""),
        ("up and running", "1970-01-01T00:00:00Z -: up and running"),
    ] {
        let expected: &[&str] = if line.is_empty() { &[] } else { &[expected] };
        check(Format::Logfmt, line, expected);
    }
}

#[test]
fn blank_lines_are_rows() {
    check(
        Format::Logfmt,
        "level=info msg=a\n\n{\"level\":\"warn\",\"msg\":\"b\"}\r\n",
        &["1970-01-01T00:00:00Z info: a", "blank", "1970-01-01T00:01:00Z warn: b"],
    );
}

#[test]
fn apostrophes_and_words_behind_pairs() {
    check(
        Format::Logfmt,
        "method=GET path=/pay status=500 error='No such cart: 7' duration=88.5",
        &["1970-01-01T00:00:00Z GET /pay 500 88.5 ms - B, route -, upstream -, client -, flags -"],
    );
    check(
        Format::Logfmt,
        "2026-11-20T09:00:07Z pid=17 class=Job INFO: start",
        &["2026-11-20T09:00:07Z info: pid=17 class=Job INFO: start"],
    );
}
