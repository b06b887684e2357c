//! The bytes of events: timestamps, numbers and text as JSON, written by hand
//! because generation runs inside a timed demonstration.

use std::net::Ipv4Addr;

/// The calendar day of a moment, rendered once per tick and reused for every
/// event of it.
pub(super) struct Calendar {
    midnight: i64,
    date: [u8; 11],
}

impl Calendar {
    pub(super) fn of(second: i64) -> Self {
        let days = second.div_euclid(86_400);
        let (year, month, day) = civil(days);
        let mut date = *b"0000-00-00T";
        digits(&mut date[0..4], year);
        digits(&mut date[5..7], month);
        digits(&mut date[8..10], day);
        Self {
            midnight: days * 86_400,
            date,
        }
    }

    /// Opens an event: `{"timestamp":"...","service":"..."`. Log lines carry
    /// milliseconds, rows do not.
    pub(super) fn open(&self, out: &mut Vec<u8>, second: i64, millisecond: Option<u32>, service: &str) {
        out.extend_from_slice(b"{\"timestamp\":\"");
        self.stamp(out, second, millisecond);
        out.extend_from_slice(b"\",\"service\":\"");
        out.extend_from_slice(service.as_bytes());
        out.push(b'"');
    }

    /// A moment as RFC 3339 has it, in UTC.
    pub(super) fn stamp(&self, out: &mut Vec<u8>, second: i64, millisecond: Option<u32>) {
        let of_day = second - self.midnight;
        if (0..86_400).contains(&of_day) {
            out.extend_from_slice(&self.date);
        } else {
            out.extend_from_slice(&Calendar::of(second).date);
        }
        let of_day = of_day.rem_euclid(86_400) as u64;
        let mut time = *b"00:00:00.000";
        digits(&mut time[0..2], of_day / 3600);
        digits(&mut time[3..5], of_day / 60 % 60);
        digits(&mut time[6..8], of_day % 60);
        match millisecond {
            Some(millisecond) => {
                digits(&mut time[9..12], u64::from(millisecond));
                out.extend_from_slice(&time);
            }
            None => out.extend_from_slice(&time[..8]),
        }
        out.push(b'Z');
    }
}

/// A moment as web servers have it in their access logs: `20/Nov/2026:09:00:03 +0000`.
pub(super) fn common_log_time(out: &mut Vec<u8>, second: i64) {
    const MONTHS: [&[u8]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
    ];
    let (year, month, day) = civil(second.div_euclid(86_400));
    let of_day = second.rem_euclid(86_400) as u64;
    let mut time = *b"00/Jan/0000:00:00:00 +0000";
    digits(&mut time[0..2], day);
    time[3..6].copy_from_slice(MONTHS[(month - 1) as usize % 12]);
    digits(&mut time[7..11], year);
    digits(&mut time[12..14], of_day / 3600);
    digits(&mut time[15..17], of_day / 60 % 60);
    digits(&mut time[18..20], of_day % 60);
    out.extend_from_slice(&time);
}

pub(super) fn integer(out: &mut Vec<u8>, value: u64) {
    let mut buffer = [0u8; 20];
    let mut at = buffer.len();
    let mut rest = value;
    loop {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&buffer[at..]);
}

/// A non-negative number with at most `places` decimals and no trailing zeros.
pub(super) fn decimal(out: &mut Vec<u8>, value: f64, places: u32) {
    let scale = 10u64.pow(places);
    let scaled = (value.max(0.0) * scale as f64).round() as u64;
    integer(out, scaled / scale);
    let mut fraction = scaled % scale;
    if fraction == 0 {
        return;
    }
    out.push(b'.');
    let mut unit = scale / 10;
    while fraction > 0 {
        out.push(b'0' + (fraction / unit) as u8);
        fraction %= unit;
        unit /= 10;
    }
}

/// Exactly as many digits as the slice is long.
pub(super) fn digits(slot: &mut [u8], value: u64) {
    let mut rest = value;
    for digit in slot.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

/// Text inside quotes, as JSON and logfmt escape it.
pub(super) fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        if byte == b'"' || byte == b'\\' {
            out.push(b'\\');
        }
        out.push(byte);
    }
}

pub(super) fn address(out: &mut Vec<u8>, address: Ipv4Addr) {
    for (position, part) in address.octets().into_iter().enumerate() {
        if position > 0 {
            out.push(b'.');
        }
        integer(out, u64::from(part));
    }
}

pub(super) fn hexadecimal(out: &mut Vec<u8>, value: u64, length: u32) {
    for position in (0..length).rev() {
        out.push(b"0123456789abcdef"[(value >> (4 * position) & 15) as usize]);
    }
}

/// Days since 1970 to year, month and day, after Howard Hinnant's
/// `civil_from_days`.
fn civil(days: i64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year.max(0) as u64, month as u64, day as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal_text(value: f64, places: u32) -> String {
        let mut out = Vec::new();
        decimal(&mut out, value, places);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn decimals_are_rounded_and_trimmed() {
        assert_eq!(decimal_text(0.21344, 4), "0.2134");
        assert_eq!(decimal_text(0.05, 4), "0.05");
        assert_eq!(decimal_text(12.0, 2), "12");
        assert_eq!(decimal_text(-0.1, 2), "0");
        assert_eq!(decimal_text(0.99999, 3), "1");
    }

    #[test]
    fn timestamps_cross_midnight_and_leap_days() {
        let calendar = Calendar::of(1_709_164_790); // 2024-02-28T23:59:50Z
        let mut out = Vec::new();
        calendar.open(&mut out, 1_709_164_790, Some(7), "cart");
        calendar.open(&mut out, 1_709_164_800, None, "cart");
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("2024-02-28T23:59:50.007Z"));
        assert!(text.contains("2024-02-29T00:00:00Z"));
    }
}
