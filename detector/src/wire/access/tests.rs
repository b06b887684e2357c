use super::super::tests::check;
use crate::wire::Format;

fn each(cases: &[(&str, &str)]) {
    for (line, expected) in cases {
        check(Format::Access, line, &[expected]);
    }
}

#[test]
fn common_and_combined() {
    each(&[
        (
            "10.0.0.9 - ann [20/Nov/2026:09:00:00 +0100] \"GET /pay?id=7 HTTP/1.1\" 200 512",
            "2026-11-20T08:00:00Z GET /pay?id=7 200 - ms 512 B, route -, upstream -, client 10.0.0.9, flags -",
        ),
        (
            "2001:db8::7 - - [20/Nov/2026:09:00:00 +0000] \"POST /cart HTTP/2.0\" 503 - \"https://shop.example/\" \
             \"Mozilla/5.0 (X11; \\\"beta\\\") Gecko\"",
            "2026-11-20T09:00:00Z POST /cart 503 - ms - B, route -, upstream -, client 2001:db8::7, flags -",
        ),
        (
            "shop.example:443 10.0.0.9 - - [20/Nov/2026:09:00:00 +0000] \"GET / HTTP/1.1\" 304 0 \"-\" \"curl/8\"",
            "2026-11-20T09:00:00Z {service=shop.example} GET / 304 - ms 0 B, route -, upstream -, client 10.0.0.9, \
             flags -",
        ),
        (
            "web-7.local - John Smith [20/Nov/2026:09:00:00 +0000] \"GET / HTTP/1.1\" 200 5",
            "2026-11-20T09:00:00Z GET / 200 - ms 5 B, route -, upstream -, client web-7.local, flags -",
        ),
        (
            "10.0.0.9, 10.0.0.1 - - [20/Nov/2026:09:00:00 +0000] \"GET / HTTP/1.1\" 200 5",
            "2026-11-20T09:00:00Z GET / 200 - ms 5 B, route -, upstream -, client 10.0.0.9, flags -",
        ),
        (
            "10.0.0.9 - - [20/Nov/2026 09:00:00] \"GET / HTTP/1.1\" 200 -",
            "2026-11-20T09:00:00Z GET / 200 - ms - B, route -, upstream -, client 10.0.0.9, flags -",
        ),
        (
            "- - - [2026-11-20T09:00:00.5+00:00] \"HEAD /up\" 200 5",
            "2026-11-20T09:00:00.5Z HEAD /up 200 - ms 5 B, route -, upstream -, client -, flags -",
        ),
    ]);
}

#[test]
fn requests_that_are_none() {
    each(&[
        (
            "10.0.0.9 - - [20/Nov/2026:09:00:00 +0000] \"\\x16\\x03\\x01\\x02\\x00\" 400 157 \"-\" \"-\"",
            "2026-11-20T09:00:00Z - - 400 - ms 157 B, route -, upstream -, client 10.0.0.9, flags -",
        ),
        (
            "10.0.0.9 - - [20/Nov/2026:09:00:00 +0000] \"-\" 408 -",
            "2026-11-20T09:00:00Z - - 408 - ms - B, route -, upstream -, client 10.0.0.9, flags -",
        ),
        (
            "10.0.0.9 - - [20/Nov/2026:09:00:00 +0000] \"\" 400 0",
            "2026-11-20T09:00:00Z - - 400 - ms 0 B, route -, upstream -, client 10.0.0.9, flags -",
        ),
        (
            "10.0.0.9 - - [20/Nov/2026:09:00:00 +0000] \"GET /a\\\"b c\"d HTTP/1.1\" 404 12 \"-\" \"x\"y\"",
            "2026-11-20T09:00:00Z GET /a\\\"b c\"d 404 - ms 12 B, route -, upstream -, client 10.0.0.9, flags -",
        ),
        (
            "10.0.0.9 - - [20/Nov/2026:09:00:00 +0000] \"GET / HTTP/1.1\" 000 0",
            "2026-11-20T09:00:00Z GET / - - ms 0 B, route -, upstream -, client 10.0.0.9, flags -",
        ),
        (
            "10.0.0.9 - - [20/Nov/2026:09:00:00 +0000] \"GET / HTTP/1.1\" 999 0",
            "2026-11-20T09:00:00Z GET / - - ms 0 B, route -, upstream -, client 10.0.0.9, flags -",
        ),
    ]);
}

#[test]
fn what_servers_add() {
    let line = |more: &str| {
        format!("10.0.0.9 - - [20/Nov/2026:09:00:00 +0000] \"GET / HTTP/1.1\" 200 512 \"-\" \"curl/8\" {more}")
    };
    for (more, duration, route, upstream) in [
        ("0.123", "123", "-", "-"),
        ("0.123 0.120", "123", "-", "-"),
        ("\"-\" 0.002 -", "2", "-", "-"),
        ("\"10.1.1.1\" rt=0.250 uct=\"0.001\" urt=\"0.249\"", "250", "-", "-"),
        (
            "rt=1.5 ua=\"10.0.0.7:8080\" us=\"200\" ut=\"1.4\" cs=-",
            "1500",
            "-",
            "10.0.0.7:8080",
        ),
        ("request_time=- upstream_addr=10.0.0.7:80", "-", "-", "10.0.0.7:80"),
        (
            "421 0.037 [default-cart-80] [] 10.0.0.7:8080 512 0.036 200 5bd0c2",
            "37",
            "-",
            "default-cart-80",
        ),
        (
            "17 \"cart@docker\" \"http://10.0.0.7:80\" 12ms",
            "12",
            "cart@docker",
            "http://10.0.0.7:80",
        ),
        ("1234", "1.234", "-", "-"),
        ("", "-", "-", "-"),
    ] {
        check(
            Format::Access,
            &line(more),
            &[&format!(
                "2026-11-20T09:00:00Z GET / 200 {duration} ms 512 B, route {route}, upstream {upstream}, client \
                 10.0.0.9, flags -"
            )],
        );
    }
}

#[test]
fn other_lines_are_log_lines() {
    check(
        Format::Access,
        "2026/11/20 09:00:00 [error] 7#0: *1 refused\n10.0.0.9 - - [20/Nov/2026:09:00:01 +0000] \"GET / HTTP/1.1\" \
         502 1\n10.0.0.9 - - [20/Nov/2026:09:00:02 +0000] GET / 502 1\n\n",
        &[
            "2026-11-20T09:00:00Z error: 7#0: *1 refused",
            "2026-11-20T09:00:01Z GET / 502 - ms 1 B, route -, upstream -, client 10.0.0.9, flags -",
            "2026-11-20T09:00:02Z -: 10.0.0.9 - - GET / 502 1",
            "blank",
        ],
    );
}

#[test]
fn servers_that_write_less() {
    each(&[
        (
            "[20/Nov/2026 09:00:03] \"GET /pay?id=7 HTTP/1.1\" 200 512",
            "2026-11-20T09:00:03Z GET /pay?id=7 200 - ms 512 B, route -, upstream -, client -, flags -",
        ),
        (
            "INFO:     10.0.0.9:51022 - \"GET /pay HTTP/1.1\" 503 Service Unavailable",
            "1970-01-01T00:00:00Z GET /pay 503 - ms - B, route -, upstream -, client 10.0.0.9, flags -",
        ),
        (
            "[GIN] 2026/11/20 - 09:00:05 | 200 |    1.25ms |        10.0.0.9 | GET      \"/pay\"",
            "2026-11-20T09:00:05Z GET /pay 200 1.25 ms - B, route -, upstream -, client 10.0.0.9, flags -",
        ),
        (
            "POST /pay 201 12 - 1.25 ms",
            "1970-01-01T00:00:00Z POST /pay 201 1.25 ms 12 B, route -, upstream -, client -, flags -",
        ),
        (
            "GET /pay 304 1.25 ms - -",
            "1970-01-01T00:00:00Z GET /pay 304 1.25 ms - B, route -, upstream -, client -, flags -",
        ),
        (
            "10.0.0.9:51022 [20/Nov/2026:09:00:00.900] web~ cart/c1 0/0/1/12/100 200 512 - - ---- 1/1/0/0/0 0/0 \"GET /a b \
             HTTP/1.1\"",
            "2026-11-20T09:00:01Z GET /a b 200 100 ms 512 B, route -, upstream cart/c1, client 10.0.0.9, flags -",
        ),
        (
            "unix: - - [20/Nov/2026:09:00:00 +0000] \"GET /up HTTP/1.1\" 200 97",
            "2026-11-20T09:00:00Z GET /up 200 - ms 97 B, route -, upstream -, client -, flags -",
        ),
        (
            "GET /pay took 12 - 1 ms",
            "1970-01-01T00:00:00Z -: GET /pay took 12 - 1 ms",
        ),
        (
            "INFO:     Uvicorn is up - \"yes\"",
            "1970-01-01T00:00:00Z info: Uvicorn is up - \"yes\"",
        ),
    ]);
}
