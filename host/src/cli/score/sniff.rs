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
    let names = fields(first);
    if names.len() < 2 || names.iter().any(|name| is_number(name)) {
        return Some(plain);
    }
    match lines.next() {
        Some((true, second)) => {
            let values = fields(second);
            if values.len() == names.len() && values.iter().any(|value| is_number(value)) {
                Some((
                    Format::Csv,
                    "its first line is a header, and the second has as many fields and a number",
                ))
            } else {
                Some(plain)
            }
        }
        _ => complete.then_some(plain),
    }
}

fn by_name(name: &str) -> Option<Guess> {
    let name = name.to_ascii_lowercase();
    let name = [".gz", ".zst"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(&name);
    match name.rsplit_once('.')?.1 {
        "csv" => Some((Format::Csv, "its name says so")),
        "ndjson" | "jsonl" => Some((Format::Ndjson, "its name says so")),
        _ => None,
    }
}

/// The fields of a line, split at commas outside of quotes.
fn fields(line: &str) -> Vec<&str> {
    let mut quoted = false;
    line.split(|c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
    .map(|field| field.trim().trim_matches('"'))
    .collect()
}

/// Whether a field is a number as people write them: Rust's own parser takes `inf` and `nan` as well.
fn is_number(field: &str) -> bool {
    field.bytes().any(|byte| byte.is_ascii_digit()) && field.parse::<f64>().is_ok()
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
        assert_eq!(format("x.jsonl", "\n"), Some(Format::Ndjson));
        assert_eq!(format("-", ""), Some(Format::Text));
        for log in [
            "2026-03-02 14:05:30,123 INFO ready\n2026-03-02 14:05:31,007 INFO done\n",
            "Mar  2 14:05:30 host sshd[7]: Accepted\nMar  2 14:05:31 host sshd[7]: closed\n",
            "started, with a comma\nthen, 2, commas\n",
            "one line, no more",
            "1,2\n3,4\n",
        ] {
            assert_eq!(format("app.log", log), Some(Format::Text), "{log}");
        }
    }

    #[test]
    fn a_live_stream_waits_for_no_more_than_it_must() {
        assert_eq!(guess("-", b"{", false).map(|g| g.0), Some(Format::Ndjson));
        assert_eq!(guess("-", b"ready\n", false).map(|g| g.0), Some(Format::Text));
        assert_eq!(guess("-", b"rea", false), None);
        assert_eq!(guess("-", b"a,b\n", false), None, "the second line decides");
        assert_eq!(guess("-", b"a,b\n1,2", false), None, "and it has to be whole");
        assert_eq!(guess("-", b"a,b\n1,2\n", false).map(|g| g.0), Some(Format::Csv));
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
