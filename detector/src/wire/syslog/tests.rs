use super::super::tests::check_input;
use crate::scorer::Input;
use crate::wire::Format;

fn each(cases: &[(&str, &str)]) {
    let mut input = Input::new(Format::Syslog);
    input.year = 2026;
    for (line, expected) in cases {
        check_input(&input, line.as_bytes(), &[expected]);
    }
}

#[test]
fn rfc_5424() {
    each(&[
        (
            "<165>1 2026-11-20T09:00:00.003Z db01 cart 71 ID47 [ex@1 iut=\"3\" a=\"x\\\"] y\"][b@1] \u{feff}refused",
            "2026-11-20T09:00:00.003Z {service=cart} notice: refused",
        ),
        (
            "<11>1 2026-11-20T09:00:00-08:00 db01 cart - - - {\"x\": unclosed",
            "2026-11-20T17:00:00Z {service=cart} error: {\"x\": unclosed",
        ),
        ("<14>1 - - - - - - up", "1970-01-01T00:00:00Z info: up"),
        (
            "<14>1 2026-11-20T09:00:00Z db01 cart 71 - [x no end",
            "2026-11-20T09:00:00Z {service=cart} info: [x no end",
        ),
    ]);
}

#[test]
fn rfc_3164_and_journald() {
    each(&[
        (
            "<34>Nov 20 09:00:00 db01 su: 'su root' failed",
            "2026-11-20T09:00:00Z {service=su} fatal: 'su root' failed",
        ),
        (
            "<13>Nov 20 09:00:00 cart[71]: refused",
            "2026-11-20T09:00:00Z {service=cart} notice: refused",
        ),
        (
            "Nov 20 09:00:00.123456 db01 systemd[1]: Started cart.service.",
            "2026-11-20T09:00:00.123456Z {service=systemd} -: Started cart.service.",
        ),
        (
            "2026-11-20T09:00:00+0100 db01 cart[71]: refused",
            "2026-11-20T08:00:00Z {service=cart} -: refused",
        ),
        (
            "2026-11-20T09:00:00.5+00:00 db01 cart: refused",
            "2026-11-20T09:00:00.5Z {service=cart} -: refused",
        ),
        (
            "Fri 2026-11-20 09:00:00 UTC db01 cart[71]: refused",
            "2026-11-20T09:00:00Z {service=cart} -: refused",
        ),
        (
            "1795165200.125000 db01 cart[71]: refused",
            "2026-11-20T09:00:00.125Z {service=cart} -: refused",
        ),
        (
            "Nov 20 09:00:00 db01 kernel: [   12.3] oops",
            "2026-11-20T09:00:00Z {service=kernel} -: [   12.3] oops",
        ),
        (
            "Nov 20 09:00:00 db01 last message repeated 2 times",
            "2026-11-20T09:00:00Z -: db01 last message repeated 2 times",
        ),
        (
            "2026-11-20 09:00:00 lost connection: refused",
            "2026-11-20T09:00:00Z -: lost connection: refused",
        ),
        (
            "2026-11-20T09:00:00Z info cart: up",
            "2026-11-20T09:00:00Z -: info cart: up",
        ),
        ("-- Boot 5f1e --", "1970-01-01T00:00:00Z -: -- Boot 5f1e --"),
    ]);
}

#[test]
fn what_is_inside() {
    each(&[
        (
            "<14>Nov 20 09:00:00 db01 cart[71]: 2026-11-20T09:00:01Z ERROR no",
            "2026-11-20T09:00:01Z {service=cart} error: no",
        ),
        (
            "<190>Nov 20 09:00:00 web1 nginx: 10.0.0.9 - - [20/Nov/2026:09:00:02 +0000] \"GET / HTTP/1.1\" 200 5",
            "2026-11-20T09:00:02Z {service=nginx} GET / 200 - ms 5 B, route -, upstream -, client 10.0.0.9, flags -",
        ),
    ]);
}

#[test]
fn traces_come_line_by_line() {
    let mut input = Input::new(Format::Syslog);
    input.year = 2026;
    check_input(
        &input,
        b"Nov 20 09:00:00 db01 cart[71]: java.io.IOException: no\nNov 20 09:00:00 db01 su: hi\n\
          Nov 20 09:00:00 db01 cart[71]: \tat c.Cart.pay(Cart.java:7)\n",
        &[
            "2026-11-20T09:00:00Z {service=su} -: hi",
            "2026-11-20T09:00:00Z {service=cart} error: java.io.IOException: no\n\tat c.Cart.pay(Cart.java:7)",
            "continues",
        ],
    );
}

#[test]
fn a_header_alone_is_a_record() {
    each(&[
        ("<15>1 2026-11-20T09:00:03Z - - - - -", "2026-11-20T09:00:03Z debug: "),
        (
            "<165>1 2026-11-20T09:00:01Z db01 cart - ID47 [a@1 iut=\"3\"][b@1 class=\"high\"]",
            "2026-11-20T09:00:01Z {service=cart} notice: ",
        ),
        (
            "<14>Nov 20 09:00:12 web1 cart[3]: ",
            "2026-11-20T09:00:12Z {service=cart} info: ",
        ),
        (
            "<12>Nov 20 09:00:13 münchen grüße: niedrig",
            "2026-11-20T09:00:13Z {service=grüße} warn: niedrig",
        ),
    ]);
}

#[test]
fn levels_in_small_letters_count_where_there_is_no_other() {
    each(&[
        (
            "Nov 20 09:00:02 web1 sshd[42]: error: closed",
            "2026-11-20T09:00:02Z {service=sshd} error: error: closed",
        ),
        (
            "<14>1 2026-11-20T09:00:02Z web1 cart 17 - - error: none found",
            "2026-11-20T09:00:02Z {service=cart} info: error: none found",
        ),
        (
            "2026-11-20T09:00:02+00:00 web1 nginx-ingress[9]: W1120 09:00:02.249000       9 controller.go:12] gone",
            "2026-11-20T09:00:02.249Z {service=nginx-ingress} warn: controller.go:12] gone",
        ),
    ]);
}
