//! The exchange that the pairs of a record tell.

use super::super::access::{self, Exchange, first_address};
use super::super::quantity::{self, Dimension};
use super::names::{Meaning, schema};
use super::{Record, Scalar};
use crate::event::{Finite, Timestamp};

impl<'a> Record<'a> {
    /// The exchange, when there is a status together with a method or a path. Envoy tells of exchanges without a
    /// response and of connections, too.
    pub(super) fn exchange(&self, stated: Option<Timestamp>) -> Option<Exchange<'a>> {
        let is_envoy = self.schema & schema::ENVOY != 0;
        let status = self.status(is_envoy)?;
        let line = self.text(Meaning::RequestLine).map(access::method_and_path);
        let (line_method, line_path) = line.unwrap_or_default();
        let said = |meaning| self.text(meaning);
        let method = said(Meaning::Method).or(line_method);
        let path = said(Meaning::Path).map(without_host).or(line_path);
        if method.is_none() && path.is_none() && !is_envoy {
            return None;
        }
        let duration = self.duration(is_envoy);
        let began = self.time.is_none() && self.pair(Meaning::Seconds).is_none();
        let time = match (stated, duration) {
            // Eleven days: what claims to take longer is no time to add.
            (Some(start), Some(duration)) if began && duration.value() < 1e9 => {
                Some(start.plus_seconds(duration.value() / 1e3))
            }
            (time, _) => time,
        };
        Some(Exchange {
            time,
            service: self.service(),
            method,
            path,
            route: said(Meaning::Route),
            upstream: said(Meaning::Upstream),
            client: said(Meaning::Client).and_then(first_address),
            status,
            duration,
            bytes: self.pair(Meaning::Bytes).and_then(|pair| {
                Finite::new(match pair.value {
                    Scalar::Text(text) => quantity::read(text)?.value,
                    value => value.number()?,
                })
            }),
            flags: said(Meaning::Flags),
        })
    }

    /// The inner `None` is an exchange without a response.
    fn status(&self, is_envoy: bool) -> Option<Option<u16>> {
        let number = match self.pair(Meaning::Status)?.value {
            Scalar::Text(text) if text.len() <= 3 => text.parse().ok()?,
            value => value.number()?,
        };
        let status = number as u16;
        match f64::from(status) == number {
            true if (100..600).contains(&status) => Some(Some(status)),
            true if status == 0 && is_envoy => Some(None),
            _ => None,
        }
    }

    /// In milliseconds.
    fn duration(&self, is_envoy: bool) -> Option<Finite> {
        let pair = self.pair(Meaning::Duration)?;
        let number = match pair.value {
            Scalar::Text(text) => {
                let read = quantity::read(text)?;
                if read.dimension == Dimension::Duration {
                    return Finite::new(read.value);
                }
                read.value
            }
            value => value.number()?,
        };
        let each = match quantity::unit_of_name(pair.name) {
            Some((Dimension::Duration, each)) => each,
            _ if is_envoy => 1.0,
            _ if self.schema & schema::TRAEFIK != 0 => 1e-6,
            _ if self.schema & schema::CADDY != 0 => 1e3,
            _ => match pair.name {
                "event.duration" => 1e-6,
                "request_time" | "req_time" | "rt" => 1e3,
                _ => 1.0,
            },
        };
        Finite::new(number * each)
    }
}

/// `/pay?id=7` of `https://shop.example/pay?id=7`: where a field may hold a whole URL, its host says nothing of the path.
fn without_host(url: &str) -> &str {
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else {
        return url;
    };
    match rest.find(['/', '?', '#']) {
        Some(at) => rest.get(at..).unwrap_or(url),
        None => "/",
    }
}

/// Whether a message says more than that there was a request: `request completed` does not.
pub(super) fn says_more(message: &str) -> bool {
    const SAID: [&str; 43] = [
        "request",
        "requests",
        "response",
        "http",
        "https",
        "access",
        "accesslog",
        "completed",
        "complete",
        "finished",
        "errored",
        "failed",
        "aborted",
        "finish",
        "handled",
        "handling",
        "processed",
        "served",
        "sent",
        "received",
        "incoming",
        "inbound",
        "done",
        "end",
        "ended",
        "log",
        "call",
        "api",
        "web",
        "server",
        "get",
        "post",
        "put",
        "delete",
        "patch",
        "head",
        "options",
        "with",
        "status",
        "in",
        "ms",
        "ok",
        "the",
    ];
    const LONGEST: usize = 8;
    let mut words = 0;
    for word in message.split_ascii_whitespace() {
        words += 1;
        let is_path = word.starts_with('/') || word.starts_with("http://") || word.starts_with("https://");
        let plain = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_number = plain.starts_with(|c: char| c.is_ascii_digit());
        let is_said = plain.is_empty()
            || plain.starts_with("HTTP/")
            || plain
                .split(['_', '-', '.'])
                .all(|part| SAID.iter().any(|said| part.eq_ignore_ascii_case(said)));
        if !is_path && !is_number && !is_said {
            return true;
        }
        if words > LONGEST {
            return true;
        }
    }
    false
}
