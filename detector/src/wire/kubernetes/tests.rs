use super::super::tests::check;
use super::{cri, prefixed};
use crate::wire::Format;

#[test]
fn the_runtimes_format() {
    check(
        Format::Kubernetes,
        "2026-11-20T09:00:00.5Z stdout F up\n\
         2026-11-20T09:00:01Z stderr F ERROR no\n\
         2026-11-20T09:00:02+01:00 stdout F 2026-11-20T07:00:00Z WARN [cart-service] slow\n\
         2026-11-20T09:00:03Z stdout F \n\
         2026-11-20T09:00:04Z stdout F 10.0.0.9 - - [20/Nov/2026:09:00:03 +0000] \"GET / HTTP/1.1\" 200 5\n",
        &[
            "2026-11-20T09:00:00.5Z -: up",
            "2026-11-20T09:00:01Z error: no",
            "2026-11-20T07:00:00Z {service=cart-service} warn: [cart-service] slow",
            "blank",
            "2026-11-20T09:00:03Z GET / 200 - ms 5 B, route -, upstream -, client 10.0.0.9, flags -",
        ],
    );
}

#[test]
fn partial_lines_are_joined_in_their_stream() {
    check(
        Format::Kubernetes,
        "2026-11-20T09:00:00Z stdout P one \n\
         2026-11-20T09:00:01Z stderr F up\n\
         2026-11-20T09:00:02Z stdout P two \n\
         2026-11-20T09:00:03Z stdout F three\n\
         2026-11-20T09:00:04Z stdout P left",
        &[
            "2026-11-20T09:00:01Z -: up",
            "2026-11-20T09:00:00Z -: one two three",
            "continues",
            "continues",
            "2026-11-20T09:00:04Z -: left",
        ],
    );
}

#[test]
fn traces_are_joined_in_their_stream() {
    check(
        Format::Kubernetes,
        "2026-11-20T09:00:00Z stderr F Traceback (most recent call last):\n\
         2026-11-20T09:00:00Z stdout F up\n\
         2026-11-20T09:00:00Z stderr F   File \"a.py\", line 1, in f\n\
         2026-11-20T09:00:00Z stderr F     1 / 0\n\
         2026-11-20T09:00:00Z stderr F ZeroDivisionError: division by zero\n\
         2026-11-20T09:00:01Z stderr F down\n",
        &[
            "2026-11-20T09:00:00Z -: up",
            "2026-11-20T09:00:00Z error: Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    1 / \
             0\nZeroDivisionError: division by zero",
            "continues",
            "continues",
            "continues",
            "2026-11-20T09:00:01Z -: down",
        ],
    );
}

#[test]
fn names_before_a_line() {
    check(
        Format::Kubernetes,
        "[pod/cart-7f9c5d8b6-x2x4z/app] ERROR no\n\
         cart-7f9c5d8b6-x2x4z app WARN slow\n\
         pay-1  | 2026-11-20T09:00:00Z INFO up\n\
         db_12  | \n\
         db     | ready\n\
         db     |\n",
        &[
            "1970-01-01T00:00:00Z {service=cart} error: no",
            "1970-01-01T00:01:00Z {service=cart} warn: slow",
            "2026-11-20T09:00:00Z {service=pay} info: up",
            "blank",
            "2026-11-20T09:00:00Z {service=db} -: ready",
            "blank",
        ],
    );
}

#[test]
fn what_is_no_prefix() {
    for line in [
        "[pod] up",
        "[pod/a b/c] up",
        "a | b",
        "INFO  | up",
        "2026  | 7",
        "cart-1  |up",
        "cart api  | up",
        "connection-refused-again app up",
        "",
    ] {
        assert_eq!(prefixed(line), None, "of {line}");
    }
    for line in [
        "2026-11-20T09:00:00Z stdlog F up",
        "2026-11-20T09:00:00Z stdout X up",
        "stdout F up",
    ] {
        assert_eq!(cri(line), None, "of {line}");
    }
}

#[test]
fn a_split_line_waits_for_no_more_than_its_end() {
    check(
        Format::Kubernetes,
        "2026-11-20T09:00:00Z stderr P ERROR cannot sta\n\
         2026-11-20T09:00:00Z stderr F rt\n\
         2026-11-20T09:00:01Z stdout F up\n\
         2026-11-20T09:00:02Z stderr F down\n",
        &[
            "2026-11-20T09:00:00Z error: cannot start",
            "continues",
            "2026-11-20T09:00:01Z -: up",
            "2026-11-20T09:00:02Z -: down",
        ],
    );
}

#[test]
fn compose_says_that_a_container_is_gone() {
    check(
        Format::Kubernetes,
        "cart-1 exited with code 137",
        &["1970-01-01T00:00:00Z {service=cart} -: cart-1 exited with code 137"],
    );
}
