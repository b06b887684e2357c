//! What an input is, from its first bytes: how it is compressed, and in which format it is written.

use watchpost_detector::wire::Format;

/// How bytes are packed. Magic bytes tell it, because names lie and pipes have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstd,
    /// Packed in a way that is not read here: the name, and a program that unpacks it.
    Foreign(&'static str, &'static str),
}

const MAGIC: [(&[u8], Packing); 5] = [
    (b"\x1f\x8b", Packing::Gzip),
    (b"\x28\xb5\x2f\xfd", Packing::Zstd),
    (b"BZh", Packing::Foreign("bzip2", "bzip2 -dc")),
    (b"\xfd7zXZ\0", Packing::Foreign("xz", "xz -dc")),
    (b"PK\x03\x04", Packing::Foreign("zip", "unzip -p")),
];

impl Packing {
    /// The longest magic.
    pub(super) const LONGEST: usize = 6;

    /// `None` when more bytes are needed to tell. A live stream is not made to wait for bytes that cannot matter.
    pub(super) fn of(head: &[u8]) -> Option<Packing> {
        if let Some((_, packing)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
            return Some(*packing);
        }
        let undecided = MAGIC.iter().any(|(magic, _)| magic.starts_with(head));
        (!undecided).then_some(Packing::Plain)
    }
}

/// A format, and why it was chosen.
pub(super) type Guess = (Format, &'static str);

/// At most so many bytes are looked at.
pub(super) const LOOK: usize = 64 << 10;

/// Guesses the format of an input from its name and its beginning; `None` when more of it is needed. `complete`
/// says that there is no more.
pub(super) fn guess(name: &str, head: &[u8], complete: bool) -> Option<Guess> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let complete = complete || head.len() >= LOOK;
    let first_byte = head.iter().find(|byte| !byte.is_ascii_whitespace());
    let Some(first_byte) = first_byte else {
        return complete.then(|| by_name(name).unwrap_or((Format::Text, "it is empty")));
    };
    if *first_byte == b'{' {
        return Some((Format::Ndjson, "it begins with `{`"));
    }
    if let Some(guess) = by_name(name) {
        return Some(guess);
    }
    let text = String::from_utf8_lossy(head);
    let ended = text.matches('\n').count();
    let mut lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(at, line)| (at < ended || complete, line));
    let (first_is_whole, first) = lines.next()?;
    if !first_is_whole {
        return None;
    }
    let plain = (Format::Text, "it looks like neither CSV nor NDJSON");
    let delimiter = delimiter(first);
    let names = fields(first, delimiter);
    if names.iter().any(|name| is_number(name, delimiter) || is_moment(name)) {
        return Some(plain);
    }
    if names.len() == 1 {
        return column(lines, complete).map(|is_column| {
            if is_column {
                (Format::Csv, "its first line is a name, and numbers follow")
            } else {
                plain
            }
        });
    }
    match lines.next() {
        Some((true, second)) => {
            let values = fields(second, delimiter);
            let is_row = values.len() == names.len() && values.iter().any(|value| is_number(value, delimiter));
            Some(if is_row {
                (Format::Csv, reason(delimiter))
            } else {
                plain
            })
        }
        _ => complete.then_some(plain),
    }
}

fn reason(delimiter: char) -> &'static str {
    match delimiter {
        ';' => "its first line is a header with semicolons, and the second has as many fields and a number",
        '\t' => "its first line is a header with tabs, and the second has as many fields and a number",
        _ => "its first line is a header, and the second has as many fields and a number",
    }
}

/// Whether nothing but numbers stands below a name. A few tell it: how much of a pipe has come by now, and how long
/// it takes to fill, must not matter.
fn column<'a>(lines: impl Iterator<Item = (bool, &'a str)>, complete: bool) -> Option<bool> {
    const ENOUGH: usize = 3;
    let mut numbers = 0;
    for (is_whole, line) in lines.take(ENOUGH) {
        if !is_whole {
            return None;
        }
        if !fields(line, ',').iter().all(|field| is_number(field, ',')) {
            return Some(false);
        }
        numbers += 1;
    }
    (complete || numbers == ENOUGH).then_some(numbers > 0)
}

fn by_name(name: &str) -> Option<Guess> {
    let name = name.to_ascii_lowercase();
    let name = [".gz", ".zst"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(&name);
    match name.rsplit_once('.')?.1 {
        "csv" | "tsv" => Some((Format::Csv, "its name says so")),
        "ndjson" | "jsonl" => Some((Format::Ndjson, "its name says so")),
        _ => None,
    }
}

/// What separates the fields of a header, by the rule of the reader that will read it.
fn delimiter(header: &str) -> char {
    let separates = |delimiter: &char| fields(header, *delimiter).len() > 1;
    [',', ';', '\t'].into_iter().find(separates).unwrap_or(',')
}

/// The fields of a line, split outside of quotes.
fn fields(line: &str, delimiter: char) -> Vec<&str> {
    let mut quoted = false;
    line.split(|c| {
        quoted ^= c == '"';
        c == delimiter && !quoted
    })
    .map(|field| field.trim().trim_matches('"'))
    .collect()
}

/// Whether a field is a number as people write them: Rust's own parser takes `inf` and `nan` as well. Where semicolons
/// separate, commas are for decimals.
fn is_number(field: &str, delimiter: char) -> bool {
    let has_digit = field.bytes().any(|byte| byte.is_ascii_digit());
    let is_decimal = || delimiter == ';' && !field.contains('.') && field.replacen(',', ".", 1).parse::<f64>().is_ok();
    has_digit && (field.parse::<f64>().is_ok() || is_decimal())
}

/// Whether a field holds a date or a time of day, as the start of a log line does and the name of a column does not.
fn is_moment(field: &str) -> bool {
    let bytes = field.as_bytes();
    let has_clock = bytes
        .windows(5)
        .any(|part| matches!(part, [a, b, b':', c, d] if [a, b, c, d].iter().all(|byte| byte.is_ascii_digit())));
    let has_date =
        bytes.len() > 7 && bytes.iter().take(4).all(u8::is_ascii_digit) && matches!(bytes.get(4), Some(b'-' | b'/'));
    has_clock || has_date
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(name: &str, head: &str) -> Option<Format> {
        guess(name, head.as_bytes(), true).map(|(format, _)| format)
    }

    #[test]
    fn content_tells_the_format() {
        assert_eq!(format("-", "{\"timestamp\":0}"), Some(Format::Ndjson));
        assert_eq!(format("x.csv", "{\"timestamp\":0}"), Some(Format::Ndjson));
        assert_eq!(
            format("-", "\u{feff}timestamp,value\n2026-03-02,1.5\n"),
            Some(Format::Csv)
        );
        assert_eq!(format("-", "\"a, b\",c\n\"x, y\",3\n"), Some(Format::Csv));
        assert_eq!(format("x.CSV.gz", "a\n1\n"), Some(Format::Csv));
        assert_eq!(format("-", "name;value\nx;1,5\n"), Some(Format::Csv));
        assert_eq!(
            format("-", "name; \"a, b\"\nx;3\n"),
            Some(Format::Csv),
            "no comma outside of quotes"
        );
        assert_eq!(format("-", "name\tvalue\nx\t3\n"), Some(Format::Csv));
        assert_eq!(format("data", "latency (ms)\n12.5\n\n13.1\n"), Some(Format::Csv));
        assert_eq!(format("x.tsv.gz", "a\n1\n"), Some(Format::Csv));
        assert_eq!(format("x.jsonl", "\n"), Some(Format::Ndjson));
        assert_eq!(format("-", ""), Some(Format::Text));
        for log in [
            "2026-03-02 14:05:30,123 INFO ready\n2026-03-02 14:05:31,007 INFO done\n",
            "Mar  2 14:05:30 host sshd[7]: Accepted\nMar  2 14:05:31 host sshd[7]: closed\n",
            "started, with a comma\nthen, 2, commas\n",
            "one line, no more",
            "1,2\n3,4\n",
            "2026-03-02T14:05:30Z\tready\n2026-03-02T14:05:31Z\t5\n",
            "14:05:30;ready\n14:05:31;5\n",
            "started\n1\nand ended\n",
            "started\n1 of 2\n",
            "12\n13\n",
        ] {
            assert_eq!(format("app.log", log), Some(Format::Text), "{log}");
        }
    }

    #[test]
    fn a_live_stream_waits_for_no_more_than_it_must() {
        assert_eq!(guess("-", b"{", false).map(|g| g.0), Some(Format::Ndjson));
        assert_eq!(guess("-", b"ready\n", false), None, "a name, perhaps");
        assert_eq!(guess("-", b"ready\nsteady\n", false).map(|g| g.0), Some(Format::Text));
        assert_eq!(guess("-", b"14:05 ready\n", false).map(|g| g.0), Some(Format::Text));
        assert_eq!(guess("-", b"rea", false), None);
        assert_eq!(guess("-", b"a,b\n", false), None, "the second line decides");
        assert_eq!(guess("-", b"a,b\n1,2", false), None, "and it has to be whole");
        assert_eq!(guess("-", b"a,b\n1,2\n", false).map(|g| g.0), Some(Format::Csv));
        assert_eq!(guess("-", b"a\n1\n2\n", false), None, "a line of a log may be a number");
        assert_eq!(guess("-", b"a\n1\n2\n3", false), None, "and a number may go on as text");
        assert_eq!(guess("-", b"a\n1\n2\n3\n", false).map(|g| g.0), Some(Format::Csv));
        assert_eq!(guess("-", b"a\n1\n2\n3\nb\n", false).map(|g| g.0), Some(Format::Csv));
        assert_eq!(guess("-", b"a\n1\n2 of 3\n", false).map(|g| g.0), Some(Format::Text));
    }

    #[test]
    fn magic_bytes_tell_the_packing() {
        assert_eq!(Packing::of(b""), None);
        assert_eq!(Packing::of(b"\x1f"), None);
        assert_eq!(Packing::of(b"\x1f\x8b"), Some(Packing::Gzip));
        assert_eq!(Packing::of(b"a"), Some(Packing::Plain));
        assert_eq!(Packing::of(b"BZ"), None);
        assert_eq!(Packing::of(b"BZe"), Some(Packing::Plain));
        assert!(MAGIC.iter().all(|(magic, _)| magic.len() <= Packing::LONGEST));
    }
}
