//! What serde and its formats say of a mistake, in words for a person who knows none of them.
//!
//! The texts of serde are part of no interface, so one that is not known here is passed on as it is; the tables in
//! `tests/bad` notice when that happens.

/// A message of serde, of `serde_json` or of another format of serde, in plain words: what was found, and what to write.
pub fn in_plain_words(message: &str) -> String {
    if let Some(plain) = of_syntax(message) {
        return plain.to_owned();
    }
    of_data(message).unwrap_or_else(|| message.to_owned())
}

/// What `serde_json` says of a text that is no JSON.
fn of_syntax(message: &str) -> Option<&'static str> {
    Some(match message {
        "EOF while parsing a list" => "the text ends inside a list: a ] is missing, or the end was cut off",
        "EOF while parsing an object" => "the text ends inside an object: a } is missing, or the end was cut off",
        "EOF while parsing a string" => "the text ends inside a string: a quote is missing, or the end was cut off",
        "EOF while parsing a value" => "the text ends where a value should be: write one, or mend what was cut off",
        "expected `:`" => "a colon is missing between a name and its value: write \"name\": value",
        "expected `,` or `]`" => "a comma or a ] is missing after an item of a list",
        "expected `,` or `}`" => "a comma or a } is missing after a field of an object",
        "expected ident" | "expected value" => {
            "this is no JSON value: write a number, a text in double quotes, true, false or null"
        }
        "key must be a string" | "expected `\"`" => "a name is not in double quotes: write \"name\": value",
        "invalid escape" => "a backslash begins no escape of JSON here: write \\\\ for a backslash",
        "invalid number" => "this is no number of JSON: write one such as 12.5 or -3e7",
        "number out of range" => "the number is too large: the largest is 1.8e308",
        "invalid unicode code point" | "lone leading surrogate in hex escape" | "unexpected end of hex escape" => {
            "a \\u escape stands for no character: write four hex digits, and both halves of a surrogate pair"
        }
        "control character (\\u0000-\\u001F) found while parsing a string" => {
            "a control character stands in a string: write it as an escape such as \\n, \\t or \\u0000"
        }
        "trailing comma" => "a comma stands before a closing bracket: leave it out",
        "trailing characters" => "something follows after the end: leave it out",
        "recursion limit exceeded" => "lists and objects are nested more than 127 deep: flatten them",
        _ => return None,
    })
}

/// What serde says of values that are not as they should be.
fn of_data(message: &str) -> Option<String> {
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let (name, known) = unknown(rest)?;
        let choices = match (nearest(name, &known), known.as_slice()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, []) => "leave it out".to_owned(),
            (None, known) => format!(
                "there {} {}",
                if known.len() == 1 { "is" } else { "are" },
                list(known, "and")
            ),
        };
        return Some(format!("there is no field `{name}` here: {choices}"));
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        let (name, known) = unknown(rest)?;
        return Some(match nearest(name, &known) {
            Some(near) => format!("`{name}` is none of the choices: did you mean `{near}`?"),
            None => format!("`{name}` is none of the choices: write {}", list(&known, "or")),
        });
    }
    if let Some(name) = message.strip_prefix("missing field ") {
        return Some(format!("the field {name} is missing: add it"));
    }
    if let Some(name) = message.strip_prefix("duplicate field ") {
        return Some(format!("the field {name} is there twice: write it once"));
    }
    let rest = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "))?;
    // What was found may hold any text, and what was expected is never that long.
    let (found, expected) = rest.rsplit_once(", expected ")?;
    let wanted = wanted(expected);
    let mut plain = format!("this is {}: write {wanted}", shown(found));
    if let Some(text) = found.strip_prefix("string \"").and_then(|text| text.strip_suffix('"'))
        && wanted.contains("number")
        && text.parse::<f64>().is_ok()
    {
        plain.push_str(", without quotes");
    }
    Some(plain)
}

/// The name that is not known, and the ones that are: "`x`, expected one of `a`, `b`".
fn unknown(rest: &str) -> Option<(&str, Vec<&str>)> {
    let inside = rest.strip_prefix('`')?;
    let (name, expected) = inside
        .split_once("`, expected ")
        .or_else(|| inside.split_once("`, there are no "))?;
    let known = expected.split('`').skip(1).step_by(2).collect();
    Some((name, known))
}

fn list(names: &[&str], last: &str) -> String {
    match names {
        [] => String::new(),
        [one] => format!("`{one}`"),
        [first @ .., end] => format!("`{}` {last} `{end}`", first.join("`, `")),
    }
}

/// What was found: "integer `5`", "string \"x\"", "map".
fn shown(found: &str) -> String {
    let quoted = |kind| found.strip_prefix(kind)?.strip_prefix(" `")?.strip_suffix('`');
    if let Some(value) = quoted("integer")
        .or_else(|| quoted("floating point"))
        .or_else(|| quoted("boolean"))
    {
        return value.to_owned();
    }
    match found {
        "map" => "an object".to_owned(),
        "sequence" => "a list".to_owned(),
        "null" | "unit value" | "Option value" => "null".to_owned(),
        found => match found.strip_prefix("string ") {
            Some(text) => format!("the text {text}"),
            None => found.to_owned(),
        },
    }
}

/// What is wanted, by the names that serde has for the types of fields.
fn wanted(expected: &str) -> String {
    match expected {
        "f64" => "a number",
        "a nonzero u32" => "a whole number from 1 to 4294967295",
        "a nonzero u64" => "a whole number from 1 to 18446744073709551615",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" => "a whole number from 0 to 18446744073709551615",
        "i16" => "a whole number from -32768 to 32767",
        "a boolean" => "true or false",
        "a sequence" => "a list such as [\"a\", \"b\"]",
        "unit" | "unit variant" | "string or map" => "one of the choices, as a text in double quotes",
        "a map" => "an object in braces",
        "map with a single key" => "an object with one field, which is the choice",
        other if other.starts_with("struct ") => "an object in braces",
        other if other.starts_with("enum ") => "one of the choices, as a text in double quotes",
        other => other,
    }
    .to_owned()
}

/// The known name that was probably meant: the same but for case and separators, or a slip or two away.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    const LONGEST: usize = 64;
    let plain = |name: &str| -> Vec<char> {
        let letters = name.chars().filter(|letter| letter.is_alphanumeric());
        letters.flat_map(char::to_lowercase).take(LONGEST).collect()
    };
    let written = plain(name);
    let (slips, near) = known
        .iter()
        .map(|known| (slips(&written, &plain(known)), *known))
        .min_by_key(|(slips, _)| *slips)?;
    (slips <= written.len() / 3).then_some(near)
}

/// How many letters have to be added, left out, or replaced, or swapped with their neighbour, to get from one to the
/// other.
fn slips(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let mut least = (at(&row, j) + usize::from(x != y))
                .min(at(&row, j + 1) + 1)
                .min(at(&next, j) + 1);
            let is_swap = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if is_swap {
                least = least.min(at(&before, j - 1) + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        for (a, b, count) in [
            ("", "", 0),
            ("", "ab", 2),
            ("ab", "ba", 1),
            ("serie", "series", 1),
            ("cat", "dog", 3),
        ] {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            assert_eq!(slips(&letters(a), &letters(b)), count, "{a} {b}");
        }
    }

    #[test]
    fn hints_are_given_only_for_what_is_near() {
        let known = ["max_series", "max_metrics"];
        assert_eq!(nearest("maxSeries", &known), Some("max_series"));
        assert_eq!(nearest("max-metric", &known), Some("max_metrics"));
        assert_eq!(nearest("colour", &known), None);
        assert_eq!(nearest("", &known), None);
        assert_eq!(nearest("x", &[]), None);
    }

    #[test]
    fn what_is_not_known_is_passed_on() {
        for message in ["rain", "unknown field x", "invalid type: rain", "invalid length 2", ""] {
            assert_eq!(in_plain_words(message), message);
        }
        assert_eq!(
            in_plain_words("unknown field `x`, there are no fields"),
            "there is no field `x` here: leave it out"
        );
        assert_eq!(
            in_plain_words("invalid type: string \"a, expected b\", expected f64"),
            "this is the text \"a, expected b\": write a number"
        );
        assert_eq!(
            in_plain_words("invalid value: integer `0`, expected a nonzero u64"),
            "this is 0: write a whole number from 1 to 18446744073709551615"
        );
    }
}
