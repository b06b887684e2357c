//! Where a token ends, and whether it is a variable: by its form, with no knowledge of any system.

use memchr::memchr;

use super::{ALPHA, CLASS, DIGIT, GLUE, HEX, INNER, SPACE, TOKEN};

/// A token, perhaps after punctuation that belongs to the skeleton.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) masked: bool,
}

/// The token that begins at `at`; none when the byte there is punctuation.
#[inline]
pub(super) fn piece(bytes: &[u8], at: usize, first: u8) -> Option<Piece> {
    if first == GLUE {
        // Most punctuation only separates; what begins a token begins a path or a phrase.
        return match bytes[at] {
            b'/' => path(bytes, at),
            quote @ (b'"' | b'\'') => phrase(bytes, at, quote),
            _ => None,
        };
    }
    // Few tokens begin with anything but a letter or a digit.
    if first == INNER {
        let rest = &bytes[at..];
        if rest.starts_with(b"~/") || rest.starts_with(b"./") || rest.starts_with(b"../") {
            return path(bytes, at);
        }
        // Runs of dots or dashes are no tokens, however long.
        if bytes[at] != b'_' && class(bytes, at + 1) & !INNER == 0 {
            return None;
        }
    }
    let mut kinds = first;
    let mut end = at + 1;
    for &byte in bytes.get(end..).unwrap_or_default() {
        let class = CLASS[usize::from(byte)];
        if !is_token(class) {
            break;
        }
        kinds |= class;
        end += 1;
    }
    // Most tokens are words or whole numbers, and most of these are what they are whatever follows.
    let next = bytes.get(end).copied().unwrap_or(b' ');
    let masked = match kinds & (DIGIT | INNER) {
        0 => {
            if end - at == 3
                && (next == b' ' || next == b',')
                && bytes[at].is_ascii_uppercase()
                && let Some(end) = date(bytes, at)
            {
                return Some(Piece {
                    start: at,
                    end,
                    masked: true,
                });
            }
            match next {
                b'/' | b'@' => None,
                b':' if end - at == 1 || kinds == HEX || bytes.get(end + 1) == Some(&b'/') => None,
                _ => Some(is_constant(&bytes[at..end], kinds)),
            }
        }
        DIGIT if kinds == DIGIT => match next {
            b':' | b'@' | b'%' | b'/' => None,
            b' ' if matches!(bytes.get(end + 1), Some(b'B' | b'k' | b'K' | b'M' | b'G' | b'T' | b'P')) => None,
            _ => Some(true),
        },
        _ => None,
    };
    match masked {
        Some(masked) => Some(Piece { start: at, end, masked }),
        None => trimmed(bytes, at, end, kinds),
    }
}

/// The same for a run with inner punctuation, or with letters and digits, or with punctuation after it.
fn trimmed(bytes: &[u8], at: usize, end: usize, kinds: u8) -> Option<Piece> {
    let mut start = at;
    while start < end
        && CLASS[usize::from(bytes[start])] == INNER
        && !(matches!(bytes[start], b'-' | b'+') && digits(bytes, start + 1) > 0)
        && bytes[start] != b'_'
    {
        start += 1;
    }
    if start == end {
        return None;
    }
    let run = end;
    let mut end = end;
    // Padding by dots (`enabled.....1`) separates like a blank.
    if kinds & INNER != 0
        && let Some(dots) = bytes[start..end].windows(2).position(|pair| pair == b"..")
    {
        end = start + dots;
    }
    while matches!(bytes[end - 1], b'.' | b'-' | b'+') && end - 1 > start {
        end -= 1;
    }
    let token = &bytes[start..end];
    // Nothing but inner punctuation was cut off.
    let kinds = if kinds & INNER == 0 || start == at && end == run {
        kinds
    } else {
        token.iter().fold(0, |kinds, &byte| kinds | CLASS[usize::from(byte)])
    };
    if end == run
        && let Some(end) = syntax(bytes, start, end, kinds)
    {
        return Some(Piece {
            start,
            end,
            masked: true,
        });
    }
    // A number after a name (`core.2275`) is the variable part of the two.
    if kinds & DIGIT != 0
        && kinds & INNER != 0
        && let number = token.iter().rev().take_while(|byte| byte.is_ascii_digit()).count()
        && let [name @ .., b'.'] = &token[..token.len() - number]
        && number > 0
        && !name.is_empty()
        && !name.iter().any(u8::is_ascii_digit)
    {
        return Some(Piece {
            start,
            end: start + name.len(),
            masked: is_constant(name, kinds & !DIGIT),
        });
    }
    Some(Piece {
        start,
        end,
        masked: is_constant(token, kinds) || kinds & DIGIT != 0 && is_identifier(token, kinds),
    })
}

/// The literals of JSON, which are values wherever they stand, and hexadecimal numbers without a digit from 0
/// to 9: of eight letters or more, as no word is.
#[inline]
fn is_constant(token: &[u8], kinds: u8) -> bool {
    match token.len() {
        4 => token.eq_ignore_ascii_case(b"true") || token.eq_ignore_ascii_case(b"null"),
        5 => token.eq_ignore_ascii_case(b"false"),
        8.. => kinds == HEX,
        _ => false,
    }
}

/// Whether a token with digits is a number or an identifier, and not a name.
///
/// A name may hold one digit that is stuck to a letter (`ssh2`, `log4j`, `ipv6`). One that stands alone
/// (`worker-3`) counts instances, two or more are a number.
fn is_identifier(token: &[u8], kinds: u8) -> bool {
    if kinds & ALPHA == 0 && token.len() >= 6 {
        return true;
    }
    let mut found = token.iter().enumerate().filter(|(_, b)| b.is_ascii_digit());
    let (Some((at, _)), None) = (found.next(), found.next()) else {
        return true;
    };
    at == 0 || CLASS[usize::from(token[at - 1])] == INNER
}

/// Where a value that has punctuation of its own ends: one that begins with the token from `start` to `end`.
fn syntax(bytes: &[u8], start: usize, end: usize, kinds: u8) -> Option<usize> {
    let token = &bytes[start..end];
    match *bytes.get(end)? {
        b':' => {
            let rest = &bytes[end + 1..];
            if rest.starts_with(b"//") {
                return Some(until(bytes, end, b",;()[]{}\"'<>|"));
            }
            if token.len() == 1 && matches!(rest.first(), Some(b'\\' | b'/')) {
                return Some(until(bytes, end + 1, b",;()[]{}\"'<>|=:"));
            }
            if kinds & ALPHA == 0
                && let Some(end) = address(bytes, start)
            {
                return Some(end);
            }
            if kinds & DIGIT != 0
                && let Some(end) = clock(bytes, token, end)
            {
                return Some(end);
            }
            // A port, or the line of a file.
            let port = digits(rest, 0);
            let named = token.contains(&b'.') && (1..=5).contains(&port);
            (named && !is_token(class(rest, port))).then_some(end)
        }
        b'@' => {
            let host = end + 1;
            let mut to = host;
            while is_token(class(bytes, to)) {
                to += 1;
            }
            while to > host && bytes[to - 1] == b'.' {
                to -= 1;
            }
            bytes[host..to].contains(&b'.').then_some(to)
        }
        b'%' => (kinds & ALPHA == 0 && token.last().is_some_and(u8::is_ascii_digit)).then_some(end + 1),
        // What is written for people has its unit chosen by its magnitude: the unit is part of the value.
        b' ' if kinds & (ALPHA | HEX) == 0 && kinds & DIGIT != 0 => {
            let unit = &bytes[end + 1..];
            let prefix = usize::from(matches!(unit.first(), Some(b'k' | b'K' | b'M' | b'G' | b'T' | b'P')));
            let binary = usize::from(prefix == 1 && unit.get(1) == Some(&b'i'));
            let length = prefix + binary + 1;
            (unit.get(length - 1) == Some(&b'B') && !is_token(class(unit, length))).then_some(end + 1 + length)
        }
        b'/' => {
            let to = until(bytes, end, b",;()[]{}\"'<>|=:");
            let slashes = bytes[end..to].iter().filter(|&&b| b == b'/').count();
            (slashes >= 2).then_some(to)
        }
        _ => None,
    }
}

/// The end of an IPv6 or MAC address.
fn address(bytes: &[u8], start: usize) -> Option<usize> {
    let (mut colons, mut doubled, mut digit, mut last) = (0, false, false, 0);
    let mut end = start;
    for &byte in &bytes[start..] {
        if byte == b':' {
            colons += 1;
            // The longest has twenty groups (InfiniBand).
            if colons == 20 {
                return None;
            }
            doubled |= last == b':';
        } else if CLASS[usize::from(byte)] & (DIGIT | HEX) != 0 {
            digit |= byte <= b'9';
        } else {
            break;
        }
        last = byte;
        end += 1;
    }
    let shaped = colons >= 5 || doubled;
    (shaped && digit && last != b':' && !is_token(class(bytes, end))).then_some(end)
}

/// The end of a time of day that began with the hours in `token`, perhaps with a date before them.
fn clock(bytes: &[u8], token: &[u8], end: usize) -> Option<usize> {
    let hours = token.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let dated = token.len() >= 3 && matches!(token[token.len() - 3], b'T' | b't' | b'_' | b'-');
    if !(1..=2).contains(&hours) || !(token.len() == hours || dated) || digits(bytes, end + 1) != 2 {
        return None;
    }
    let mut end = end + 3;
    while bytes.get(end) == Some(&b':') && digits(bytes, end + 1) == 2 {
        end += 3;
    }
    if bytes.get(end) == Some(&b',') && digits(bytes, end + 1) == 3 {
        end += 4;
    }
    while is_token(class(bytes, end)) {
        end += 1;
    }
    if bytes.get(end) == Some(&b':') && digits(bytes, end + 1) == 2 {
        end += 3;
    }
    while matches!(bytes[end - 1], b'.' | b'-' | b'+') {
        end -= 1;
    }
    Some(end)
}

/// The end of a date that begins with the name of a day or a month, as `asctime` of C and RFC 822 write it: words that
/// dates are made of, among them a month, and a year or a time of day.
fn date(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    let mut end = start;
    let (mut month, mut precise) = (false, false);
    // A day, a month and its day, a time, a zone and a year.
    for _ in 0..6 {
        let word = bytes[at..].split(|b| CLASS[usize::from(*b)] == SPACE).next()?;
        let word = word.strip_suffix(b",").unwrap_or(word);
        match word {
            b"Mon" | b"Tue" | b"Wed" | b"Thu" | b"Fri" | b"Sat" | b"Sun" => {}
            b"Jan" | b"Feb" | b"Mar" | b"Apr" | b"May" | b"Jun" | b"Jul" | b"Aug" | b"Sep" | b"Oct" | b"Nov"
            | b"Dec" => month = true,
            [b'0'..=b'9', ..] if at > start => {
                let count = digits(word, 0);
                let time = word.get(count) == Some(&b':') && digits(word, count + 1) == 2;
                if !time && count != word.len() {
                    break;
                }
                precise |= time || count == 4;
            }
            b"GMT" | b"UTC" if precise => {}
            // Any other zone stands before the year.
            zone if precise
                && zone.iter().all(u8::is_ascii_uppercase)
                && bytes.get(at + zone.len()) == Some(&b' ')
                && digits(bytes, at + zone.len() + 1) == 4 => {}
            _ => break,
        }
        end = at + word.len();
        at = end;
        while bytes
            .get(at)
            .is_some_and(|b| *b == b',' || CLASS[usize::from(*b)] == SPACE)
        {
            at += 1;
        }
    }
    (month && precise).then_some(end)
}

/// A path, absolute or from `.`, `..` or `~`.
fn path(bytes: &[u8], at: usize) -> Option<Piece> {
    let free = at == 0 || !is_token(CLASS[usize::from(bytes[at - 1])]) && bytes[at - 1] != b'/';
    if !free || !matches!(class(bytes, at + 1), class if is_token(class) || bytes[at] != b'/') {
        return None;
    }
    Some(Piece {
        start: at,
        end: until(bytes, at, b",;()[]{}\"'<>|=:"),
        masked: true,
    })
}

/// A quoted phrase: words with blanks between them, which are no words of the message. What has more structure than
/// that (`"GET /a HTTP/1.1"`) is read like the rest.
fn phrase(bytes: &[u8], at: usize, quote: u8) -> Option<Piece> {
    if at > 0 && is_token(CLASS[usize::from(bytes[at - 1])]) {
        return None;
    }
    let length = memchr(quote, &bytes[at + 1..])?;
    let inside = &bytes[at + 1..at + 1 + length];
    let kinds = |b: &u8| CLASS[usize::from(*b)];
    let spaced = inside.iter().any(|b| kinds(b) == SPACE);
    let plain = !inside.iter().any(|b| kinds(b) & (GLUE | DIGIT) != 0);
    (spaced && plain && !is_token(class(bytes, at + length + 2))).then_some(Piece {
        start: at + 1,
        end: at + 1 + length,
        masked: true,
    })
}

/// The end of what begins before `at`: the next white space or one of `stops`, without a full stop before it.
fn until(bytes: &[u8], at: usize, stops: &[u8]) -> usize {
    let mut end = at;
    while let Some(byte) = bytes.get(end) {
        let class = CLASS[usize::from(*byte)];
        // Only punctuation is ever a stop.
        if class == SPACE || class == GLUE && end > at && stops.contains(byte) {
            break;
        }
        end += 1;
    }
    while end > at + 1 && bytes[end - 1] == b'.' {
        end -= 1;
    }
    end
}

fn class(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).map_or(SPACE, |&byte| CLASS[usize::from(byte)])
}

fn is_token(class: u8) -> bool {
    class & TOKEN != 0
}

fn digits(bytes: &[u8], at: usize) -> usize {
    bytes[at.min(bytes.len())..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count()
}
