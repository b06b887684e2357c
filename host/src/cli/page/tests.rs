//! The two forms of a fixed list of episodes, compared with golden files. `cargo xtask bless` writes them anew.

use watchpost_detector::Anomaly;

use super::*;

fn episodes() -> Vec<Anomaly> {
    serde_json::from_str(include_str!("tests/episodes.json")).unwrap()
}

fn page(width: usize) -> String {
    let mut page = Vec::new();
    write_table(&episodes(), width, &mut page).unwrap();
    anstream::adapter::strip_str(&String::from_utf8(page).unwrap()).to_string()
}

fn check(width: usize, file: &str) {
    let path = format!("{}/src/cli/page/tests/{file}", env!("CARGO_MANIFEST_DIR"));
    let page = page(width);
    if std::env::var_os("WATCHPOST_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, &page).unwrap();
    }
    assert_eq!(
        page,
        std::fs::read_to_string(&path).unwrap(),
        "{file} differs; `cargo xtask bless` writes it anew"
    );
}

#[test]
fn narrow_pages_hold_blocks() {
    check(80, "80.txt");
}

#[test]
fn wide_pages_hold_a_table() {
    check(200, "200.txt");
}

#[test]
fn every_width_is_kept() {
    use unicode_width::UnicodeWidthStr;
    for width in 40..=240 {
        for line in page(width).lines() {
            assert!(line.width() <= width, "{width}: {line}");
            assert_eq!(line, line.trim_end());
        }
    }
}

#[test]
fn what_would_have_been_normal_is_told_apart_from_what_was_seen_and_left_out_where_it_was_expected() {
    let page = page(200);
    assert!(page.contains("30.81 %") && page.contains("≤ 30.76 %"), "{page}");
    assert!(!page.contains("queue_depth ≤"), "{page}");
}

#[test]
fn numbers_keep_their_units_at_every_width() {
    for width in 40..120 {
        let page = page(width);
        // The log line of this page speaks of milliseconds itself, in its own words.
        for line in page.lines().filter(|line| !line.contains("request")) {
            let start = line.trim_start();
            assert!(
                !["%", "ms", "s,", "MiB", "GiB", "events"]
                    .iter()
                    .any(|unit| start.starts_with(unit)),
                "{width}: {line}"
            );
        }
        assert!(!page.contains(words::GLUE), "what is printed has plain blanks");
    }
}

#[test]
fn severities_have_colours_and_nothing_else_moves_the_terminal() {
    let mut page = Vec::new();
    write_table(&episodes(), 80, &mut page).unwrap();
    let page = String::from_utf8(page).unwrap();
    assert!(page.contains("\u{1b}[1m\u{1b}[31mcritical\u{1b}[0m"), "{page:?}");
    assert!(!page.contains("\u{1b}[2J"), "what a log line holds is text");
}

/// Where most lines are fatal, one more is strange for another reason.
#[test]
fn what_was_seen_is_not_told_as_expected() {
    let mut episode = episodes().remove(0);
    let part = |observed: &str, expected: &str| {
        serde_json::json!({
            "of": "level", "model": "severity", "surprise": 5.0, "observed": observed, "expected": {"value": expected},
        })
    };
    let mut page = |observed: &str, expected: &str| {
        let explanation = serde_json::json!({"contributions": [part(observed, expected)], "counterfactual": []});
        episode.explanation = serde_json::from_value(explanation).unwrap();
        let mut page = Vec::new();
        write_table(&[episode.clone()], 80, &mut page).unwrap();
        anstream::adapter::strip_str(&String::from_utf8(page).unwrap()).to_string()
    };
    let other = page("fatal", "info");
    assert!(
        other.contains("level fatal") && other.contains("expected info"),
        "{other}"
    );
    let same = page("fatal", "fatal");
    assert!(same.contains("level fatal") && !same.contains("expected"), "{same}");
}
