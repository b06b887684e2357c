//! What is masked and what is not, by example.

use proptest::prelude::*;

use super::*;

fn masked(message: &str) -> String {
    let mut tokens = Tokens::default();
    tokens.read(message);
    let (mut text, mut spans) = (String::new(), Vec::new());
    tokens.write(message, &mut text, &mut spans);
    assert_eq!(spans.len(), tokens.tokens.len(), "{message}");
    text
}

#[track_caller]
fn check(table: &[(&str, &str)]) {
    for (message, expected) in table {
        assert_eq!(&masked(message), expected, "{message}");
    }
}

#[test]
fn numbers() {
    check(&[
        ("took 5 ms", "took <*> ms"),
        ("took 5021ms, read 12kB", "took <*>, read <*>"),
        ("load -0.75 of +3.5e-7", "load <*> of <*>"),
        ("used 93% of disk", "used <*> of disk"),
        ("(93%)", "(<*>)"),
        ("done 3.", "done <*>."),
        ("page 3/4", "page <*>/<*>"),
        ("offset 0x7ffe12, colour deadbeef", "offset <*>, colour <*>"),
        ("retry #7", "retry #<*>"),
        ("size 93.0 B, free 5.1 KiB", "size <*>, free <*>"),
        ("read 93 Bytes of 3 GBs", "read <*> Bytes of <*> GBs"),
        ("enabled......1", "enabled......<*>"),
        ("core.4711 written", "core.<*> written"),
    ]);
}

#[test]
fn identifiers_and_names() {
    check(&[
        ("task_0007_m_03 of job_12", "<*> of <*>"),
        ("blk_-1234 gone", "<*> gone"),
        ("worker-3 up", "<*> up"),
        ("ssh2 and ipv6 by log4j", "ssh2 and ipv6 by log4j"),
        ("id 6f1c2b9e-02aa-4c6b-9f0e-5d7f1b2c3d4e", "id <*>"),
        ("read-only mode is decade old", "read-only mode is decade old"),
        ("object Cart@1f3a9b", "object Cart@<*>"),
        ("to ann@example.org.", "to <*>."),
        ("__init__ -- done ...", "__init__ -- done ..."),
        ("on=true off=False left=null", "on=<*> off=<*> left=<*>"),
    ]);
}

#[test]
fn addresses_and_times() {
    check(&[
        ("from 10.1.2.3:8080", "from <*>:<*>"),
        ("from /10.1.2.3:8080", "from <*>:<*>"),
        ("from db.shop.local:5432", "from <*>:<*>"),
        ("net 10.1.0.0/16", "net <*>/<*>"),
        ("peer fe80::1:2 mac 0a:1b:2c:3d:4e:5f", "peer <*> mac <*>"),
        ("at 12:30:59.123", "at <*>"),
        ("at 2024-05-06T07:08:09.123+02:00", "at <*>"),
        ("at 2024-05-06 07:08:09,123", "at <*>"),
        ("on 24/12/2024", "on <*>"),
        ("lasted 00:07", "lasted <*>"),
        ("at Sat Jul  9 22:53:19 2005", "at <*>"),
        ("at Sat Jul 09 22:53:19 CEST 2005 ok", "at <*> ok"),
        ("Date: Wed, 21 Oct 2015 07:28:00 GMT", "Date: <*>"),
        ("Oct 21 07:28:00 WARN disk", "<*> WARN disk"),
        ("Mar is a planet, Sun 3 is not", "Mar is a planet, Sun <*> is not"),
    ]);
}

#[test]
fn paths_and_quotes() {
    check(&[
        ("open /var/lib/x.db: denied", "open <*>: denied"),
        ("open ./a/b", "open <*>"),
        ("open ../a", "open <*>"),
        ("open ~/a ~b", "open <*> ~b"),
        (r"open C:\Temp\x, ok", "open <*>, ok"),
        ("load/store and n/a", "load/store and n/a"),
        ("get https://shop.example/cart?id=3 ok", "get <*> ok"),
        ("tag=\"two words\", x", "tag=\"<*>\", x"),
        ("tag=\"word\"", "tag=\"word\""),
        ("\"GET /cart HTTP/1.1\" 200", "\"GET <*> HTTP/<*>\" <*>"),
        ("can't open peer's file", "can't open peer's file"),
    ]);
}

#[test]
fn lists_of_values_are_one_value() {
    check(&[
        ("delete blk_11 blk_12 blk_13", "delete <*>"),
        ("sizes (1, 22)", "sizes (<*>, <*>)"),
    ]);
    let mut one = Tokens::default();
    let mut many = Tokens::default();
    one.read("delete blk_11");
    many.read("delete  blk_11 12\t13 ");
    assert_eq!(one.key(), many.key());
}

#[test]
fn white_space_does_not_matter() {
    check(&[
        ("", ""),
        ("  a \t b  ", "a b"),
        ("a ,  b", "a , b"),
        ("\u{e9}t\u{e9} ", "\u{e9}t\u{e9}"),
    ]);
}

#[test]
fn order_matters() {
    let mut one = Tokens::default();
    let mut other = Tokens::default();
    one.read("a b");
    other.read("b a");
    assert_ne!(one.key(), other.key());
}

#[test]
fn long_messages_end_in_a_wildcard() {
    let words = "word ".repeat(1000);
    let text = masked(&words);
    assert!(text.ends_with("word <*>"), "{text}");
    assert!(text.len() < 3 * MAX_BYTES);
    let text = masked(&"x".repeat(5000));
    assert_eq!(text, WILDCARD);
    let text = masked(&"tick, tock; ".repeat(500));
    assert!(text.ends_with("<*>"), "{text}");
    let text = masked(&format!("{}7", "=".repeat(MAX_BYTES)));
    assert!(text.ends_with("=<*>"), "{text}");
}

fn shape(message: &str) -> Option<u64> {
    Shape::default().of(message)
}

#[test]
fn values_have_one_shape_and_names_have_another() {
    let same = |one, other| assert_eq!(shape(one), shape(other), "{one} | {other}");
    same("took 5 ms", "took 70123 ms");
    same("blk_-1234 of 10.0.0.100:8080", "blk_-91 of 192.168.110.123:54106");
    same("2024-05-06 07:08:09,123 x", "2025-11-30 21:00:17,001 x");
    same(
        &format!("{} 7", "a".repeat(130)),
        &format!("{} {}", "a".repeat(130), "7".repeat(100)),
    );
    let apart = |one, other| assert_ne!(shape(one), shape(other), "{one} | {other}");
    apart("by ssh1", "by ssh2");
    apart("by ssh1", "by ssh11");
    apart("at 12:30", "at 12:300");
    apart("took 5 ms", "took 5  ms");
    apart("a b", "b a");
    apart("", "0");
    apart("0", "00:0");
    assert_eq!(shape(&"7".repeat(MAX_BYTES + 1)), None);
    assert!(shape(&"7".repeat(MAX_BYTES)).is_some());
}

/// Where digits are read as parts of something.
fn pieces() -> impl Strategy<Value = Vec<(String, String, String)>> {
    let before = prop_oneof![
        r"[ -/:-@\[-`{-~a-gxTZ\\\t\x01é]{0,3}",
        Just(" Jul ".to_owned()),
        Just(", Mar, ".to_owned()),
        Just(" Wed Oct 21 07:28:".to_owned()),
        Just(" CEST ".to_owned()),
        Just(" db.x:".to_owned()),
        Just("T".to_owned()),
        Just(":".to_owned()),
        Just(",".to_owned()),
        Just(" ".to_owned()),
        "[a-f:]{1,12}",
        "[a-z ]{50,70}",
    ];
    prop::collection::vec((before, "[0-9]{1,7}", "[0-9]{1,7}|[0-9]{60,70}"), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// One message, and another that has other digits where it has digits.
    #[test]
    fn messages_of_one_shape_have_the_same_tokens(pieces in pieces(), changed in any::<u8>(), end in "[:,%/@a-z kB.]{0,2}") {
        let (mut one, mut other) = (String::new(), String::new());
        for (at, (before, digits, others)) in pieces.iter().enumerate() {
            one += before;
            one += digits;
            other += before;
            other += if changed >> at & 1 == 1 { others } else { digits };
        }
        one += &end;
        other += &end;
        if shape(&one) == shape(&other) {
            let mut tokens = [Tokens::default(), Tokens::default()];
            tokens[0].read(&one);
            tokens[1].read(&other);
            prop_assert_eq!(tokens[0].masked, tokens[1].masked, "{} | {}", one, other);
            prop_assert_eq!(tokens[0].key(), tokens[1].key(), "{} | {}", one, other);
        }
    }
}
