use super::super::tests::check;
use crate::wire::Format;

fn each(cases: &[(&str, &str)]) {
    for (line, expected) in cases {
        check(Format::Envoy, line, &[expected]);
    }
}

#[test]
fn the_default_format() {
    each(&[
        (
            "[2026-11-20T09:00:00.100Z] \"GET /pay?id=7 HTTP/1.1\" 200 - 0 512 37 36 \"10.0.0.9, 10.0.0.1\" \"curl/8 \
             \\\"x\\\"\" \"5bd0-1\" \"shop:80\" \"10.0.0.7:8080\"",
            "2026-11-20T09:00:00.137Z GET /pay?id=7 200 37 ms 512 B, route -, upstream 10.0.0.7:8080, client 10.0.0.9, \
             flags -",
        ),
        (
            "[2026-11-20T09:00:00.000Z] \"POST /cart HTTP/2\" 503 UF,URX 12 91 1000 - \"-\" \"grpc-go\" \"5bd0-1\" \
             \"cart\" \"-\"",
            "2026-11-20T09:00:01Z POST /cart 503 1000 ms 91 B, route -, upstream -, client -, flags UF,URX",
        ),
        (
            "[2026-11-20T09:00:00.000Z] \"- - HTTP/1.1\" 400 DPE 0 11 0 - \"-\" \"-\" \"-\" \"-\" \"-\"",
            "2026-11-20T09:00:00Z - - 400 0 ms 11 B, route -, upstream -, client -, flags DPE",
        ),
        (
            "[2026-11-20T09:00:00.000Z] \"GET / HTTP/1.1\" 0 DC 0 0 4 - \"-\" \"-\" \"5bd0-1\" \"shop\" \"[::1]:80\"",
            "2026-11-20T09:00:00.004Z GET / - 4 ms 0 B, route -, upstream [::1]:80, client -, flags DC",
        ),
    ]);
}

#[test]
fn istios_format() {
    each(&[
        (
            "[2026-11-20T09:00:00.000Z] \"GET /status/418 HTTP/1.1\" 418 - via_upstream - \"-\" 0 135 4 4 \"-\" \
             \"curl/7.73.0-DEV\" \"84961386-6d84\" \"httpbin:8000\" \"127.0.0.1:80\" inbound|8000|| 127.0.0.1:41854 \
             10.44.1.27:80 10.44.1.23:37652 outbound_.8000_._.httpbin.foo.svc.cluster.local default",
            "2026-11-20T09:00:00.004Z GET /status/418 418 4 ms 135 B, route default, upstream inbound|8000||, client \
             10.44.1.23, flags -",
        ),
        (
            "[2026-11-20T09:00:00.000Z] \"GET / HTTP/1.1\" 503 UF,URX upstream_reset_before_response_started{connection_\
             failure} - \"delayed connect error: 111\" 0 152 2 - \"10.0.0.9\" \"curl\" \"8496\" \"cart\" \
             \"10.0.0.7:80\" outbound|80|v1|cart.shop.svc.cluster.local - 10.0.0.1:80 10.0.0.9:3 - v1-route",
            "2026-11-20T09:00:00.002Z GET / 503 2 ms 152 B, route v1-route, upstream \
             outbound|80|v1|cart.shop.svc.cluster.local, client 10.0.0.9, flags UF,URX",
        ),
        (
            "[2026-11-20T09:00:00.000Z] \"- - -\" 0 - - - \"-\" 1033 3216 121 - \"-\" \"-\" \"-\" \"-\" \
             \"10.0.0.7:5432\" outbound|5432||db 10.0.0.1:4 10.0.0.7:5432 10.0.0.1:5 - -",
            "2026-11-20T09:00:00.121Z - - - 121 ms 3216 B, route -, upstream outbound|5432||db, client 10.0.0.1, \
             flags -",
        ),
        (
            "[2026-11-20T09:00:00.000Z] \"GET / HTTP/1.1\" 200 - \"-\" \"-\" 0 48 12 11 \"-\" \"curl\" \"id\" \"cart\" \
             \"127.0.0.1:80\" inbound|80|http|cart - 10.0.0.7:80 10.0.0.9:5 -",
            "2026-11-20T09:00:00.012Z GET / 200 12 ms 48 B, route -, upstream inbound|80|http|cart, client 10.0.0.9, \
             flags -",
        ),
    ]);
}

#[test]
fn other_lines_are_log_lines() {
    each(&[
        (
            "[2026-11-20 09:00:00.123][1][info][main] [source/server/server.cc:900] starting main dispatch loop",
            "2026-11-20T09:00:00.123Z info: [1][info][main] [source/server/server.cc:900] starting main dispatch loop",
        ),
        (
            "[2026-11-20T09:00:00.000Z] \"GET / HTTP/1.1\" 200 - 0 5",
            "2026-11-20T09:00:00Z -: \"GET / HTTP/1.1\" 200 - 0 5",
        ),
    ]);
}

#[test]
fn quotes_are_not_escaped() {
    each(&[(
        "[2026-11-20T09:00:00Z] \"GET /a?q=\"b\"&c HTTP/1.1\" 200 - 0 77 4 3 \"10.0.0.9\" \"agent \"x\" 1\" \"7f\" \"search\" \
         \"10.0.0.7:8080\"",
        "2026-11-20T09:00:00.004Z GET /a?q=\"b\"&c 200 4 ms 77 B, route -, upstream 10.0.0.7:8080, client 10.0.0.9, \
         flags -",
    )]);
}
