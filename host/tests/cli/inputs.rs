//! What is read: files, folders, pipes, packed ones, and what is wrong with them.

use std::io::Write;

use flate2::write::GzEncoder;

use super::{fed, file, folder, metrics, run, stderr, stdout, watchpost};

#[test]
fn inputs_that_are_not_there_are_named_before_anything_is_scored() {
    let (folder, path) = folder();
    let output = run(&["score", "--output", "ndjson", &path, "missing.csv"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "");
    assert!(
        stderr(&output).starts_with("error: missing.csv: there is no such file"),
        "{}",
        stderr(&output)
    );
    let near = run(&["score", &path.replace("metrics", "metric")]);
    assert_eq!(near.status.code(), Some(1));
    assert!(
        stderr(&near).contains(&format!("did you mean {path}?")),
        "{}",
        stderr(&near)
    );
    let none = run(&["score", &format!("{}/*.log", folder.path().display())]);
    assert_eq!(none.status.code(), Some(1));
    assert!(
        stderr(&none).contains("no file matches this pattern"),
        "{}",
        stderr(&none)
    );
}

#[test]
fn folders_and_patterns_stand_for_their_files() {
    let (folder, path) = folder();
    let root = folder.path().display();
    file(&folder, ".hidden.csv", b"not,read\n");
    file(&folder, "logo.png", b"\x89PNG\r\n\x1a\n\0");
    let expected = run(&["score", "--scores", "--quiet", &path]).stdout;
    let whole = run(&["score", "--scores", &root.to_string()]);
    assert!(whole.stdout == expected, "{}", stderr(&whole));
    assert!(stderr(&whole).contains("logo.png (a picture)"), "{}", stderr(&whole));
    assert!(run(&["score", "--scores", "--quiet", &format!("{root}/*.c?v")]).stdout == expected);

    let parts: Vec<String> = [("app.log", 3), ("app.log.1", 2), ("app.log.2", 1)]
        .iter()
        .map(|(name, minute)| {
            file(
                &folder,
                name,
                format!("2026-03-02T14:0{minute}:00Z INFO up\n").as_bytes(),
            )
        })
        .collect();
    let rotated = run(&["score", "--output", "json", &parts[0], &parts[1], &parts[2]]);
    assert!(
        stderr(&rotated).contains("app.log: its parts are read oldest first"),
        "{}",
        stderr(&rotated)
    );
    let report: serde_json::Value = serde_json::from_slice(&rotated.stdout).unwrap();
    assert_eq!(report["input"][0]["name"], *parts[2]);
    assert_eq!(report["input"][2]["name"], *parts[0]);

    for minute in 0..9 {
        let row = format!("{{\"time\": \"2026-03-02T14:0{minute}:00Z\", \"a\": 1}}\n");
        file(&folder, &format!("{minute}.ndjson"), row.as_bytes());
    }
    let many = run(&["score", &format!("{root}/*.ndjson")]);
    assert!(
        stderr(&many).contains("2.ndjson and 6 more: read as JSON"),
        "{}",
        stderr(&many)
    );
    let empty = file(&folder, "empty.log", b"");
    assert!(stderr(&run(&["score", &empty])).contains("empty.log: it is empty"));
}

#[test]
fn rows_that_cannot_be_read_are_named_and_the_others_are_scored() {
    let (folder, _) = folder();
    let rows: String = (0..30).map(|row| format!("{row},x\n")).collect();
    let path = file(
        &folder,
        "some.csv",
        format!("a,b\n1,2\n{rows}3,4\n").replace("0,x", "0,x,y").as_bytes(),
    );
    let output = run(&["score", "--quiet", &path]);
    assert!(output.status.success(), "{}", stderr(&output));
    let first = stderr(&output).lines().next().unwrap();
    assert!(first.starts_with(&format!("{path}:3: ")), "{first}");
}

#[test]
fn a_subject_that_is_not_there_is_a_mistake_of_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(
        &folder,
        "some.csv",
        b"time,service,cpu\n2026-03-02,cart,1\n2026-03-03,cart,2\n",
    );
    for form in [&["--output", "json"][..], &["--output", "table"], &["--scores"]] {
        for (column, fault) in [
            (
                "servce",
                "there is no column \"servce\" for the subject: there are time, service, cpu",
            ),
            (
                "time",
                "\"time\" is the time of a row and cannot be part of its subject",
            ),
        ] {
            let output = run(&[&["score", "--quiet", "--subject", column, &path], form].concat());
            assert_eq!(output.status.code(), Some(2));
            assert_eq!(stdout(&output), "");
            assert_eq!(stderr(&output), format!("error: --subject: {path}: {fault}\n"));
        }
    }
    assert!(run(&["score", "--subject", "service", &path]).status.success());
}

#[test]
fn tables_are_told_from_logs() {
    for input in ["name;cpu\nx;1,5\ny;2\n", "name\tcpu\nx\t1.5\ny\t2\n", "cpu\n1\n2\n"] {
        let output = fed(&mut watchpost(&["score", "--scores", "-"]), input.as_bytes());
        let said = stderr(&output);
        assert!(said.contains("stdin: read as CSV"), "{said}");
        assert!(!said.contains("could not be read"), "{said}");
        assert_eq!(stdout(&output).lines().count(), 2);
    }
}

#[test]
fn packing_and_pipes_change_nothing() {
    let (folder, path) = folder();
    let expected = run(&["score", "--scores", "--quiet", &path]).stdout;
    let csv = metrics();
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(csv.as_bytes()).unwrap();
    let gzip = encoder.finish().unwrap();
    let zstd = zstd::encode_all(csv.as_bytes(), 1).unwrap();
    for (name, content) in [("a.csv.gz", &gzip), ("b.zst", &zstd), ("misnamed.log", &gzip)] {
        let path = file(&folder, name, content);
        assert!(
            run(&["score", "--scores", "--quiet", &path]).stdout == expected,
            "{name}"
        );
    }
    for content in [csv.as_bytes(), &gzip, &zstd] {
        assert!(fed(&mut watchpost(&["score", "--scores", "--quiet", "-"]), content).stdout == expected);
        assert!(fed(&mut watchpost(&["score", "--scores", "--quiet"]), content).stdout == expected);
    }
    let native = run(&["score", "--scores", "--quiet", "--engine", "native", &path]);
    assert!(native.stdout == expected, "the engines differ");
}

#[test]
fn feedback_that_is_wrong_is_named_by_line() {
    let (folder, path) = folder();
    let feedback = file(
        &folder,
        "feedback",
        b"{\"row\": 1, \"label\": \"fine\"}\n{\"row\": -2}\n",
    );
    let output = run(&["score", "--feedback", &feedback, &path]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains(&format!("{feedback}:2:")),
        "{}",
        stderr(&output)
    );
}
