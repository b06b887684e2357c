use super::super::tests::{check_input, rows};
use crate::scorer::Input;
use crate::wire::Format;

fn input() -> Input {
    let mut input = Input::new(Format::Text);
    input.year = 2026;
    input
}

fn each(cases: &[(&str, &str)]) {
    for (line, expected) in cases {
        check_input(&input(), line.as_bytes(), &[expected]);
    }
}

#[test]
fn iso_times() {
    each(&[
        ("2026-11-20T09:00:00Z up", "2026-11-20T09:00:00Z -: up"),
        ("2026-11-20t09:00:00z up", "2026-11-20T09:00:00Z -: up"),
        (
            "2026-11-20T09:00:00.123456789123+01:00 up",
            "2026-11-20T08:00:00.123456789Z -: up",
        ),
        ("2026-11-20 09:00:00,250 up", "2026-11-20T09:00:00.25Z -: up"),
        ("2026-11-20 09:00:00 -0530 up", "2026-11-20T14:30:00Z -: up"),
        (
            "2026-11-20 09:00:00 UTC [71] LOG:  ready",
            "2026-11-20T09:00:00Z info: [71] LOG:  ready",
        ),
        // As Go prints a time: with the name of its zone, and with the clock that only counts.
        (
            "2026-11-20 09:00:00.123456789 +0000 UTC m=+0.100000001 up",
            "2026-11-20T09:00:00.123456789Z -: up",
        ),
        (
            "2026-11-20 10:00:00 +0100 CET m=+7.250000000 up",
            "2026-11-20T09:00:00Z -: up",
        ),
        (
            "2026-11-20 12:00:00.5 +0300 +03 m=-0.000000001",
            "2026-11-20T09:00:00.5Z -: ",
        ),
        (
            "2026-11-20 09:00:00 +0000 UTC ERROR up",
            "2026-11-20T09:00:00Z error: up",
        ),
        ("2026-11-20 09:00:00 +0000 ERROR up", "2026-11-20T09:00:00Z error: up"),
        ("2026-11-20 09:00:00 +0000 CET up", "2026-11-20T09:00:00Z -: CET up"),
        (
            "2026-11-20 09:00:00 +0000 UTC m=metres",
            "2026-11-20T09:00:00Z -: m=metres",
        ),
        (
            "2026/11/20 09:00:00 main.go:23: up",
            "2026-11-20T09:00:00Z -: main.go:23: up",
        ),
        (
            "2026/11/20 09:00:00 server started",
            "2026-11-20T09:00:00Z -: server started",
        ),
        ("Fri, 20 Nov 2026 10:00:00 +0100 up", "2026-11-20T09:00:00Z -: up"),
        (
            "Fri, 20 Nov 2026 09:00:00 GMT ERROR up",
            "2026-11-20T09:00:00Z error: up",
        ),
        ("Fri, 20 Nov 2026 09:00:00 +0000 (up)", "2026-11-20T09:00:00Z -: (up)"),
        (
            "Fri, we start at 09:00:00",
            "1970-01-01T00:00:00Z -: Fri, we start at 09:00:00",
        ),
        ("Fri Nov 20 09:00:00 UTC 2026 up", "2026-11-20T09:00:00Z -: up"),
        ("Fri Nov 20 10:00:00 +0100 2026 up", "2026-11-20T09:00:00Z -: up"),
        ("2026-11-20 09:00 up", "2026-11-20T09:00:00Z -: up"),
        ("2026-11-20 09:00:00 - 5 left", "2026-11-20T09:00:00Z -: 5 left"),
        ("2026-11-20 09:00:00 -5 degrees", "2026-11-20T09:00:00Z -: -5 degrees"),
        (
            "2026-11-20 09:00:00-10.0.0.1 up",
            "2026-11-20T09:00:00Z -: -10.0.0.1 up",
        ),
        ("2026-11-20 09:00:00: up", "2026-11-20T09:00:00Z -: up"),
        ("[2026-11-20 09:00:00.5] up", "2026-11-20T09:00:00.5Z -: up"),
        (
            "[2026-11-20T09:00:00Z INFO  cart::pay] up",
            "2026-11-20T09:00:00Z info: cart::pay] up",
        ),
        (
            "2026/11/20 09:00:00 [error] 7#0: *1 refused",
            "2026-11-20T09:00:00Z error: 7#0: *1 refused",
        ),
        ("2026/11/20 09:00:00.123456 up", "2026-11-20T09:00:00.123456Z -: up"),
        ("2026-06-30T23:59:60Z leap", "2026-06-30T23:59:59Z -: leap"),
        (
            "time=2026-11-20T09:00:00Z level=warn msg=up",
            "2026-11-20T09:00:00Z warn: msg=up",
        ),
        (
            "ts=\"2026-11-20T09:00:00Z\" level=\"error\" app=cart x",
            "2026-11-20T09:00:00Z {service=cart} error: app=cart x",
        ),
        ("2026-11-20T09:00:00Z", "2026-11-20T09:00:00Z -: "),
    ]);
}

#[test]
fn other_times() {
    each(&[
        ("1795165200 up", "2026-11-20T09:00:00Z -: up"),
        (
            "1795165200.125   921 10.0.0.7 TCP_MISS/200",
            "2026-11-20T09:00:00.125Z -: 921 10.0.0.7 TCP_MISS/200",
        ),
        ("1795165200125 up", "2026-11-20T09:00:00.125Z -: up"),
        (
            "[1795165200] CURRENT STATE: db up",
            "2026-11-20T09:00:00Z -: CURRENT STATE: db up",
        ),
        (
            "1795165200 2026.11.20 R1-M0-N4 2026-11-20-01.00.00.675872 R1-M0-N4 RAS KERNEL FATAL no more memory",
            "2026-11-20T09:00:00Z fatal: 2026.11.20 R1-M0-N4 2026-11-20-01.00.00.675872 R1-M0-N4 RAS KERNEL FATAL no \
             more memory",
        ),
        (
            "- 1795165200 2026.11.20 R1 Nov 20 01:00:00 R1 kernel: up",
            "2026-11-20T09:00:00Z -: 2026.11.20 R1 Nov 20 01:00:00 R1 kernel: up",
        ),
        (
            "261120 090000 148 INFO dfs.Node: block gone",
            "2026-11-20T09:00:00Z info: dfs.Node: block gone",
        ),
        (
            "26/11/20 09:00:00 WARN Executor: slow",
            "2026-11-20T09:00:00Z warn: Executor: slow",
        ),
        (
            "11-20 09:00:00.123  1702  2395 D Window: drawn",
            "2026-11-20T09:00:00.123Z debug: Window: drawn",
        ),
        (
            "11-20 09:00:00.123 E/Window( 17): lost",
            "2026-11-20T09:00:00.123Z error: Window( 17): lost",
        ),
        (
            "I1120 09:00:00.123456   1 main.rs:3] up",
            "2026-11-20T09:00:00.123456Z info: main.rs:3] up",
        ),
        (
            "[11.20 09:00:00] shop.exe - open",
            "2026-11-20T09:00:00Z -: shop.exe - open",
        ),
        (
            "[Fri Nov 20 09:00:00 2026] [notice] ready",
            "2026-11-20T09:00:00Z notice: ready",
        ),
        (
            "[Fri Nov 20 09:00:00.123456 2026] [core:error] [pid 7] no file",
            "2026-11-20T09:00:00.123456Z error: [core:error] [pid 7] no file",
        ),
        ("[20/Nov/2026:09:00:00 +0100] GET /", "2026-11-20T08:00:00Z -: GET /"),
        (
            "10.0.0.7 - ann [20/Nov/2026:09:00:00 -0700] \"GET /cart HTTP/1.1\" 200 12",
            "2026-11-20T16:00:00Z -: 10.0.0.7 - ann \"GET /cart HTTP/1.1\" 200 12",
        ),
        (
            "[::1] - - [20/Nov/2026:09:00:00 +0000] \"GET /ERROR\" 500",
            "2026-11-20T09:00:00Z -: [::1] - - \"GET /ERROR\" 500",
        ),
    ]);
}

#[test]
fn times_of_programs() {
    each(&[
        (
            "I, [2026-11-20T09:00:00.123456 #71]  INFO -- : up",
            "2026-11-20T09:00:00.123456Z info: up",
        ),
        (
            "71:M 20 Nov 2026 09:00:00.123 # slow",
            "2026-11-20T09:00:00.123Z warn: slow",
        ),
        (
            "20-Nov-2026 09:00:00.123 SEVERE [main] no",
            "2026-11-20T09:00:00.123Z error: [main] no",
        ),
        ("11/20/2026 9:00:00 PM INFO up", "2026-11-20T21:00:00Z info: up"),
        ("20/11/2026 09:00:00 INFO up", "2026-11-20T09:00:00Z info: up"),
        (
            "2026.11.20 09:00:00.5 [ 1 ] {} <Error> no",
            "2026-11-20T09:00:00.5Z error: [ 1 ] {} <Error> no",
        ),
        (
            "I20261120 09:00:00.123456 1 a.cc:3] up",
            "2026-11-20T09:00:00.123456Z info: a.cc:3] up",
        ),
        (
            "INFO  [main] 2026-11-20 09:00:00,5 up",
            "2026-11-20T09:00:00.5Z info: [main] up",
        ),
        (
            "api.log.1 2026-11-20 09:00:00.5 257 INFO up",
            "2026-11-20T09:00:00.5Z info: api.log.1 257 INFO up",
        ),
        (
            "09:00:00.123 [main] INFO up",
            "1970-01-01T00:00:00Z info: 09:00:00.123 [main] INFO up",
        ),
        ("[09:00:00 WRN] up", "1970-01-01T00:00:00Z warn: [09:00:00 WRN] up"),
        (
            "Backup 2026-11-20 09:00:00 done",
            "1970-01-01T00:00:00Z -: Backup 2026-11-20 09:00:00 done",
        ),
        ("panic: no", "1970-01-01T00:00:00Z fatal: panic: no"),
        (
            "\u{1b}[32mINFO\u{1b}[0m up \u{1b}[1;31mred",
            "1970-01-01T00:00:00Z info: up red",
        ),
        ("cart-1  | ERROR no", "1970-01-01T00:00:00Z {service=cart} error: no"),
        (
            "10.0.0.9 - - [20/Nov/2026:09:00:00 +0000] \"GET / HTTP/1.1\" 200 5",
            "2026-11-20T09:00:00Z -: 10.0.0.9 - - \"GET / HTTP/1.1\" 200 5",
        ),
    ]);
}

#[test]
fn syslog() {
    each(&[
        (
            "Nov 20 09:00:00 db01 cart[71]: refused",
            "2026-11-20T09:00:00Z {service=cart} -: refused",
        ),
        (
            "Nov  1 09:00:00 db01 kernel: [12.3] oops",
            "2026-11-01T09:00:00Z {service=kernel} -: [12.3] oops",
        ),
        (
            "Nov 1 2025 09:00:00 db01 su: ERROR: denied",
            "2025-11-01T09:00:00Z {service=su} error: denied",
        ),
        (
            "<11>Nov 20 09:00:00 db01 cart[71]: refused",
            "2026-11-20T09:00:00Z {service=cart} error: refused",
        ),
        ("<4>low on memory", "1970-01-01T00:00:00Z warn: low on memory"),
        (
            "<165>1 2026-11-20T09:00:00.5Z db01 cart 71 ID47 - \u{feff}refused",
            "2026-11-20T09:00:00.5Z {service=cart} notice: refused",
        ),
        (
            "<165>1 - db01 - - - [a@1 b=\"c\"] refused",
            "1970-01-01T00:00:00Z notice: refused",
        ),
        (
            "2026-11-20T09:00:00+01:00 db01 cart[71]: refused",
            "2026-11-20T08:00:00Z {service=cart} -: refused",
        ),
        (
            "2026-11-20T09:00:00Z lost connection: refused",
            "2026-11-20T09:00:00Z -: lost connection: refused",
        ),
        (
            "Nov 20 09:00:00 db01 last message repeated 2 times",
            "2026-11-20T09:00:00Z -: db01 last message repeated 2 times",
        ),
        ("Nov 20 09:00:00 ERROR db: lost", "2026-11-20T09:00:00Z error: db: lost"),
        (
            "Feb 29 09:00:00 db01 cart: x",
            "2026-03-01T09:00:00Z {service=cart} -: x",
        ),
    ]);
}

#[test]
fn levels() {
    each(&[
        (
            "2026-11-20 09:00:00,100 - INFO  [main[id=1]/0:0@774] - up",
            "2026-11-20T09:00:00.1Z info: [main[id=1]/0:0@774] - up",
        ),
        (
            "2026-11-20 09:00:00,100 WARN [pool 7] up",
            "2026-11-20T09:00:00.1Z warn: [pool 7] up",
        ),
        (
            "2026-11-20 09:00:00.1 [pool 7] ERROR c.Cart - up",
            "2026-11-20T09:00:00.1Z error: [pool 7] ERROR c.Cart - up",
        ),
        (
            "2026-11-20 09:00:00,100 - root - ERROR - up",
            "2026-11-20T09:00:00.1Z error: root - ERROR - up",
        ),
        ("2026-11-20 09:00:00 | DEBUG | up", "2026-11-20T09:00:00Z debug: up"),
        ("2026-11-20 09:00:00 <warn>  up", "2026-11-20T09:00:00Z warn: up"),
        ("2026-11-20 09:00:00 [ERROR ] up", "2026-11-20T09:00:00Z error: up"),
        ("2026-11-20 09:00:00 severity=crit up", "2026-11-20T09:00:00Z fatal: up"),
        (
            "2026-11-20 09:00:00 the disk had an ERROR",
            "2026-11-20T09:00:00Z -: the disk had an ERROR",
        ),
        ("2026-11-20 09:00:00 an error", "2026-11-20T09:00:00Z -: an error"),
        (
            "2026-11-20 09:00:00 [config] read",
            "2026-11-20T09:00:00Z -: [config] read",
        ),
        ("2026-11-20 09:00:00 D alone", "2026-11-20T09:00:00Z -: D alone"),
        ("2026-11-20T09:00:00Z error: no", "2026-11-20T09:00:00Z error: no"),
        (
            "2026-11-20T09:00:00Z info: [cart-service] up",
            "2026-11-20T09:00:00Z {service=cart-service} info: [cart-service] up",
        ),
        (
            "Nov 20 09:00:00 db01 sshd[7]: error: no",
            "2026-11-20T09:00:00Z {service=sshd} error: error: no",
        ),
        (
            "[2026-11-20 09:00:00] production.ERROR: no",
            "2026-11-20T09:00:00Z error: production.ERROR: no",
        ),
        (
            "[2026-11-20 09:00:00,123: WARNING/MainProcess] up",
            "2026-11-20T09:00:00.123Z warn: WARNING/MainProcess] up",
        ),
        (
            "2026-11-20T09:00:00Z 0 [Note] [MY-1] up",
            "2026-11-20T09:00:00Z notice: 0 [Note] [MY-1] up",
        ),
    ]);
}

#[test]
fn lines_without_a_time() {
    each(&[
        ("error: disk full", "1970-01-01T00:00:00Z error: error: disk full"),
        ("ERROR: disk full", "1970-01-01T00:00:00Z error: disk full"),
        ("ERROR:root:disk full", "1970-01-01T00:00:00Z error: root:disk full"),
        ("[warn] disk full", "1970-01-01T00:00:00Z warn: disk full"),
        (
            "[main] WARN disk full",
            "1970-01-01T00:00:00Z warn: [main] WARN disk full",
        ),
        ("Disk ERROR", "1970-01-01T00:00:00Z -: Disk ERROR"),
        ("E/Disk: full", "1970-01-01T00:00:00Z error: Disk: full"),
        ("I/O error on disk", "1970-01-01T00:00:00Z -: I/O error on disk"),
        (
            "level=error service=\"big cart\" msg=x",
            "1970-01-01T00:00:00Z {service=big cart} error: service=\"big cart\" msg=x",
        ),
        ("INFORMAL talk", "1970-01-01T00:00:00Z -: INFORMAL talk"),
        ("  at main", "1970-01-01T00:00:00Z -:   at main"),
        ("a\0b\u{7}", "1970-01-01T00:00:00Z -: a\0b\u{7}"),
    ]);
}

#[test]
fn what_only_looks_like_a_time_stays_in_the_message() {
    for line in [
        "2026-13-20T09:00:00Z up",
        "2026-11-20 25:00:00 up",
        "2026-11-20T09:00:00Zulu",
        "2026-11-20 up",
        "11-20 09:00:00 up",
        "12345 up",
        "- 1795165200 up",
        "- 2026-11-20T09:00:00Z up",
        "17951652001 up",
        "1795165200, up",
        "[1795165200 up",
        "261120 090000 148 files",
        "26/11/20 09:00:00 up",
        "November 20",
        "Fri Nov 20 up",
        "I1120 up",
        "11.20 09:00:00 up",
        "time=now up",
        "<999>up",
        "[20/Nov/2026] up",
        "9999-12-31T23:59:59Z up",
    ] {
        check_input(&input(), line.as_bytes(), &[&format!("1970-01-01T00:00:00Z -: {line}")]);
    }
}

#[test]
fn lines_and_bytes() {
    check_input(
        &input(),
        b"\xef\xbb\xbfone\r\n\r\n  \n2026-11-20T09:00:00Z a\xff\xfeb \n\xc3",
        &[
            "1970-01-01T00:00:00Z -: one",
            "blank",
            "blank",
            "2026-11-20T09:00:00Z -: a\u{fffd}\u{fffd}b\n\u{fffd}",
            "continues",
        ],
    );
    check_input(&input(), b"", &[]);
    check_input(&input(), b"\n", &["blank"]);
}

#[test]
fn the_year_is_the_inputs() {
    let mut input = input();
    input.year = 1999;
    assert_eq!(
        rows(&input, b"Nov 20 09:00:00 db01 cart: x"),
        ["1999-11-20T09:00:00Z {service=cart} -: x"]
    );
}

#[test]
fn levels_and_loggers_of_libraries() {
    each(&[
        // zap's console
        (
            "2026-11-20T09:00:00Z\tinfo\txds\tup",
            "2026-11-20T09:00:00Z info: xds\tup",
        ),
        // Apache
        (
            "[Fri Nov 20 09:00:04 2026] [rewrite:trace3] [pid 44] up",
            "2026-11-20T09:00:04Z trace: [rewrite:trace3] [pid 44] up",
        ),
        // NestJS
        (
            "[Nest] 17  - 11/20/2026, 9:00:10 PM     LOG [Factory] up",
            "2026-11-20T21:00:10Z info: [Factory] up",
        ),
        (
            "nginx: [emerg] no host",
            "1970-01-01T00:00:00Z {service=nginx} fatal: no host",
        ),
        // The name of a logger is a service where it is a word alone.
        (
            "2026-11-20 09:00:00,123 - orders - INFO - up",
            "2026-11-20T09:00:00.123Z {service=orders} info: orders - INFO - up",
        ),
        (
            "2026-11-20 09:00:00,123 - shop.orders - INFO - up",
            "2026-11-20T09:00:00.123Z info: shop.orders - INFO - up",
        ),
        (
            "CRITICAL:billing:gone",
            "1970-01-01T00:00:00Z {service=billing} fatal: billing:gone",
        ),
        ("ERROR: billing: gone", "1970-01-01T00:00:00Z error: billing: gone"),
        (
            "2026-11-20 09:00:00 | WARN | checkout | main | slow",
            "2026-11-20T09:00:00Z {service=checkout} warn: checkout | main | slow",
        ),
        (
            "[2026-11-20T09:00:00Z] [WARN] mailer - slow",
            "2026-11-20T09:00:00Z {service=mailer} warn: mailer - slow",
        ),
        (
            "2026-11-20T09:00:00Z WARN timeout - again",
            "2026-11-20T09:00:00Z warn: timeout - again",
        ),
        (
            "W, [2026-11-20T09:00:06.3 #17]  WARN -- checkout: old",
            "2026-11-20T09:00:06.3Z {service=checkout} warn: -- checkout: old",
        ),
        (
            "2026-11-20 09:00:12 [info     ] finished               [orders] code=200",
            "2026-11-20T09:00:12Z {service=orders} info: finished               [orders] code=200",
        ),
    ]);
}

#[test]
fn what_nobody_caught_is_a_failure() {
    for (text, level) in [
        (
            "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nValueError: x",
            "error",
        ),
        (
            "Exception in thread \"main\" java.lang.Error\n\tat c.Cart.pay(Cart.java:7)",
            "error",
        ),
        (
            "/app/cart.rb:7:in 'pay': no cart (KeyError)\n\tfrom /app/run:3:in '<main>'",
            "error",
        ),
        (
            "/app/cart.js:7\n    throw x;\n    ^\n\nError: x\n    at y (/app/cart.js:7:1)\n}",
            "error",
        ),
        ("panic: no cart\n\ngoroutine 1 [running]:\nmain.main()", "fatal"),
        ("thread 'main' panicked at src/main.rs:7:5:\nno cart", "fatal"),
    ] {
        let expected = format!("1970-01-01T00:00:00Z {level}: {text}");
        let read = rows(&input(), text.as_bytes());
        assert_eq!(read.first(), Some(&expected));
        assert!(read.iter().skip(1).all(|row| row == "continues"), "{read:?}");
    }
    each(&[("/app/cart.js:7", "1970-01-01T00:00:00Z -: /app/cart.js:7")]);
}
