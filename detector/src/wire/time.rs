//! Times as programs write them, by matching bytes.

use jiff::civil;
use jiff::tz::Offset;

use crate::event::Timestamp;

/// Reads a text that is a time and nothing else.
pub(super) fn whole(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let mut cursor = Cursor(text.as_bytes());
    if let Some(time) = cursor.date_time()
        && cursor.0.is_empty()
    {
        return Some(time);
    }
    if let Ok(number) = text.parse() {
        return from_integer(number);
    }
    if let Ok(number) = text.parse() {
        return from_number(number);
    }
    let mut cursor = Cursor(text.as_bytes());
    let date = cursor.date()?;
    cursor.0.is_empty().then_some(())?;
    moment(date, civil::Time::midnight(), 0)
}

/// A count since 1970 in the unit that its magnitude tells.
pub(super) fn from_integer(count: i64) -> Option<Timestamp> {
    let nanos_each = match count.unsigned_abs() {
        0..100_000_000_000 => 1_000_000_000,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    };
    count.checked_mul(nanos_each).map(Timestamp::from_nanos)
}

/// The same with decimals, to the microsecond, which is as much as a float of today's seconds can tell.
pub(super) fn from_number(count: f64) -> Option<Timestamp> {
    let micros_each = match count.abs() {
        size if size < 1e11 => 1e6,
        size if size < 1e14 => 1e3,
        size if size < 1e17 => 1.0,
        _ => 1e-3,
    };
    let micros = (count * micros_each).round();
    let exact = micros.abs() < 9.2e15;
    exact.then(|| Timestamp::from_nanos((micros as i64).saturating_mul(1_000)))
}

/// What to say about a time that cannot be read.
pub(super) fn unreadable(found: &str) -> String {
    format!(
        "the time {found} cannot be read: write RFC 3339 (2026-11-20T09:00:00Z) or Unix seconds, of the years 1678 to 2261"
    )
}

/// The moment of a date and time so many seconds east of Greenwich.
pub(super) fn moment(date: civil::Date, time: civil::Time, offset_seconds: i64) -> Option<Timestamp> {
    let utc = Offset::UTC.to_timestamp(date.to_datetime(time)).ok()?;
    utc.as_second()
        .checked_sub(offset_seconds)?
        .checked_mul(1_000_000_000)?
        .checked_add(i64::from(utc.subsec_nanosecond()))
        .map(Timestamp::from_nanos)
}

/// The same day and time so many years later; the 28th for a 29th of February that is not there.
pub(super) fn plus_years(time: Timestamp, years: i16) -> Timestamp {
    if years == 0 {
        return time;
    }
    let later = || {
        let moment = jiff::Timestamp::from_nanosecond(i128::from(time.nanos())).ok()?;
        let moment = Offset::UTC.to_datetime(moment);
        let year = moment.year().checked_add(years)?;
        let on = |day| civil::Date::new(year, moment.month(), day);
        let date = on(moment.day()).or_else(|_| on(28)).ok()?;
        self::moment(date, moment.time(), 0)
    };
    later().unwrap_or(time)
}

/// A date of numbers, which may be none of the calendar.
pub(super) fn date(year: i32, month: i32, day: i32) -> Option<civil::Date> {
    civil::Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok()
}

/// What is left of a text. Every method moves on when it matches; where it does not, go on with a copy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    /// A number of exactly so many digits.
    pub(super) fn digits(&mut self, count: usize) -> Option<i32> {
        let (head, rest) = self.0.split_at_checked(count)?;
        let mut number = 0i32;
        for byte in head {
            number = number.checked_mul(10)?.checked_add(digit(*byte)?)?;
        }
        self.0 = rest;
        Some(number)
    }

    /// A run of digits, of at least one and any length.
    pub(super) fn run_of_digits(&mut self) -> Option<&'a [u8]> {
        let length = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        (length > 0).then_some(head)
    }

    /// This very byte.
    pub(super) fn byte(&mut self, expected: u8) -> Option<()> {
        self.one_of(&[expected]).map(|_| ())
    }

    /// One of these bytes.
    pub(super) fn one_of(&mut self, expected: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        if !expected.contains(first) {
            return None;
        }
        self.0 = rest;
        Some(*first)
    }

    /// These very bytes.
    pub(super) fn literal(&mut self, expected: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    /// Spaces, at least one.
    pub(super) fn spaces(&mut self) -> Option<()> {
        self.byte(b' ')?;
        while self.byte(b' ').is_some() {}
        Some(())
    }

    /// `2026-11-20` or `2026/11/20`.
    pub(super) fn date(&mut self) -> Option<civil::Date> {
        let year = self.digits(4)?;
        let separator = self.one_of(b"-/")?;
        let month = self.digits(2)?;
        self.byte(separator)?;
        let day = self.digits(2)?;
        date(year, month, day)
    }

    /// `09:00`, `09:00:00`, `09:00:00.123456789` or with a comma; more than nine decimals are cut.
    pub(super) fn time_of_day(&mut self) -> Option<civil::Time> {
        let hour = self.digits(2)?;
        self.byte(b':')?;
        let minute = self.digits(2)?;
        let mut with_seconds = *self;
        let Some(second) = with_seconds.byte(b':').and_then(|()| with_seconds.digits(2)) else {
            return time(hour, minute, 0, 0);
        };
        *self = with_seconds;
        let nanos = self.fraction().unwrap_or(0);
        time(hour, minute, second, nanos)
    }

    /// A date, a time of day and a zone if there is one.
    pub(super) fn date_time(&mut self) -> Option<Timestamp> {
        let date = self.date()?;
        self.one_of(b"T t")?;
        let time = self.time_of_day()?;
        let offset = match self.zone() {
            Some(offset) => {
                self.go();
                offset
            }
            None => 0,
        };
        moment(date, time, offset)
    }

    /// What Go prints behind an offset: the name of the zone, and perhaps the reading of a clock that only counts,
    /// ` UTC m=+0.123456789`. A name other than UTC may be any word, unless that reading follows it.
    fn go(&mut self) {
        let mut cursor = *self;
        let is_utc = cursor.literal(b" UTC").is_some();
        if !is_utc {
            if cursor.byte(b' ').is_none() {
                return;
            }
            let is_name =
                |byte: &&u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'+' | b'-');
            let length = cursor.0.iter().take_while(is_name).count();
            cursor.0 = cursor.0.get(length..).unwrap_or_default();
        }
        let is_over = |cursor: &Cursor<'_>| !cursor.0.first().is_some_and(u8::is_ascii_alphanumeric);
        if is_utc && is_over(&cursor) {
            *self = cursor;
        }
        if cursor.literal(b" m=").is_some()
            && cursor.one_of(b"+-").is_some()
            && cursor.run_of_digits().is_some()
            && cursor.fraction().is_some()
            && is_over(&cursor)
        {
            *self = cursor;
        }
    }

    /// `20/Nov/2026:09:00:00 +0100`, the time of Apache and nginx; Python's servers have a blank before the clock.
    pub(super) fn common_log(&mut self) -> Option<Timestamp> {
        let day = self.digits(2)?;
        self.byte(b'/')?;
        let month = self.month()?;
        self.byte(b'/')?;
        let year = self.digits(4)?;
        self.one_of(b": ")?;
        let clock = self.time_of_day()?;
        let offset = self.zone().unwrap_or(0);
        moment(date(year, month, day)?, clock, offset)
    }

    /// `Fri, 20 Nov 2026 09:00:00 GMT`, the date of mails and of HTTP (RFC 2822), with the years of two digits and the
    /// zones of North America that it calls obsolete.
    pub(super) fn rfc_2822(&mut self) -> Option<Timestamp> {
        if self.weekday().is_some() {
            self.byte(b',')?;
            let _ = self.spaces();
        }
        let day = match self.run_of_digits()? {
            [one] => digit(*one)?,
            [ten, one] => digit(*ten)? * 10 + digit(*one)?,
            _ => return None,
        };
        self.spaces()?;
        let month = self.month()?;
        self.spaces()?;
        let year = match self.digits(4) {
            Some(year) => year,
            None => match self.digits(2)? {
                year @ ..50 => 2000 + year,
                year => 1900 + year,
            },
        };
        self.spaces()?;
        let clock = self.time_of_day()?;
        self.spaces()?;
        let offset = match (self.zone(), self.0) {
            (Some(offset), _) => offset,
            (
                None,
                [
                    area @ (b'E' | b'C' | b'M' | b'P'),
                    season @ (b'S' | b'D'),
                    b'T',
                    rest @ ..,
                ],
            ) => {
                let standard = match area {
                    b'E' => -5,
                    b'C' => -6,
                    b'M' => -7,
                    _ => -8,
                };
                self.0 = rest;
                (standard + i64::from(*season == b'D')) * 3600
            }
            (None, _) => {
                self.literal(b"UT")?;
                0
            }
        };
        moment(date(year, month, day)?, clock, offset)
    }

    /// `9:00:00 AM`.
    pub(super) fn clock_of_twelve(&mut self) -> Option<civil::Time> {
        let mut cursor = *self;
        let hour = match cursor.run_of_digits()? {
            [one] => digit(*one)?,
            [ten, one] => digit(*ten)? * 10 + digit(*one)?,
            _ => return None,
        };
        cursor.byte(b':')?;
        let minute = cursor.digits(2)?;
        cursor.byte(b':')?;
        let second = cursor.digits(2)?;
        cursor.byte(b' ')?;
        let noon = match cursor.one_of(b"AP")? {
            b'P' => 12,
            _ => 0,
        };
        cursor.byte(b'M')?;
        let clock = (1..=12)
            .contains(&hour)
            .then(|| time(hour % 12 + noon, minute, second, 0))?;
        *self = cursor;
        clock
    }

    /// The English name of a day, in three letters.
    pub(super) fn weekday(&mut self) -> Option<()> {
        let weekday = self.0.get(..3)?;
        [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"]
            .iter()
            .any(|day| *day == weekday)
            .then_some(())?;
        self.literal(weekday)
    }

    /// The English name of a month, in three letters.
    pub(super) fn month(&mut self) -> Option<i32> {
        let month = match self.0.get(..3)? {
            b"Jan" => 1,
            b"Feb" => 2,
            b"Mar" => 3,
            b"Apr" => 4,
            b"May" => 5,
            b"Jun" => 6,
            b"Jul" => 7,
            b"Aug" => 8,
            b"Sep" => 9,
            b"Oct" => 10,
            b"Nov" => 11,
            b"Dec" => 12,
            _ => return None,
        };
        self.0 = self.0.get(3..)?;
        Some(month)
    }

    /// `Z`, `UTC`, `GMT`, `+01:00`, `+0100` or `+01`, in seconds east of Greenwich. After a space only what
    /// cannot be anything else counts.
    pub(super) fn zone(&mut self) -> Option<i64> {
        let mut cursor = *self;
        let apart = cursor.byte(b' ').is_some();
        let is_utc = (!apart && cursor.one_of(b"Zz").is_some())
            || cursor.literal(b"UTC").is_some()
            || cursor.literal(b"GMT").is_some();
        let offset = if is_utc { 0 } else { cursor.offset(apart)? };
        if cursor.0.first().is_some_and(u8::is_ascii_alphanumeric) {
            return None;
        }
        *self = cursor;
        Some(offset)
    }

    fn offset(&mut self, apart: bool) -> Option<i64> {
        let sign = if self.one_of(b"+-")? == b'-' { -1 } else { 1 };
        let hours = self.digits(2)?;
        let mut with_minutes = *self;
        let colon = with_minutes.byte(b':').is_some();
        let minutes = match with_minutes.digits(2) {
            Some(minutes) => {
                *self = with_minutes;
                minutes
            }
            None if apart || colon || !matches!(self.0.first(), None | Some(b' ' | b']')) => return None,
            None => 0,
        };
        (hours < 24 && minutes < 60).then(|| sign * (i64::from(hours) * 3600 + i64::from(minutes) * 60))
    }

    /// `.123`, in nanoseconds; 0 when there are none.
    pub(super) fn decimals(&mut self) -> i64 {
        self.fraction().map_or(0, i64::from)
    }

    fn fraction(&mut self) -> Option<i32> {
        let mut cursor = *self;
        cursor.one_of(b".,")?;
        let digits = cursor.run_of_digits()?;
        let mut nanos = 0;
        for place in 0..9 {
            nanos = nanos * 10 + digits.get(place).copied().and_then(digit).unwrap_or(0);
        }
        *self = cursor;
        Some(nanos)
    }
}

fn digit(byte: u8) -> Option<i32> {
    byte.is_ascii_digit().then(|| i32::from(byte - b'0'))
}

/// A leap second is told as the second before it, as jiff does.
fn time(hour: i32, minute: i32, second: i32, nanos: i32) -> Option<civil::Time> {
    let second = if second == 60 { 59 } else { second };
    civil::Time::new(
        hour.try_into().ok()?,
        minute.try_into().ok()?,
        second.try_into().ok()?,
        nanos,
    )
    .ok()
}
