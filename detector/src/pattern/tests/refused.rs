//! What cannot be used is refused, with the pattern, the field and what to do.

use super::*;

#[test]
fn each_mistake_names_the_pattern_the_field_and_what_to_do() {
    for (patterns, expected) in [
        (
            r#"{"rules": [{"name": "a", "when": {"regex": "(boom"}}]}"#,
            "pattern `a`, field `when.regex`: this is no regular expression that can be used",
        ),
        (
            r#"{"rules": [{"name": "a", "when": {"regex": "(?:boom){3000}"}}]}"#,
            "one can look for at most 2000: repeat less",
        ),
        (
            r#"{"rules": [{"name": "a", "when": {"regex": "((a{100}){100}){100}"}}]}"#,
            "pattern `a`, field `when.regex`: the regular expression looks for 1000000 characters",
        ),
        (
            r#"{"rules": [{"name": "a", "when": {"regex": "(((((((((((((((((((((((((boom)))))))))))))))))))))))))"}}]}"#,
            "groups can be nested 20 deep",
        ),
        (
            r#"{"rules": [{"name": "a", "when": {"regex": "(boom)*"}}]}"#,
            "is found in an empty text, and so in every line: write what has to be there",
        ),
        (
            r#"{"rules": [{"name": "a", "when": {"fuzzy": {"phrase": "disk full", "distance": 5}}}]}"#,
            "pattern `a`, field `when.fuzzy`: a distance of 5 is more than a quarter of the phrase, and would find \
             nearly anything: give at most 2",
        ),
        (
            r#"{"rules": [{"name": "a", "when": {"fuzzy": {"phrase": "disk", "distance": 1, "similarity": 1}}}]}"#,
            "there are both `distance` and `similarity`: leave one out",
        ),
        (
            r#"{"rules": [{"name": "a", "when": {"fuzzy": {"phrase": "dis"}}}]}"#,
            "the phrase has 3 bytes: give it from 4 to 64",
        ),
        (
            r#"{"rules": [{"name": "a", "when": {"absence": {"of": {"pattern": "b"}, "within_seconds": 9}}}]}"#,
            "pattern `a`, field `when.absence.of`: there is no pattern `b`: name one of `rules` or of the library, \
             which `watchpost config patterns` lists",
        ),
        (
            r#"{"rules": [{"name": "b", "when": {"surprise": 4}},
                {"name": "a", "when": {"absence": {"of": {"pattern": "b"}, "within_seconds": 9}}}]}"#,
            "the pattern `b` is about more than one line: name one of the kind `regex` or `fuzzy`",
        ),
        (
            r#"{"rules": [{"name": "a", "when": {"sequence": {"first": {"regex": "id=(?<id>.+)"},
                "then": {"regex": "done"}, "within_seconds": 9, "by": {"capture": "id"}}}}]}"#,
            "pattern `a`, field `when.sequence.then`: `by` names the group `id`, which is not there: write (?<id>…)",
        ),
        (
            r#"{"rules": [{"name": "a", "when": {"regex": "x1"}}, {"name": "a", "when": {"regex": "y1"}}]}"#,
            "pattern `a`, field `name`: another pattern is called that, too: give each its own name",
        ),
        (
            r#"{"rules": [{"name": "panic", "when": {"regex": "x1"}}]}"#,
            "choose another name, or write what is different of it under `change`",
        ),
        (
            r#"{"change": {"tiemout": {"off": true}}}"#,
            "pattern `tiemout`: the library has none of this name: did you mean `timeout`? `watchpost config patterns` \
             lists all",
        ),
        (
            r#"{"change": {"dns_lookup": {"off": true}}}"#,
            "pattern `dns_lookup`: the library has none of this name: did you mean `dns-failure`? ",
        ),
        (
            r#"{"change": {"zzz": {"off": true}}}"#,
            "pattern `zzz`: the library has none of this name: `watchpost config patterns` lists all",
        ),
        (
            r#"{"change": {"panic": {"off": true, "alarm": true}}}"#,
            "pattern `panic`: the fields `off` and `alarm` exclude each other, since what is not looked for is not \
             found: leave one out",
        ),
        (
            r#"{"change": {"panic": {"off": true, "severity": "low"}}}"#,
            "pattern `panic`: the fields `off` and `severity` exclude each other",
        ),
        (
            r#"{"change": {"deadlock": {}}}"#,
            "pattern `deadlock`: nothing is different of it: write `off`, `alarm` or `severity`, or leave it out",
        ),
        (
            r#"{"library": false, "change": {"deadlock": {"alarm": true}}}"#,
            "pattern `deadlock`, field `change`: `library` is false, so that no pattern of the library is looked for: \
             leave one of the two out",
        ),
        (
            r#"{"rules": [{"name": "a", "when": {"absence": {"of": {"pattern": "timeouts"}, "within_seconds": 9}}}]}"#,
            "there is no pattern `timeouts`: did you mean `timeout`? name one",
        ),
        (
            r#"{"rules": [{"name": "", "when": {"regex": "x1"}}]}"#,
            "pattern ``, field `name`: the name has 0 bytes: give it from 1 to 64",
        ),
        (
            r#"{"rules": [{"name": "a", "when": {"absence": {"of": {"regex": "x1"}, "within_seconds": 0}}}]}"#,
            "pattern `a`, field `when.absence.within_seconds`: 0 is not a time in seconds: give a number from 0.001 \
             to 604800",
        ),
        (
            r#"{"rules": [{"name": "a", "when": {"rate": {"of": {"regex": "x1"}, "count": 1.5}}}]}"#,
            "1.5 is not a number of lines: give a whole number from 1 to 1000000",
        ),
        (
            r#"{"rules": [{"name": "a", "when": {"regexp": "x1"}}]}"#,
            "`regexp` is none of the choices: did you mean `regex`?",
        ),
        (
            r#"{"rules": [{"name": "a", "severty": "low", "when": {"regex": "x1"}}]}"#,
            "there is no field `severty` here: did you mean `severity`?",
        ),
        (
            r#"{"rules": [{"name": "a", "when": "regex"}]}"#,
            "pattern `a`, field `when.regex`: `regex` does not say what: write {\"regex\": …} with what it needs",
        ),
        (
            r#"{"rules": [{"name": "a", "when": {}}]}"#,
            "pattern `a`, field `when`: nothing is said here: write one of `regex`, `fuzzy`, `sequence`,",
        ),
        (
            r#"{"rules": [{"name": "a", "when": {"regex": "x1", "surprise": 4}}]}"#,
            "pattern `a`, field `when`: there are `regex`, `surprise`: write one of `regex`, `fuzzy`, `sequence`,",
        ),
        (
            r#"{"rules": [{"name": "a", "when": {"rate": {"of": {}, "count": 3}}}]}"#,
            "pattern `a`, field `when.rate.of`: nothing is said here: write one of `regex`, `fuzzy`, `pattern`",
        ),
        (
            r#"{"rules": [{"name": "a", "alarm": "no", "severty": "low", "when": {"regexp": "x1"}}]}"#,
            "pattern `a`, field `severty`: there is no field `severty` here: did you mean `severity`?; pattern `a`, field \
             `alarm`: this is the text \"no\": write true or false; pattern `a`, field `when`: `regexp` is none of the \
             choices: did you mean `regex`?",
        ),
        (
            r#"{"rules": ["boom"]}"#,
            "this is the text \"boom\": write an object in braces",
        ),
        (
            r#"{"rules": [{"name": "a"}]}"#,
            "pattern `a`: the field `when` is missing: add it",
        ),
    ] {
        let error = Config::from_json(&format!(r#"{{"patterns": {patterns}}}"#)).unwrap_err();
        assert!(
            error.to_string().contains(expected),
            "{patterns}\n{error}\nlacks: {expected}"
        );
    }
}

#[test]
fn the_place_of_a_mistake_is_that_of_its_pattern() {
    for wrong in [
        r#"{"name": "b", "when": {"regex": "(boom"}}"#,
        r#"{"name": "b", "severity": "lo"}"#,
        r#"{"name": "a", "when": {"regex": "x1"}}"#,
        r#"{"name": "panic", "when": {"regex": "x1"}}"#,
    ] {
        let text = format!(
            "{{\"patterns\": {{\"rules\": [\n{{\"name\": \"a\", \"when\": {{\"regex\": \"x1\"}}}},\n\n{wrong},\n\n\
             {{\"name\": \"c\", \"when\": {{\"surprise\": 4}}}}\n]}}}}"
        );
        let error = Config::from_json(&text).unwrap_err().to_string();
        assert!(error.starts_with("line 4, column "), "{error}");
        assert!(error.contains("field `patterns.rules[1]`: pattern `"), "{error}");
    }
}

#[test]
fn long_expressions_and_too_many_patterns_are_refused() {
    let long = Pattern::regex("a", &"x".repeat(1_001)).unwrap();
    assert!(PatternConfig::with(vec![long]).unwrap_err().contains("at most 1000"));
    let many = (0..201)
        .map(|n| Pattern::regex(&format!("p{n}"), "boom").unwrap())
        .collect();
    assert!(PatternConfig::with(many).unwrap_err().contains("give at most 200"));
}

#[test]
fn what_is_read_is_written_the_same() {
    let text = r#"{"patterns": {"library": true, "change": {"timeout": {"off": true, "alarm": false}}, "rules": [
        {"name": "a", "description": "d", "severity": "high", "alarm": false, "service": "s", "level": "warn",
         "when": {"fuzzy": {"phrase": "disk full", "distance": 1}}},
        {"name": "b", "when": {"rate": {"of": {"pattern": "a"}, "count": 3, "by": {"capture": "x"}}}}]}}"#;
    // A phrase has no groups.
    assert!(Config::from_json(text).is_err());
    let config = Config::from_json(&text.replace(r#"{"capture": "x"}"#, r#""session""#)).unwrap();
    let written = serde_json::to_string(&config).unwrap();
    assert_eq!(Config::from_json(&written).unwrap(), config);
}
