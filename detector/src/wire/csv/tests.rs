use super::super::tests::{check, check_input, rows, rows_of_chunks};
use crate::scorer::Input;
use crate::wire::{Format, MAX_LINE_BYTES};

fn csv(text: &str, expected: &[&str]) {
    check(Format::Csv, text, expected);
}

#[test]
fn columns_are_what_their_first_value_is() {
    csv(
        "timestamp,cpu,host,memory\n\
         2026-11-20 09:00:00,1.5,web,\n\
         2026-11-20T09:01:00Z,-,web,NA\n\
         1795165320, 2e1 ,\"db, 1\",7\n\
         2026-11-20 09:03:00,NaN,,inf\n\
         ,null,web,8\n",
        &[
            "2026-11-20T09:00:00Z {host=web} cpu=1.5",
            "blank",
            "2026-11-20T09:02:00Z {host=db, 1} cpu=20 memory=7",
            "blank",
            "2026-11-20T09:03:00Z {host=web} memory=8",
        ],
    );
}

#[test]
fn names_of_the_time() {
    for name in [
        "timestamp",
        "time",
        "ts",
        "date",
        "datetime",
        "@timestamp",
        "Time",
        "DATE",
        " ts ",
    ] {
        csv(&format!("v,{name}\n1,2026-11-20\n"), &["2026-11-20T00:00:00Z v=1"]);
    }
}

#[test]
fn rows_without_a_time_are_an_interval_apart() {
    csv(
        "value\n1\n\n-\nx\n4\n",
        &[
            "1970-01-01T00:00:00Z value=1",
            "blank",
            "line 5 [value]: \"x\" is not a number, and this column holds numbers: leave the cell empty where there \
             is no value",
            "1970-01-01T00:03:00Z value=4",
        ],
    );
}

#[test]
fn quotes_line_ends_and_marks() {
    csv(
        "\u{feff}ts,\"na\"\"me\",v\r\n1,\"two\nlines\",1\r\n\r\n2,\"a \"\"b\"\"\",x\r\n3,c,3",
        &[
            "1970-01-01T00:00:01Z {na\"me=two\nlines} v=1",
            "line 5 [v]: \"x\" is not a number, and this column holds numbers: leave the cell empty where there is no \
             value",
            "1970-01-01T00:00:03Z {na\"me=c} v=3",
        ],
    );
    csv(
        "\"ts\",\"a\nb\"\n1,2\n3,x\n",
        &[
            "1970-01-01T00:00:01Z a\nb=2",
            "line 4 [a\nb]: \"x\" is not a number, and this column holds numbers: leave the cell empty where there is no \
         value",
        ],
    );
    csv(
        "ts,v\r1,2\r3,4\r",
        &["1970-01-01T00:00:01Z v=2", "1970-01-01T00:00:03Z v=4"],
    );
}

#[test]
fn delimiters() {
    csv("ts;v;host\n1;1,5;a,b\n", &["1970-01-01T00:00:01Z {host=a,b} v=1.5"]);
    csv("ts\tv\thost\n1\t1.5\ta b\n", &["1970-01-01T00:00:01Z {host=a b} v=1.5"]);
    csv("ts,\"v;w\"\n1,2\n", &["1970-01-01T00:00:01Z v;w=2"]);
    csv("\"a,b\";v\nx;2\n", &["1970-01-01T00:00:00Z {a,b=x} v=2"]);
}

#[test]
fn the_subject_can_be_given() {
    let mut input = Input::new(Format::Csv);
    input.subject = Some(vec!["shard".to_owned(), "host".to_owned()]);
    check_input(
        &input,
        b"ts,host,shard,note,v\n1,web,7,hello,2\n",
        &["1970-01-01T00:00:01Z {host=web shard=7} v=2"],
    );
    input.subject = Some(Vec::new());
    check_input(&input, b"ts,host,v\n1,web,2\n", &["1970-01-01T00:00:01Z v=2"]);
    input.subject = Some(vec!["rack".to_owned(), "ts".to_owned()]);
    check_input(
        &input,
        b"ts,host,v\n1,web,2\n",
        &[
            "line 1 [rack]: there is no column \"rack\" for the subject: there are ts, host, v",
            "line 1 [ts]: \"ts\" is the time of a row and cannot be part of its subject",
            "1970-01-01T00:00:01Z v=2",
        ],
    );
}

#[test]
fn odd_headers() {
    csv("ts,v\n", &[]);
    csv("", &[]);
    csv("\n\r\n", &[]);
    csv(",v\n1,2\n", &["1970-01-01T00:00:00Z column1=1 v=2"]);
    csv(
        "column2,column2,v\n1,2,3\n",
        &[
            "line 1 [column2]: two columns are called \"column2\": the second one is read as column2_, give it a name of \
         its own",
            "1970-01-01T00:00:00Z column2=1 column2_=2 v=3",
        ],
    );
    csv(
        "ts,v,v\n1,2,3\n",
        &[
            "line 1 [v]: two columns are called \"v\": the second one is read as column3, give it a name of its own",
            "1970-01-01T00:00:01Z v=2 column3=3",
        ],
    );
    csv(
        "date,time,v\n2026-11-20,09:00,1\n",
        &[
            "line 1 [time]: \"date\" and \"time\" are both times: only the first is read, join them or call the other \
         something else",
            "2026-11-20T00:00:00Z v=1",
        ],
    );
    csv(
        "2026-11-20 09:00:00,1.5,2\n2026-11-20 09:01:00,3,4\n",
        &[
            "line 1: the first line holds numbers where the names of the columns should be: write a header such as \
         timestamp,value above it; it is read as a row, and the columns are called column1 to column3",
            "2026-11-20T09:00:00Z column2=1.5 column3=2",
            "2026-11-20T09:01:00Z column2=3 column3=4",
        ],
    );
    csv(
        "ts,host\n1,web\n",
        &[
            "blank",
            "line 1: no column holds numbers, so there is nothing to watch; the columns are ts, host",
        ],
    );
}

#[test]
fn wide_headers() {
    let input = Input::new(Format::Csv);
    assert_eq!(rows(&input, ",".repeat(500_000).as_bytes()), [""; 0]);
    let twins = rows(&input, "v,".repeat(200_000).as_bytes());
    assert_eq!(twins.len(), 20);
    let long = "n".repeat(100_000);
    let found = rows(&input, format!("{long}\n1\nx\n").as_bytes());
    assert!(found.iter().all(|row| row.len() < 400), "{found:?}");
}

#[test]
fn problems_of_a_row() {
    csv(
        "ts,cpu,host\n1,2,a\n2,2\n3,2,a,b\nsoon,2,a\n5,fast and furious and quite beyond all measure,a\n6,1e999,a\n7,3,a\n",
        &[
            "1970-01-01T00:00:01Z {host=a} cpu=2",
            "line 3: the row has 2 fields, and the header has 3 columns: leave a field empty where there is no value",
            "line 4: the row has 4 fields, and the header has 3 columns: put a field in double quotes where its text holds a separator",
            "line 5 [ts]: the time \"soon\" cannot be read: write RFC 3339 (2026-11-20T09:00:00Z) or Unix seconds, of the years 1678 to 2261",
            "line 6 [cpu]: \"fast and furious and quite beyond all me…\" is not a number, and this column holds \
             numbers: leave the cell empty where there is no value",
            "line 7 [cpu]: the number \"1e999\" is too large: the largest is 1.8e308",
            "1970-01-01T00:00:07Z {host=a} cpu=3",
        ],
    );
    check_input(
        &Input::new(Format::Csv),
        b"ts,cpu,temp \xb0C\n1,2,3\n1,\xff,3\n1,\xc3,\xa9\n1,2,3\n",
        &[
            "1970-01-01T00:00:01Z cpu=2 temp \u{fffd}C=3",
            "line 3: the row is not UTF-8: save the file as UTF-8",
            "line 4: the row is not UTF-8: save the file as UTF-8",
            "1970-01-01T00:00:01Z cpu=2 temp \u{fffd}C=3",
        ],
    );
}

#[test]
fn a_long_row_is_one_problem() {
    let message = "the line is longer than 1048576 bytes and was skipped: split it, or cut its longest part; perhaps a \
                   quote is missing its partner";
    let long = "x".repeat(MAX_LINE_BYTES);
    let full = "x".repeat(MAX_LINE_BYTES - 4);
    let text = format!("ts,v,h\n1,2,{full}\n2,2,{long}\n3,2,\"a\n{long}\n4,2,a\n");
    let input = Input::new(Format::Csv);
    let found = rows(&input, text.as_bytes());
    assert_eq!(found[0], format!("1970-01-01T00:00:01Z {{h={full}}} v=2"));
    assert_eq!(
        found[1..],
        [
            format!("line 3: {message}"),
            format!("line 4: {message}"),
            "1970-01-01T00:00:04Z {h=a} v=2".to_owned(),
        ]
    );
    for size in [1_000, 65_536, MAX_LINE_BYTES, MAX_LINE_BYTES + 1] {
        let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
        assert_eq!(rows_of_chunks(&input, &chunks), found);
    }
    let text = format!("{long}y\nts,v\n1,2\n");
    assert_eq!(
        rows(&input, text.as_bytes()),
        [format!("line 1: {message}"), "1970-01-01T00:00:01Z v=2".to_owned()]
    );
}
