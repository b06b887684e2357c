use super::super::super::tests::check_input;
use crate::scorer::Input;
use crate::wire::Format;

/// The lines of each record.
fn check(records: &[&[&str]]) {
    let mut text = String::new();
    let mut expected = Vec::new();
    for record in records {
        text.push_str(&record.join("\n"));
        text.push('\n');
        expected.push(record.join("\n"));
        expected.extend(record.iter().skip(1).map(|_| "continues".to_owned()));
    }
    let mut input = Input::new(Format::Text);
    input.interval_seconds = 1.0.try_into().unwrap();
    let rows = super::super::super::tests::rows(&input, text.as_bytes());
    let rows: Vec<_> = rows
        .iter()
        .map(|row| row.split_once("Z ").map_or(row.as_str(), |(_, rest)| rest))
        .map(|row| row.split_once(": ").map_or(row, |(_, message)| message))
        .collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|text| text.strip_prefix("2026-11-20T09:00:00Z ").unwrap_or(text))
        .map(|text| text.strip_prefix("ERROR ").unwrap_or(text))
        .collect();
    assert_eq!(rows, expected);
}

#[test]
fn java() {
    check(&[
        &[
            "2026-11-20T09:00:00Z ERROR no",
            "java.lang.IllegalStateException: empty",
            "\tat c.shop.Cart.pay(Cart.java:7)",
            "\tat c.shop.Cart$1.run(Unknown Source)",
            "\tSuppressed: java.io.IOException",
            "\t\t... 2 more",
            "Caused by: java.io.IOException: gone",
            "\t... 17 more",
        ],
        &["2026-11-20T09:00:00Z up"],
    ]);
    check(&[
        &["up"],
        &[
            "Exception in thread \"main\" java.lang.RuntimeException: no",
            "\tat c.shop.Cart.main(Cart.java:7)",
            "Caused by: java.io.IOException: gone",
            "\t... 1 more",
        ],
        &["down"],
    ]);
}

#[test]
fn python() {
    let trace = [
        "Traceback (most recent call last):",
        "  File \"/app/cart.py\", line 7, in pay",
        "    return 1 / 0",
        "ZeroDivisionError: division by zero",
        "",
        "During handling of the above exception, another exception occurred:",
        "",
        "Traceback (most recent call last):",
        "  File \"/app/cart.py\", line 9, in pay",
        "    raise CartError",
        "cart.CartError",
    ];
    check(&[&["up"], &trace, &["down"]]);
    let mut logged = vec!["ERROR root: no"];
    logged.extend(trace);
    check(&[&["up"], &logged, &["down"]]);
    let mut stamped = vec!["2026-11-20T09:00:00Z ERROR no"];
    stamped.extend(trace);
    check(&[&stamped, &["2026-11-20T09:00:00Z up"]]);
}

#[test]
fn go() {
    let panic = [
        "panic: runtime error: index out of range [5] with length 3",
        "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x45f]",
        "",
        "goroutine 1 [running]:",
        "main.pay(0xc000012345)",
        "\t/app/cart.go:7 +0x1d",
        "main.(*Cart).run(...)",
        "\t/app/cart.go:9",
        "created by main.main",
        "\t/app/main.go:3 +0x5",
        "",
        "goroutine 7 [chan receive, 2 minutes]:",
        "main.wait()",
        "\t/app/cart.go:30 +0x1d",
        "exit status 2",
    ];
    check(&[&["2026-11-20T09:00:00Z up"], &panic, &["2026-11-20T09:00:00Z up"]]);
    check(&[&["up"], &panic, &["down"]]);
    check(&[
        &[
            "2026-11-20T09:00:00Z http: panic serving 10.0.0.9:5: no",
            "goroutine 21 [running]:",
            "net/http.(*conn).serve.func1()",
            "\t/usr/local/go/src/net/http/server.go:1801 +0xb9",
            "panic({0x6a1f40, 0xc000110})",
            "\t/usr/local/go/src/runtime/panic.go:1047 +0x266",
        ],
        &["2026-11-20T09:00:00Z up"],
    ]);
}

#[test]
fn node_ruby_and_dotnet() {
    check(&[
        &["up"],
        &[
            "/app/cart.js:7",
            "    throw new Error('no');",
            "    ^",
            "",
            "Error: no",
            "    at pay (/app/cart.js:7:11)",
            "    at node:internal/main/run_main_module:17:47",
            "",
            "Node.js v20.9.0",
        ],
        &["down"],
        &[
            "TypeError: no",
            "    at async /app/cart.js:7:11",
            "    at new Cart (<anonymous>)",
        ],
        &["failed to pay", "    at pay (/app/cart.js:7:11)"],
    ]);
    check(&[
        &["up"],
        &[
            "cart.rb:7:in 'pay': no (CartError)",
            "\tfrom cart.rb:9:in 'block in run'",
            "\tfrom cart.rb:12:in '<main>'",
        ],
        &["down"],
    ]);
    check(&[
        &[
            "Unhandled exception. System.InvalidOperationException: no",
            " ---> System.IO.IOException: gone",
            "   at Shop.Cart.Read() in /app/Cart.cs:line 7",
            "   --- End of inner exception stack trace ---",
            "   at Shop.Cart.Pay()",
        ],
        &["info: Shop.Cart[0]", "      paid", "      thanks"],
        &["fail: Shop.Cart[7]", "      refused"],
    ]);
}

#[test]
fn php_and_rust() {
    check(&[
        &[
            "2026-11-20T09:00:00Z PHP Fatal error:  Uncaught CartException: no in /app/cart.php:7",
            "Stack trace:",
            "#0 /app/index.php(3): pay()",
            "#1 {main}",
            "  thrown in /app/cart.php on line 7",
        ],
        &["2026-11-20T09:00:00Z up"],
    ]);
    check(&[
        &["up"],
        &[
            "thread 'main' panicked at src/main.rs:7:5:",
            "no",
            "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace",
            "stack backtrace:",
            "   0: cart::pay",
            "             at ./src/main.rs:7:5",
        ],
        &["down"],
    ]);
}

#[test]
fn messages_of_several_lines() {
    check(&[
        &["2026-11-20T09:00:00Z slow: SELECT *", "\tFROM cart", "  WHERE id = 7"],
        &["2026-11-20T09:00:00Z got {", "  \"a\": 1", "}"],
        &["2026-11-20T09:00:00Z up"],
    ]);
    // What says of itself that it is a record is one.
    check(&[
        &["2026-11-20T09:00:00Z up"],
        &["ERROR no"],
        &["{\"msg\":\"up\"}"],
        &["2026-11-20T09:00:00Z up"],
    ]);
}

#[test]
fn where_no_line_has_a_time_each_is_a_record() {
    check(&[
        &["up"],
        &["  at last"],
        &["down"],
        &["\tthen up"],
        &["at c.Cart.pay(Cart.java:7)"],
    ]);
}

#[test]
fn where_most_lines_have_no_time_they_are_records() {
    let plain: Vec<&[&str]> = vec![&["up"]; 20];
    let mut records: Vec<&[&str]> = plain.clone();
    records.push(&["2026-11-20T09:00:00Z up"]);
    records.extend(plain);
    check(&records);
}

#[test]
fn blank_lines_end_a_record() {
    let mut input = Input::new(Format::Text);
    input.year = 2026;
    check_input(
        &input,
        b"2026-11-20T09:00:00Z no\n  x\n\n\nup\n",
        &[
            "2026-11-20T09:00:00Z -: no\n  x",
            "continues",
            "blank",
            "blank",
            "2026-11-20T09:00:00Z -: up",
        ],
    );
}

#[test]
fn java_util_logging_has_its_level_on_the_second_line() {
    check_input(
        &Input::new(Format::Text),
        b"Nov 20, 2026 9:00:00 PM c.shop.Cart pay\nSEVERE: no\njava.io.IOException: gone\n\tat c.Cart.pay(Cart.java:7)\n\
          Nov 20, 2026 12:00:01 AM c.shop.Cart pay\nINFO: up\n",
        &[
            "2026-11-20T21:00:00Z error: c.shop.Cart pay\nSEVERE: no\njava.io.IOException: gone\n\tat \
             c.Cart.pay(Cart.java:7)",
            "continues",
            "continues",
            "continues",
            "2026-11-20T00:00:01Z info: c.shop.Cart pay\nINFO: up",
            "continues",
        ],
    );
}

#[test]
fn a_record_is_bounded() {
    let mut text = "2026-11-20T09:00:00Z no\n".to_owned();
    text.push_str(&" x\n".repeat(1_200));
    let rows = super::super::super::tests::rows(&Input::new(Format::Text), text.as_bytes());
    assert_eq!(rows.len(), 1_201);
    assert_eq!(rows[0].lines().count(), 500);
    assert!(rows[1..].iter().all(|row| row == "continues"));
}

#[test]
fn what_has_been_flushed_can_still_be_continued() {
    use crate::wire::{Reader, Row};
    let mut rows = Vec::new();
    let mut note = |row: Row<'_>| rows.push(matches!(row, Row::Continues));
    let mut reader = Reader::new(&Input::new(Format::Text), None);
    reader.read(b"2026-11-20T09:00:00Z no\n", &mut note);
    reader.flush(&mut note);
    reader.read(b"  x\n", &mut note);
    reader.read(b"2026-11-20T09:00:00Z up\n", &mut note);
    reader.finish(&mut note);
    assert_eq!(rows, [false, true, false]);
}
