//! The time at the start of a log line, in the layouts that cannot be taken for anything else.

use super::super::time::{self, Cursor};
use super::level;
use crate::event::{Level, Timestamp};

/// A time at the start of a line, and what its layout settles with it.
#[derive(Debug, Clone, Copy)]
pub(in crate::wire) struct Stamp<'a> {
    pub(in crate::wire) time: Timestamp,
    /// What follows it.
    pub(in crate::wire) rest: &'a [u8],
    pub(in crate::wire) level: Option<Level>,
    pub(in crate::wire) layout: Layout,
}

/// What may come after a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire) enum Layout {
    /// `Nov 20 09:00:00`: host and program.
    Syslog,
    /// `2026-11-20T09:00:00Z`: host and program, if that is what it looks like.
    Iso,
    /// `Nov 20, 2026 9:00:00 AM`: class and method, and on the next line the level and the message.
    Java,
    /// Anything else.
    Other,
}

/// The time that a line begins with.
pub(in crate::wire) fn leading(line: &[u8], year: i16) -> Option<Stamp<'_>> {
    let mut cursor = Cursor(line);
    // Logs of supercomputers have a dash for "no alert" before the Unix time.
    let dash = cursor.literal(b"- ").is_some();
    if let Some(stamp) = nest(cursor) {
        return Some(stamp);
    }
    let bracket = !dash && cursor.byte(b'[').is_some();
    let quote = !bracket && !dash && key(&mut cursor) && cursor.byte(b'"').is_some();
    let mut stamp = match cursor.0 {
        _ if dash => alert(cursor),
        [_, b',', b' ', b'[', ..] => return ruby(cursor),
        [b'0'..=b'9', ..] => of_digits(cursor, year, bracket),
        [b'A'..=b'Z', ..] => of_names(cursor, year),
        _ => None,
    }?;
    let mut rest = Cursor(stamp.rest);
    if bracket {
        let closed = rest.byte(b']').is_some();
        // A number alone is a time only when the brackets hold nothing else.
        if !closed && stamp.layout != Layout::Iso {
            return None;
        }
        stamp.layout = Layout::Other;
    } else if quote {
        rest.byte(b'"')?;
    }
    if rest.0.first().is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    stamp.rest = rest.0;
    Some(stamp)
}

/// The time of an access log, which stands in brackets after host and user: what is before it, the time, and
/// what is after it.
pub(super) fn within(line: &str) -> Option<(&str, Timestamp, &str)> {
    const FAR: usize = 200;
    const TRIES: usize = 3;
    let near = line.as_bytes().get(..FAR).unwrap_or(line.as_bytes());
    memchr::memchr_iter(b'[', near).take(TRIES).find_map(|at| {
        let (before, after) = line.split_at_checked(at)?;
        let mut cursor = Cursor(after.as_bytes());
        cursor.byte(b'[')?;
        let time = cursor.common_log()?;
        cursor.byte(b']')?;
        let rest = line.get(line.len().checked_sub(cursor.0.len())?..)?;
        Some((before, time, rest.trim_start()))
    })
}

fn key(cursor: &mut Cursor<'_>) -> bool {
    if cursor.0.first() != Some(&b't') {
        return false;
    }
    ["time=", "ts=", "timestamp="]
        .iter()
        .any(|key| cursor.literal(key.as_bytes()).is_some())
}

fn of_digits(mut cursor: Cursor<'_>, year: i16, bracket: bool) -> Option<Stamp<'_>> {
    if let Some(stamp) = redis(cursor) {
        return Some(stamp);
    }
    let (time, layout) = match cursor.0 {
        [_, _, _, _, b'-' | b'/', ..] => (cursor.date_time()?, Layout::Iso),
        [_, _, _, _, b'.', ..] => (dotted(&mut cursor)?, Layout::Iso),
        [_, _, b'-', b'A'..=b'Z', ..] | [_, _, b' ', b'A'..=b'Z', ..] => (day_first(&mut cursor)?, Layout::Other),
        [_, _, b'-', ..] => return android(cursor, year),
        [_, _, b'/', _, _, b'/', _, _, _, _, ..] if !bracket && cursor.0.get(8) != Some(&b' ') => {
            (american(&mut cursor)?, Layout::Other)
        }
        [_, _, b'/', _, _, b'/', ..] => (spark(&mut cursor)?, Layout::Other),
        [_, _, b'/', ..] if bracket => (cursor.common_log()?, Layout::Other),
        [_, _, b'.', ..] if bracket => (proxifier(&mut cursor, year)?, Layout::Other),
        [_, _, _, _, _, _, b' ', ..] => (hdfs(&mut cursor)?, Layout::Other),
        _ if bracket => (unix(&mut cursor)?, Layout::Other),
        _ => (unix(&mut cursor)?, Layout::Iso),
    };
    Some(Stamp {
        time,
        rest: cursor.0,
        level: None,
        layout,
    })
}

fn of_names(cursor: Cursor<'_>, year: i16) -> Option<Stamp<'_>> {
    if let [b'I' | b'W' | b'E' | b'F', b'0'..=b'9', ..] = cursor.0 {
        return klog(cursor, year);
    }
    let mut cursor = cursor;
    let mut weekday = cursor;
    let mut mail = cursor;
    let (time, layout) = if let Some(time) = syslog(&mut cursor, year) {
        (time, Layout::Syslog)
    } else if let Some(time) = java(&mut cursor) {
        (time, Layout::Java)
    } else if let Some(time) = weekday
        .weekday()
        .and_then(|()| weekday.byte(b' '))
        .and_then(|()| weekday.date_time())
    {
        cursor = weekday;
        (time, Layout::Iso)
    } else if cursor.0.get(3) == Some(&b',')
        && let Some(time) = mail.rfc_2822()
    {
        // `Fri, 20 Nov 2026 09:00:00 +0100`, as in mails and by Go's RFC1123Z.
        cursor = mail;
        (time, Layout::Other)
    } else {
        (apache(&mut cursor)?, Layout::Other)
    };
    Some(Stamp {
        time,
        rest: cursor.0,
        level: None,
        layout,
    })
}

/// `1795165200 2026.11.20` after a dash; the date makes it certain.
fn alert(mut cursor: Cursor<'_>) -> Option<Stamp<'_>> {
    let time = unix(&mut cursor)?;
    matches!(cursor.0, [b' ', _, _, _, _, b'.', _, _, b'.', ..]).then_some(Stamp {
        time,
        rest: cursor.0,
        level: None,
        layout: Layout::Other,
    })
}

/// `11-20 09:00:00.123  1702  2395 D`; the process, the thread and the level may be missing, the decimals
/// may not, because without them it could be anything.
fn android(mut cursor: Cursor<'_>, year: i16) -> Option<Stamp<'_>> {
    let month = cursor.digits(2)?;
    cursor.byte(b'-')?;
    let day = cursor.digits(2)?;
    cursor.byte(b' ')?;
    if cursor.0.get(8) != Some(&b'.') {
        return None;
    }
    let clock = cursor.time_of_day()?;
    let time = time::moment(date(year, month, day)?, clock, 0)?;
    let mut level = None;
    let mut process = cursor;
    if let Some(letter) = threads(&mut process)
        && let Some(found) = level::of_android(letter)
        && process.0.first() == Some(&b' ')
    {
        cursor = process;
        level = Some(found);
    }
    Some(Stamp {
        time,
        rest: cursor.0,
        level,
        layout: Layout::Other,
    })
}

/// `  1702  2395 D`.
fn threads(cursor: &mut Cursor<'_>) -> Option<u8> {
    for _ in 0..2 {
        cursor.spaces()?;
        cursor.run_of_digits()?;
    }
    cursor.spaces()?;
    cursor.one_of(b"VDIWEFA")
}

/// `I1120 09:00:00.123456   1`, or with the year, `I20261120`.
fn klog(mut cursor: Cursor<'_>, year: i16) -> Option<Stamp<'_>> {
    let letter = cursor.one_of(b"IWEF")?;
    let mut with_year = cursor;
    let stated = with_year.digits(4).filter(|_| with_year.0.get(4) == Some(&b' '));
    if stated.is_some() {
        cursor = with_year;
    }
    let month = cursor.digits(2)?;
    let day = cursor.digits(2)?;
    cursor.byte(b' ')?;
    if cursor.0.get(8) != Some(&b'.') {
        return None;
    }
    let clock = cursor.time_of_day()?;
    let date = match stated {
        Some(year) => time::date(year, month, day)?,
        None => date(year, month, day)?,
    };
    let mut thread = cursor;
    if thread.spaces().and_then(|()| thread.run_of_digits()).is_some() && thread.0.first() == Some(&b' ') {
        cursor = thread;
    }
    Some(Stamp {
        time: time::moment(date, clock, 0)?,
        rest: cursor.0,
        level: level::of_android(letter),
        layout: Layout::Other,
    })
}

/// `26/11/20 09:00:00` before a level.
fn spark(cursor: &mut Cursor<'_>) -> Option<Timestamp> {
    let year = cursor.digits(2)?;
    cursor.byte(b'/')?;
    let month = cursor.digits(2)?;
    cursor.byte(b'/')?;
    let day = cursor.digits(2)?;
    cursor.byte(b' ')?;
    let clock = cursor.time_of_day()?;
    level::stands_at(cursor.0)?;
    time::moment(time::date(2000 + year, month, day)?, clock, 0)
}

/// `261120 090000 148` before a level.
fn hdfs(cursor: &mut Cursor<'_>) -> Option<Timestamp> {
    let (year, month, day) = (cursor.digits(2)?, cursor.digits(2)?, cursor.digits(2)?);
    cursor.byte(b' ')?;
    let (hour, minute, second) = (cursor.digits(2)?, cursor.digits(2)?, cursor.digits(2)?);
    cursor.byte(b' ')?;
    cursor.run_of_digits()?;
    level::stands_at(cursor.0)?;
    let clock = jiff::civil::Time::new(
        hour.try_into().ok()?,
        minute.try_into().ok()?,
        second.try_into().ok()?,
        0,
    );
    time::moment(time::date(2000 + year, month, day)?, clock.ok()?, 0)
}

/// `11.20 09:00:00`.
fn proxifier(cursor: &mut Cursor<'_>, year: i16) -> Option<Timestamp> {
    let month = cursor.digits(2)?;
    cursor.byte(b'.')?;
    let day = cursor.digits(2)?;
    cursor.byte(b' ')?;
    let clock = cursor.time_of_day()?;
    time::moment(date(year, month, day)?, clock, 0)
}

/// Seconds of nine or ten digits with or without decimals, or thirteen digits of milliseconds, in the years
/// 1985 to 2128.
fn unix(cursor: &mut Cursor<'_>) -> Option<Timestamp> {
    let digits = cursor.run_of_digits()?;
    let count: i64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let time = match digits.len() {
        9 | 10 if (500_000_000..5_000_000_000).contains(&count) => {
            Timestamp::from_nanos(count.checked_mul(1_000_000_000)?.checked_add(cursor.decimals())?)
        }
        13 if (500_000_000_000..5_000_000_000_000).contains(&count) => time::from_integer(count)?,
        _ => return None,
    };
    matches!(cursor.0.first(), None | Some(b' ' | b']' | b'\t')).then_some(time)
}

/// `Nov 20 09:00:00` or `Nov  1 2026 09:00:00`.
fn syslog(cursor: &mut Cursor<'_>, year: i16) -> Option<Timestamp> {
    let mut ahead = *cursor;
    let (date, clock) = month_and_day(&mut ahead, year)?;
    *cursor = ahead;
    time::moment(date, clock, 0)
}

/// `Fri Nov 20 09:00:00.123456 2026`, or with a zone before the year, as `date` prints it.
fn apache(cursor: &mut Cursor<'_>) -> Option<Timestamp> {
    cursor.weekday()?;
    cursor.byte(b' ')?;
    let month = cursor.month()?;
    let day = day(cursor)?;
    cursor.byte(b' ')?;
    let clock = cursor.time_of_day()?;
    let mut with_zone = *cursor;
    let offset = with_zone.zone().filter(|_| with_zone.0.first() == Some(&b' '));
    if offset.is_some() {
        *cursor = with_zone;
    }
    cursor.byte(b' ')?;
    let year = cursor.digits(4)?;
    time::moment(time::date(year, month, day)?, clock, offset.unwrap_or(0))
}

/// `2026.11.20 09:00:00.123456` (ClickHouse).
fn dotted(cursor: &mut Cursor<'_>) -> Option<Timestamp> {
    let year = cursor.digits(4)?;
    cursor.byte(b'.')?;
    let month = cursor.digits(2)?;
    cursor.byte(b'.')?;
    let day = cursor.digits(2)?;
    cursor.byte(b' ')?;
    let clock = cursor.time_of_day()?;
    time::moment(time::date(year, month, day)?, clock, 0)
}

/// `20-Nov-2026 09:00:00.123` (Tomcat, BIND) or `20 Nov 2026 09:00:00.123`.
fn day_first(cursor: &mut Cursor<'_>) -> Option<Timestamp> {
    let day = cursor.digits(2)?;
    let separator = cursor.one_of(b"- ")?;
    let month = cursor.month()?;
    cursor.byte(separator)?;
    let year = cursor.digits(4)?;
    cursor.byte(b' ')?;
    let clock = cursor.time_of_day()?;
    time::moment(time::date(year, month, day)?, clock, 0)
}

/// `11/20/2026 09:00:00`, also `9:00:00 AM`; a first number above 12 is the day.
fn american(cursor: &mut Cursor<'_>) -> Option<Timestamp> {
    let first = cursor.digits(2)?;
    cursor.byte(b'/')?;
    let second = cursor.digits(2)?;
    cursor.byte(b'/')?;
    let year = cursor.digits(4)?;
    cursor.byte(b' ')?;
    let clock = cursor.clock_of_twelve().or_else(|| cursor.time_of_day())?;
    let (month, day) = if first > 12 { (second, first) } else { (first, second) };
    time::moment(time::date(year, month, day)?, clock, 0)
}

/// `Nov 20, 2026 9:00:00 AM`.
fn java(cursor: &mut Cursor<'_>) -> Option<Timestamp> {
    let mut ahead = *cursor;
    let month = ahead.month()?;
    let day = day(&mut ahead)?;
    ahead.literal(b", ")?;
    let year = ahead.digits(4)?;
    ahead.byte(b' ')?;
    let clock = ahead.clock_of_twelve()?;
    *cursor = ahead;
    time::moment(time::date(year, month, day)?, clock, 0)
}

/// `I, [2026-11-20T09:00:00.123456 #71] `.
fn ruby(mut cursor: Cursor<'_>) -> Option<Stamp<'_>> {
    cursor.one_of(b"DIWEFA")?;
    cursor.literal(b", [")?;
    let time = cursor.date_time()?;
    cursor.literal(b" #")?;
    cursor.run_of_digits()?;
    cursor.byte(b']')?;
    Some(Stamp {
        time,
        rest: cursor.0,
        level: None,
        layout: Layout::Other,
    })
}

/// `[Nest] 17  - 11/20/2026, 9:00:10 PM     LOG `: what it calls a log is an information.
fn nest(mut cursor: Cursor<'_>) -> Option<Stamp<'_>> {
    cursor.literal(b"[Nest] ")?;
    cursor.run_of_digits()?;
    cursor.spaces()?;
    cursor.literal(b"- ")?;
    let month = cursor.digits(2)?;
    cursor.byte(b'/')?;
    let day = cursor.digits(2)?;
    cursor.byte(b'/')?;
    let year = cursor.digits(4)?;
    cursor.literal(b", ")?;
    let clock = cursor.clock_of_twelve()?;
    let mut log = cursor;
    let level = log.spaces().and_then(|()| log.literal(b"LOG ")).map(|()| Level::Info);
    Some(Stamp {
        time: time::moment(time::date(year, month, day)?, clock, 0)?,
        rest: if level.is_some() { log.0 } else { cursor.0 },
        level,
        layout: Layout::Other,
    })
}

/// `1:M 20 Nov 2026 09:00:00.123 * `: the process, its role, and a sign for the level.
fn redis(mut cursor: Cursor<'_>) -> Option<Stamp<'_>> {
    cursor.run_of_digits()?;
    cursor.byte(b':')?;
    cursor.one_of(b"XCSM")?;
    cursor.byte(b' ')?;
    let time = day_first(&mut cursor)?;
    cursor.byte(b' ')?;
    let level = match cursor.one_of(b".-*#")? {
        b'.' => Level::Debug,
        b'-' => Level::Info,
        b'*' => Level::Notice,
        _ => Level::Warn,
    };
    Some(Stamp {
        time,
        rest: cursor.0,
        level: Some(level),
        layout: Layout::Other,
    })
}

fn month_and_day(cursor: &mut Cursor<'_>, year: i16) -> Option<(jiff::civil::Date, jiff::civil::Time)> {
    let month = cursor.month()?;
    let day = day(cursor)?;
    cursor.byte(b' ')?;
    let mut with_year = *cursor;
    if let Some(stated) = with_year.digits(4)
        && with_year.byte(b' ').is_some()
    {
        *cursor = with_year;
        return Some((time::date(stated, month, day)?, cursor.time_of_day()?));
    }
    Some((date(year, month, day)?, cursor.time_of_day()?))
}

/// ` 20`, `  1` or ` 1`.
fn day(cursor: &mut Cursor<'_>) -> Option<i32> {
    cursor.spaces()?;
    let mut two = *cursor;
    if let Some(day) = two.digits(2) {
        *cursor = two;
        return Some(day);
    }
    cursor.digits(1)
}

/// A date in a year that the line does not name: where that year turns out to have no 29 February, the day
/// after the 28th is the first of March.
fn date(year: i16, month: i32, day: i32) -> Option<jiff::civil::Date> {
    time::date(year.into(), month, day).or_else(|| {
        (month == 2 && day == 29)
            .then(|| time::date(year.into(), 3, 1))
            .flatten()
    })
}
