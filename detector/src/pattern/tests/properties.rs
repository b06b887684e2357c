//! What holds for every expression, every line and every cut.

use super::*;
use std::fmt::Write as _;

use filter::Filter;
use fuzzy::Phrase;

/// An expression and a text in which it is found.
fn expression(random: &mut Random, depth: u32) -> (String, String) {
    const WORDS: [&str; 8] = ["timeout", "x.y", "Disk", "a", "été", "[ok]", "9", "no-space"];
    let pick = |random: &mut Random, most: usize| random.below(most);
    match pick(random, if depth == 0 { 3 } else { 9 }) {
        0 | 1 => {
            let word = WORDS[pick(random, 8)];
            (regex_lite::escape(word), word.to_owned())
        }
        2 => {
            let (class, text) = [
                (r"\d", "7"),
                ("[a-c]", "b"),
                (".", "é"),
                (r"\w", "_"),
                ("[Tt]", "T"),
                ("[^ab]", "z"),
            ][pick(random, 6)];
            (class.to_owned(), text.to_owned())
        }
        3..=5 => {
            let (a, b) = (expression(random, depth - 1), expression(random, depth - 1));
            (a.0 + &b.0, a.1 + &b.1)
        }
        6 => {
            let (a, b) = (expression(random, depth - 1), expression(random, depth - 1));
            let text = if pick(random, 2) == 0 { a.1 } else { b.1 };
            (format!("(?:{}|{})", a.0, b.0), text)
        }
        7 => {
            let (inner, text) = expression(random, depth - 1);
            let (times, count) = [
                ("?", 0),
                ("*", 0),
                ("+", 2),
                ("{2}", 2),
                ("{1,3}", 3),
                ("{0,2}", 0),
                ("??", 1),
            ][pick(random, 7)];
            (format!("(?:{inner}){times}"), text.repeat(count))
        }
        _ => {
            let (inner, text) = expression(random, depth - 1);
            (format!("(?<n{depth}>{inner})"), text)
        }
    }
}

#[test]
fn the_filter_lets_everything_through_that_an_expression_finds() {
    let mut random = Random::new(7, 0);
    let (mut found, mut looked) = (0, 0);
    for _ in 0..20_000 {
        let (text, part) = expression(&mut random, 4);
        // The same group twice is no expression.
        let Ok(regex) = Regex::new(&text) else { continue };
        let line = format!("well, {part} then");
        assert!(regex.is_match(&line), "{text} in {line}");
        looked += 1;
        let shape = literal::shape(&text);
        let Some(literals) = shape.literals else { continue };
        let filter = Filter::new(literals.iter().map(|text| (0, text.as_str())));
        let mut through = false;
        filter.scan(line.to_ascii_uppercase().as_bytes(), |_| through = true);
        filter.scan(line.as_bytes(), |_| through = true);
        assert!(through, "{text} needs {literals:?}, and is found in {line}");
        found += 1;
    }
    assert!(looked > 10_000 && found > 3_000, "{looked} {found}");
}

#[test]
fn what_is_whole_needs_no_expression() {
    for (text, whole) in [
        ("(?i)connection refused|econnrefused", true),
        ("(?i)no (?:disk|free) space", true),
        ("connection refused", false),
        (r"(?i)\bthrottled\b", false),
        ("(?i)disk full$", false),
        ("(?i)disk.full", false),
        ("(?i)disk(?-i)FULL", false),
    ] {
        let shape = literal::shape(text);
        assert_eq!(shape.whole, whole, "{text}: {shape:?}");
    }
}

#[test]
fn the_filter_finds_texts_wherever_they_stand() {
    let texts = ["deadlock", "refused", "enospc", "lock"];
    for stride in 1..=texts.len() {
        let texts = &texts[..stride];
        let filter = Filter::new(texts.iter().copied().enumerate());
        for before in 0..12 {
            for (index, text) in texts.iter().enumerate() {
                let line = format!("{}{}x", "-".repeat(before), text.to_uppercase());
                let mut found = Vec::new();
                filter.scan(line.as_bytes(), |of| found.push(of));
                assert!(found.contains(&index), "{line}");
            }
        }
    }
}

/// The least number of bytes to change so that the phrase stands somewhere in the line.
fn distance(phrase: &[u8], line: &[u8]) -> usize {
    let mut row: Vec<usize> = vec![0; line.len() + 1];
    for (i, a) in phrase.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in line.iter().enumerate() {
            let same = usize::from(!a.eq_ignore_ascii_case(b));
            next.push((row[j] + same).min(row[j + 1] + 1).min(next[j] + 1));
        }
        row = next;
    }
    row.into_iter().min().unwrap_or(phrase.len())
}

fn a_config() -> &'static str {
    r#"{"patterns": {"rules": [
        {"name": "boom", "when": {"regex": "boom(?<id>\\d*)"}},
        {"name": "any", "alarm": false, "when": {"regex": "\\d"}},
        {"name": "phrase", "when": {"fuzzy": {"phrase": "disk quota exceeded"}}},
        {"name": "words", "when": {"fuzzy": {"phrase": "shard replica lost", "similarity": 0.6}}},
        {"name": "then", "when": {"sequence": {"first": {"regex": "stop"}, "then": {"pattern": "boom"},
            "within_seconds": 40}}},
        {"name": "without", "when": {"sequence": {"first": {"pattern": "timeout"}, "then": {"regex": "start"},
            "within_seconds": 100, "absent": true, "by": "session"}}},
        {"name": "rate", "when": {"rate": {"of": {"pattern": "timeout"}, "count": 4, "window_seconds": 60}}},
        {"name": "lasting", "when": {"rate": {"of": {"pattern": "timeout"}, "count": 4, "window_seconds": 60,
            "for_seconds": 90}}},
        {"name": "spike", "when": {"spike": {"of": {"regex": "boom"}, "window_seconds": 60, "least": 3}}},
        {"name": "growth", "when": {"growth": {"of": {"pattern": "boom"}, "window_seconds": 300, "value": "id",
            "threshold": 0.1}}},
        {"name": "periodic", "when": {"periodic": {"of": {"regex": "stop"}, "times": 3, "tolerance": 0.5}}},
        {"name": "absence", "when": {"absence": {"of": {"regex": "start"}, "within_seconds": 77}}},
        {"name": "odd", "when": {"surprise": 1}}
    ]}}"#
}

fn lines() -> impl Strategy<Value = Vec<(i64, String, bool)>> {
    let message = prop_oneof![
        "boom[0-9]{0,3}",
        Just("stop".to_owned()),
        Just("start".to_owned()),
        Just("read timed out".to_owned()),
        Just("disk qouta exceeded".to_owned()),
        Just("lost the replica of a shard".to_owned()),
        ".{0,40}",
    ];
    proptest::collection::vec((0_i64..60, message, any::<bool>()), 1..120)
}

fn say(watch: &mut Watch, at: &mut i64, (gap, message, session): &(i64, String, bool)) {
    *at += gap;
    let said = Said {
        session: session.then_some("s"),
        ..said(*at, message)
    };
    watch.line(said);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_snapshot_anywhere_changes_nothing(lines in lines(), cut in 0.0_f64..1.0) {
        let cut = (cut * lines.len() as f64) as usize;
        let (mut whole, mut parts) = (Watch::with(a_config()), Watch::with(a_config()));
        let (mut a, mut b) = (0, 0);
        for (index, line) in lines.iter().enumerate() {
            if index == cut {
                let snapshot = parts.detector.snapshot();
                parts.detector = Detector::restore(parts.detector.config().clone(), &snapshot).unwrap();
            }
            say(&mut whole, &mut a, line);
            say(&mut parts, &mut b, line);
        }
        whole.tick(a + 500);
        parts.tick(b + 500);
        prop_assert_eq!(&whole.reports, &parts.reports);
        prop_assert_eq!(whole.detector.patterns(), parts.detector.patterns());
        prop_assert_eq!(whole.detector.snapshot(), parts.detector.snapshot());
    }

    #[test]
    fn explanations_sum_to_the_surprise(lines in lines()) {
        let mut watch = Watch::with(a_config());
        let mut at = 0;
        for line in &lines {
            say(&mut watch, &mut at, line);
        }
        for anomaly in watch.onsets() {
            let sum: f64 = anomaly.explanation.contributions.iter().map(|part| part.surprise).sum();
            prop_assert!((sum - anomaly.surprise).abs() < 1e-6, "{anomaly:?}");
            prop_assert_eq!(anomaly.kind == Kind::Pattern, anomaly.explanation.contributions[0].model == "pattern");
        }
    }

    #[test]
    fn how_bytes_are_cut_means_nothing(lines in lines(), size in 1_usize..200) {
        let mut text = String::new();
        let mut at = 0;
        for (gap, message, _) in &lines {
            at += gap;
            let message = serde_json::to_string(message).unwrap();
            writeln!(text, r#"{{"time": {}, "service": "shop", "level": "info", "message": {message}}}"#, 1_700_000_000 + at)
                .unwrap();
        }
        let run = |size: usize| {
            let mut scorer = Scorer::open(&format!(r#"{{"detector": {}}}"#, a_config()), None).unwrap();
            let mut input = Input::new(crate::wire::Format::Ndjson);
            input.emit = Emit::All;
            scorer.begin(input);
            let mut out = Vec::new();
            for chunk in text.as_bytes().chunks(size) {
                scorer.push(chunk, &mut out);
            }
            scorer.finish(&mut out);
            scorer.close(&mut out);
            out
        };
        prop_assert_eq!(run(size), run(usize::MAX));
    }

    #[test]
    fn edit_distance_is_that_of_the_table(phrase in "[ab c]{4,64}", line in "[aAb c]{0,80}", share in 0_usize..=4) {
        let most = phrase.len() * share / 16;
        let found = Phrase::spelled(&phrase, most as u32).is_in(&line);
        prop_assert_eq!(found, distance(phrase.as_bytes(), line.as_bytes()) <= most);
    }

    #[test]
    fn a_phrase_is_let_through_by_its_own_texts(
        phrase in "[abc]{4,9} [xyz]{4,9} [abc]{4,9}",
        line in "([abc]{3,9} |[xyz]{3,9} ){0,6}",
        distance in 0_u32..4,
        similarity in 0.1_f64..1.0,
    ) {
        for test in [Phrase::spelled(&phrase, distance), Phrase::worded(&phrase, similarity)] {
            for line in [&line, &phrase] {
                if let Some(texts) = test.literals(&phrase)
                    && test.is_in(line)
                {
                    let filter = Filter::new(texts.iter().map(|text| (0, text.as_str())));
                    let mut through = false;
                    filter.scan(line.as_bytes(), |_| through = true);
                    prop_assert!(through, "{texts:?} in {line}");
                }
            }
        }
    }

    #[test]
    fn no_expression_and_no_line_is_too_strange(expression in ".{0,60}", line in ".{0,200}", at in any::<i64>()) {
        if let Ok(patterns) = Pattern::regex("p", &expression).and_then(|pattern| PatternConfig::with(vec![pattern])) {
            let mut detector = Detector::new(Config { patterns, ..Config::default() });
            let found = Regex::new(&expression).unwrap().is_match(&line);
            let event = Event::Log(LogRecord {
                time: Timestamp::from_nanos(at),
                subject: Subject::default(),
                level: None,
                message: &line,
                session: None,
                fields: &[],
            });
            detector.observe(&event, &mut Vec::new());
            let reports = detector.patterns();
            prop_assert_eq!(reports[0].matches == 1, found, "{} in {}", expression, line);
        }
    }
}
