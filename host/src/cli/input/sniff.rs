//! What an input is: how it is compressed, by its first bytes, and its format where its name tells that.

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

/// What to say of a format that the name told.
pub(crate) const BY_NAME: &str = "its name says so";

/// The format that a file's name tells. What is inside is looked at by the detector; a header with a single column, or
/// one row alone, is too little for it.
///
/// `first` is the first byte that is no white space: an object is no row, whatever the name says.
pub(super) fn by_name(name: &str, first: Option<u8>) -> Option<Format> {
    let name = name.to_ascii_lowercase();
    let name = [".gz", ".zst"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(&name);
    match name.rsplit_once('.')?.1 {
        "csv" | "tsv" => (first != Some(b'{')).then_some(Format::Csv),
        "ndjson" | "jsonl" => Some(Format::Ndjson),
        "prom" => Some(Format::Prometheus),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_names_tell_the_format() {
        for (name, first, format) in [
            ("x.CSV.gz", Some(b'a'), Some(Format::Csv)),
            ("x.tsv", None, Some(Format::Csv)),
            ("x.csv", Some(b'{'), None),
            ("x.jsonl.zst", Some(b'n'), Some(Format::Ndjson)),
            ("node.prom", Some(b'#'), Some(Format::Prometheus)),
            ("app.log", Some(b'a'), None),
            ("a.csv/app", Some(b'a'), None),
            ("stdin", Some(b'{'), None),
        ] {
            assert_eq!(by_name(name, first), format, "{name}");
        }
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
