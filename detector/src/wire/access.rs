//! Access logs of Apache and nginx: one request a line.
//!
//! | part | how it is written |
//! |---|---|
//! | service | `shop.example.com:443 ` before the client (Apache's `vhost_combined`), `service=` after the agent |
//! | client | an address or a host name; the first of `10.0.0.9, 10.0.0.1`; a port is left out |
//! | time | `[20/Nov/2026:09:00:00 +0100]`, or ISO 8601 in the brackets |
//! | request | `"GET /pay?id=7 HTTP/1.1"`, escaped or not; what is no request (`"-"`, `"\x16\x03\x01"`) has no method and no path |
//! | status, bytes | numbers, `-` where there are none |
//! | duration | the first number with decimals after that, in seconds (`$request_time`, `%T`); `rt=`, `request_time=` with or without a unit; `12ms` (Traefik); a single integer at the end, in microseconds (`%D`) |
//! | upstream | `[default-cart-80]` of ingress-nginx, an address, `upstream=`, `upstream_addr=`; Traefik's server |
//! | route | Traefik's router |
//!
//! Referrer and agent are read over. Other programs write less:
//!
//! | program | how it is written |
//! |---|---|
//! | Django's own server | `[20/Nov/2026 09:00:00] "GET /pay HTTP/1.1" 200 512` |
//! | uvicorn | `INFO:     10.0.0.9:51022 - "GET /pay HTTP/1.1" 200 OK` |
//! | gin | `[GIN] 2026/11/20 - 09:00:00 \| 200 \|    1.2ms \|        10.0.0.9 \| GET      "/pay"` |
//! | morgan | `GET /pay 200 512 - 1.204 ms`, `GET /pay 200 1.204 ms - 512` |
//! | HAProxy | `10.0.0.9:51022 [20/Nov/2026:09:00:00.900] web~ cart/cart1 0/0/1/12/13 200 512 - - ---- 1/1/0/0/0 0/0 "GET /pay HTTP/1.1"`; the time is when it began: the duration is added |

#[cfg(test)]
mod tests;

use super::quantity::Dimension;
use super::time::Cursor;
use crate::event::{Finite, Timestamp};

/// What one line of an access log says.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Exchange<'a> {
    /// When it ended.
    pub(super) time: Option<Timestamp>,
    pub(super) service: Option<&'a str>,
    pub(super) method: Option<&'a str>,
    pub(super) path: Option<&'a str>,
    pub(super) route: Option<&'a str>,
    pub(super) upstream: Option<&'a str>,
    pub(super) client: Option<&'a str>,
    pub(super) status: Option<u16>,
    /// In milliseconds.
    pub(super) duration: Option<Finite>,
    pub(super) bytes: Option<Finite>,
    pub(super) flags: Option<&'a str>,
}

/// The exchange of a line, when the line is one of an access log.
pub(super) fn read(line: &str) -> Option<Exchange<'_>> {
    if let Some(exchange) = of_server(line) {
        return Some(exchange);
    }
    match line.as_bytes().first()? {
        b'[' => gin(line),
        b'A'..=b'Z' => uvicorn(line).or_else(|| morgan(line)),
        b'0'..=b'9' | b'a'..=b'f' | b':' => haproxy(line),
        _ => None,
    }
}

/// A line of Apache, nginx, or of what writes the same.
fn of_server(line: &str) -> Option<Exchange<'_>> {
    let (before, time, after) = time_in_brackets(line)?;
    // Without a client it is a line of another kind, unless the time is written as only access logs do.
    (!before.is_empty() || line.as_bytes().get(3) == Some(&b'/')).then_some(())?;
    let (request, rest) = quoted_request(after)?;
    let mut tokens = Tokens(rest);
    let (status, bytes) = match (tokens.next()?, tokens.next()) {
        (Token::Bare(status), Some(Token::Bare(bytes))) => (status, bytes),
        (Token::Bare(status), None) => (status, "-"),
        _ => return None,
    };
    let mut exchange = Exchange {
        time: Some(time),
        status: self::status(status)?,
        bytes: match bytes {
            "-" => None,
            bytes => Some(count(bytes)?),
        },
        ..Exchange::default()
    };
    (exchange.method, exchange.path) = method_and_path(request);
    who(before, &mut exchange);
    more(tokens, &mut exchange);
    Some(exchange)
}

/// `[GIN] 2026/11/20 - 09:00:05 | 200 |    1.204312ms |        10.0.0.4 | GET      "/pay"`.
fn gin(line: &str) -> Option<Exchange<'_>> {
    let mut columns = line.strip_prefix("[GIN] ")?.split('|');
    let time = {
        let mut cursor = Cursor(columns.next()?.trim().as_bytes());
        let date = cursor.date()?;
        cursor.literal(b" - ")?;
        super::time::moment(date, cursor.time_of_day()?, 0)?
    };
    let status = self::status(columns.next()?.trim())?;
    let took = super::quantity::read(columns.next()?.trim())?;
    let client = columns.next()?.trim();
    let (method, rest) = columns.next()?.trim().split_once(' ')?;
    let path = rest.trim().strip_prefix('"')?.split('"').next()?;
    Some(Exchange {
        time: Some(time),
        method: Some(method),
        path: Some(path),
        status,
        client: first_address(client),
        duration: Finite::new(took.value).filter(|_| took.dimension == Dimension::Duration),
        ..Exchange::default()
    })
}

/// `INFO:     10.0.0.4:51022 - "GET /pay HTTP/1.1" 200 OK`.
fn uvicorn(line: &str) -> Option<Exchange<'_>> {
    let rest = line.strip_prefix("INFO:")?.trim_start();
    let (client, rest) = rest.split_once(" - ")?;
    (!client.contains(' ')).then_some(())?;
    let (request, rest) = quoted_request(rest)?;
    let (method, path) = method_and_path(request);
    let status = rest.trim_start().split(' ').next()?;
    Some(Exchange {
        method,
        path,
        client: first_address(client),
        status: self::status(status)?,
        ..Exchange::default()
    })
}

/// `GET /pay 200 512 - 1.204 ms` and `GET /pay 200 1.204 ms - 512`; `-` for a response that was not sent.
fn morgan(line: &str) -> Option<Exchange<'_>> {
    let mut words = line.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let is_request = path.starts_with('/') && method_and_path(method).0.is_some();
    is_request.then_some(())?;
    let status = self::status(words.next()?)?;
    let rest = [words.next()?, words.next()?, words.next()?, words.next()?];
    let ([bytes, "-", took, "ms"] | [took, "ms", "-", bytes]) = rest else {
        return None;
    };
    let took = took.parse::<f64>().ok().and_then(Finite::new);
    words.next().is_none().then_some(Exchange {
        method: Some(method),
        path: Some(path),
        status,
        bytes: count(bytes),
        duration: took,
        ..Exchange::default()
    })
}

/// HAProxy's HTTP format: client, when it was accepted, frontend, backend and server, five times in milliseconds of
/// which the last is the whole, status, bytes, and at the end the request.
fn haproxy(line: &str) -> Option<Exchange<'_>> {
    let (client, rest) = line.split_at_checked(memchr::memchr(b' ', line.as_bytes())?)?;
    let rest = rest.strip_prefix(" [")?;
    let (time, rest) = rest.split_once("] ")?;
    let client = client
        .parse::<std::net::SocketAddr>()
        .ok()
        .map(|_| without_port(client))?;
    let mut cursor = Cursor(time.as_bytes());
    let began = cursor.common_log()?;
    let mut words = rest.split(' ');
    let (_frontend, upstream, times) = (words.next()?, words.next()?, words.next()?);
    let (status, bytes) = (self::status(words.next()?)?, count(words.next()?)?);
    (times.split('/').count() == 5).then_some(())?;
    // It is `+13` where the log was written before the end.
    let took = count(times.rsplit('/').next()?.trim_start_matches('+'));
    let (_, request) = rest.split_once('"')?;
    let (method, path) = method_and_path(request.rsplit_once('"').map_or(request, |(request, _)| request));
    Some(Exchange {
        time: Some(began.plus_seconds(took.map_or(0.0, |took| took.value() / 1e3))),
        method,
        path,
        upstream: (!upstream.ends_with("<NOSRV>")).then_some(upstream),
        client: Some(client),
        status,
        duration: took,
        bytes: Some(bytes),
        ..Exchange::default()
    })
}

/// The status of a response; 0 and what no server may answer are none. No number at all is no access log.
pub(super) fn status(text: &str) -> Option<Option<u16>> {
    if matches!(text, "-" | "0") {
        return Some(None);
    }
    let is_status = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    let status = text.parse().ok().filter(|_| is_status)?;
    Some((100..600).contains(&status).then_some(status))
}

/// `GET /pay HTTP/1.1`, with whatever stands in the path; no method and no path where it is not that.
pub(super) fn method_and_path(request: &str) -> (Option<&str>, Option<&str>) {
    const LONGEST_METHOD: usize = 24;
    let (method, rest) = request.split_once(' ').unwrap_or((request, ""));
    let is_method = (3..=LONGEST_METHOD).contains(&method.len())
        && method
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_'));
    if !is_method {
        return (None, None);
    }
    let path = match rest.rsplit_once(' ') {
        Some((path, protocol)) if protocol.starts_with("HTTP/") => path,
        None if rest.starts_with("HTTP/") => "",
        _ => rest,
    };
    let path = path.trim();
    (Some(method), (!path.is_empty() && path != "-").then_some(path))
}

/// An address without its port and brackets.
pub(super) fn without_port(address: &str) -> &str {
    if let Some(rest) = address.strip_prefix('[') {
        return rest.split_once(']').map_or(address, |(address, _)| address);
    }
    match address.split_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => address,
    }
}

/// A number of things, at least 0.
pub(super) fn count(text: &str) -> Option<Finite> {
    let is_count = !text.is_empty() && text.len() <= 19 && text.bytes().all(|byte| byte.is_ascii_digit());
    Finite::new(text.parse::<u64>().ok().filter(|_| is_count)? as f64)
}

/// The first of `10.0.0.9, 10.0.0.1`, without its port; none for `-`.
pub(super) fn first_address(list: &str) -> Option<&str> {
    let first = list.split(',').next().unwrap_or(list).trim();
    // nginx writes `unix:` for a socket of the machine, which has no address.
    (!matches!(first, "" | "-" | "unix:")).then(|| without_port(first))
}

fn time_in_brackets(line: &str) -> Option<(&str, Timestamp, &str)> {
    const FAR: usize = 512;
    const TRIES: usize = 4;
    let near = line.as_bytes().get(..FAR).unwrap_or(line.as_bytes());
    memchr::memchr_iter(b'[', near).take(TRIES).find_map(|at| {
        let (before, after) = line.split_at_checked(at)?;
        let mut cursor = Cursor(after.as_bytes());
        cursor.byte(b'[')?;
        let time = match cursor.0 {
            [_, _, b'/', ..] => cursor.common_log()?,
            _ => cursor.date_time()?,
        };
        cursor.literal(b"] ")?;
        Some((before, time, line.get(line.len().checked_sub(cursor.0.len())?..)?))
    })
}

/// The request in quotes. A quote in it that is not escaped is part of it, when no status follows.
pub(super) fn quoted_request(text: &str) -> Option<(&str, &str)> {
    const TRIES: usize = 16;
    let inside = text.trim_start().strip_prefix('"')?;
    let mut from = 0;
    for _ in 0..TRIES {
        let end = from + end_of_quote(inside.get(from..)?)?;
        let rest = inside.get(end + 1..)?;
        if is_followed_by_status(rest) {
            return Some((inside.get(..end)?, rest));
        }
        from = end + 1;
    }
    None
}

fn is_followed_by_status(rest: &str) -> bool {
    let word = rest.strip_prefix(' ').and_then(|rest| rest.split(' ').next());
    word.is_some_and(|word| status(word).is_some())
}

/// Where the next quote is that no backslash escapes.
fn end_of_quote(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'"', bytes).find(|end| {
        let before = bytes.get(..*end).unwrap_or_default();
        let backslashes = before.iter().rev().take_while(|byte| **byte == b'\\').count();
        backslashes % 2 == 0
    })
}

/// Virtual host, client, identity and user: the last two are left out, and a user may hold spaces.
fn who<'a>(before: &'a str, exchange: &mut Exchange<'a>) {
    let mut words = before.split_ascii_whitespace();
    let Some(first) = words.next() else {
        return;
    };
    let second = words.next().unwrap_or("-");
    let is_list = first.ends_with(',');
    let has_host = !is_list && words.next().is_some() && words.next().is_some() && is_address(second);
    if has_host && first != "-" {
        exchange.service = Some(without_port(first));
    }
    exchange.client = first_address(if has_host { second } else { first });
}

fn is_address(word: &str) -> bool {
    without_port(word).parse::<std::net::IpAddr>().is_ok()
}

/// What a server adds after status and bytes.
fn more<'a>(tokens: Tokens<'a>, exchange: &mut Exchange<'a>) {
    let mut quoted = 0;
    let mut numbers = 0;
    let mut integer = None;
    for token in tokens {
        match token {
            Token::Quoted(text) => {
                quoted += 1;
                // Traefik writes referrer, agent, a count, its router and the server's URL.
                let said = (!matches!(text, "" | "-")).then_some(text);
                match (quoted, numbers) {
                    (3, 1) => exchange.route = said,
                    (4, 1) => exchange.upstream = said,
                    _ => {}
                }
            }
            Token::Bare(word) => {
                if let Some((key, value)) = word.split_once('=') {
                    named(key, value, exchange);
                } else if let Some(name) = word.strip_prefix('[').and_then(|word| word.strip_suffix(']')) {
                    if !name.is_empty() && name != "-" && exchange.upstream.is_none() {
                        exchange.upstream = Some(name);
                    }
                } else if let Some(count) = count(word) {
                    integer = (numbers == 0).then_some(count);
                    numbers += 1;
                } else if let Some(milliseconds) = duration(word, 1e3) {
                    numbers += 1;
                    exchange.duration = exchange.duration.or(Some(milliseconds));
                } else if is_host_and_port(word) && exchange.upstream.is_none() {
                    exchange.upstream = Some(word);
                }
            }
            Token::Named(key, value) => named(key, value, exchange),
        }
    }
    if let (None, Some(micros), 0 | 2) = (exchange.duration, integer, quoted) {
        exchange.duration = Finite::new(micros.value() / 1e3);
    }
    if exchange.route.is_some() && exchange.duration.is_none() {
        exchange.route = None;
    }
}

fn named<'a>(key: &str, value: &'a str, exchange: &mut Exchange<'a>) {
    let said = (!matches!(value, "" | "-")).then_some(value);
    match key {
        "rt" | "request_time" | "req_time" | "duration" => {
            exchange.duration = said.and_then(|value| duration(value, 1e3)).or(exchange.duration);
        }
        "upstream" | "upstream_addr" => exchange.upstream = said.or(exchange.upstream),
        "ua" if is_host_and_port(value) => exchange.upstream = said,
        "service" => exchange.service = said.or(exchange.service),
        _ => {}
    }
}

/// `10.0.0.7:8080` or `[::1]:8080`.
fn is_host_and_port(word: &str) -> bool {
    word.parse::<std::net::SocketAddr>().is_ok()
}

/// `0.123`, `12ms` or `1.5s`, in milliseconds; a number without a unit counts so many of them.
fn duration(text: &str, milliseconds_each: f64) -> Option<Finite> {
    let length = text
        .bytes()
        .take_while(|byte| byte.is_ascii_digit() || *byte == b'.')
        .count();
    let (number, unit) = text.split_at_checked(length)?;
    let each = match unit {
        "" => milliseconds_each,
        "s" => 1e3,
        "ms" => 1.0,
        "us" | "µs" => 1e-3,
        _ => return None,
    };
    Finite::new(number.parse::<f64>().ok()? * each)
}

/// The words of a line: quoted, `key=value` with the value in quotes, or up to the next blank.
#[derive(Debug)]
pub(super) struct Tokens<'a>(pub(super) &'a str);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// In quotes, without them.
    Quoted(&'a str),
    /// `key="value"`.
    Named(&'a str, &'a str),
    /// Anything else.
    Bare(&'a str),
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let text = self.0.trim_start_matches([' ', '\t', ',']);
        if let Some(inside) = text.strip_prefix('"') {
            let end = end_of_quote(inside).unwrap_or(inside.len());
            self.0 = inside.get(end + 1..).unwrap_or_default();
            return Some(Token::Quoted(inside.get(..end)?));
        }
        let length = text.find([' ', '\t', '"']).unwrap_or(text.len());
        let (word, rest) = text.split_at_checked(length)?;
        if let (Some(key), Some(inside)) = (word.strip_suffix('='), rest.strip_prefix('"')) {
            let end = end_of_quote(inside).unwrap_or(inside.len());
            self.0 = inside.get(end + 1..).unwrap_or_default();
            return Some(Token::Named(key, inside.get(..end)?));
        }
        self.0 = rest;
        (!word.is_empty()).then_some(Token::Bare(word))
    }
}
