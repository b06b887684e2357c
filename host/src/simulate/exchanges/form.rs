//! The forms in which an exchange can be written.

use super::people::{self, Client, mixed, pod_address};
use super::{Exchange, ROUTES, SECOND, manners};
use crate::simulate::wire::{self, Calendar};

/// How requests are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Envoy's access log as JSON, with the fields one usually chooses.
    EnvoyJson,
    /// Envoy's access log as it is when nobody chooses.
    EnvoyText,
    /// The combined log of nginx and Apache.
    Combined,
}

pub(super) fn write(exchange: &Exchange, form: Form, seed: u64, calendar: &Calendar, out: &mut Vec<u8>) {
    let writer = Writer { exchange, seed, out };
    match form {
        Form::EnvoyJson => writer.envoy_json(calendar),
        Form::EnvoyText => writer.envoy_text(calendar),
        Form::Combined => writer.combined(),
    }
}

struct Writer<'a> {
    exchange: &'a Exchange,
    seed: u64,
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn envoy_json(mut self, calendar: &Calendar) {
        self.text("{\"start_time\":\"");
        self.start(calendar);
        self.text("\",\"method\":\"");
        self.text(self.method());
        self.text("\",\"path\":\"");
        self.path();
        match self.exchange.route {
            Some(route) => {
                self.text("\",\"route_name\":\"");
                self.text(ROUTES[route].name);
                self.text("\",\"upstream_cluster\":\"");
                self.text(ROUTES[route].service.profile().name);
                self.text("\"");
            }
            // As Envoy writes what is not known.
            None => self.text("\",\"route_name\":null,\"upstream_cluster\":null"),
        }
        self.number(",\"response_code\":", u64::from(self.exchange.status));
        self.text(",\"response_flags\":\"");
        self.text(self.exchange.flags);
        self.number("\",\"duration\":", self.milliseconds());
        self.number(",\"bytes_sent\":", u64::from(self.exchange.sent));
        self.number(",\"bytes_received\":", u64::from(self.exchange.received));
        self.text(",\"downstream_remote_address\":\"");
        self.client();
        self.number(":", self.port());
        self.text("\",\"user_agent\":\"");
        self.text(self.exchange.client.agent(self.seed));
        self.text("\",\"request_id\":\"");
        self.request_id();
        self.text("\"}\n");
    }

    fn envoy_text(mut self, calendar: &Calendar) {
        let is_visitor = !matches!(self.exchange.client, Client::Pod(..));
        self.text("[");
        self.start(calendar);
        self.text("] \"");
        self.text(self.method());
        self.text(" ");
        self.path();
        self.text(if is_visitor { " HTTP/2\" " } else { " HTTP/1.1\" " });
        self.number("", u64::from(self.exchange.status));
        self.text(" ");
        self.text(self.exchange.flags);
        self.number(" ", u64::from(self.exchange.received));
        self.number(" ", u64::from(self.exchange.sent));
        self.number(" ", self.milliseconds());
        let upstream = self
            .exchange
            .route
            .filter(|_| matches!(self.exchange.flags, "-" | "UC" | "UPE"));
        match upstream {
            Some(_) => self.number(" ", self.milliseconds().saturating_sub(1)),
            None => self.text(" -"),
        }
        self.text(" \"");
        if is_visitor {
            self.client();
        } else {
            self.text("-");
        }
        self.text("\" \"");
        self.text(self.exchange.client.agent(self.seed));
        self.text("\" \"");
        self.request_id();
        self.text("\" \"");
        match self.exchange.route {
            Some(route) if !is_visitor => {
                self.text(ROUTES[route].service.profile().name);
                self.text(":8080");
            }
            _ => self.text("shop.example"),
        }
        self.text("\" \"");
        match self.exchange.route.filter(|_| self.exchange.flags != "UO") {
            Some(route) => {
                let pod = (mixed(self.seed, self.exchange.id) % u64::from(people::PODS)) as u8;
                wire::address(self.out, pod_address(ROUTES[route].service, pod));
                self.text(":8080");
            }
            None => self.text("-"),
        }
        self.text("\"\n");
    }

    fn combined(mut self) {
        self.client();
        self.text(" - - [");
        wire::common_log_time(self.out, self.exchange.end.div_euclid(SECOND));
        self.text("] \"");
        self.text(self.method());
        self.text(" ");
        self.path();
        self.text(" HTTP/1.1\" ");
        // What Envoy calls 0 with a flag has a number of its own in nginx.
        let status = match self.exchange.status {
            0 => 499,
            status => status,
        };
        self.number("", u64::from(status));
        self.number(" ", u64::from(self.exchange.sent));
        let comes_from_a_page = self.exchange.route.is_some() && matches!(self.exchange.client, Client::Visitor(_));
        self.text(if comes_from_a_page && self.exchange.what & 3 != 0 {
            " \"https://shop.example/\" \""
        } else {
            " \"-\" \""
        });
        self.text(self.exchange.client.agent(self.seed));
        self.text("\"\n");
    }

    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, before: &str, value: u64) {
        self.text(before);
        wire::integer(self.out, value);
    }

    fn start(&mut self, calendar: &Calendar) {
        let second = self.exchange.start.div_euclid(SECOND);
        let millisecond = self.exchange.start.rem_euclid(SECOND) / 1000;
        calendar.stamp(self.out, second, Some(millisecond as u32));
    }

    fn milliseconds(&self) -> u64 {
        // From the same clock readings that the log shows.
        (self.exchange.end / 1000 - self.exchange.start / 1000) as u64
    }

    fn method(&self) -> &'static str {
        match self.exchange.route {
            Some(route) => ROUTES[route].name.split(' ').next().unwrap_or("GET"),
            None => "GET",
        }
    }

    fn path(&mut self) {
        manners::path(self.exchange.route, self.exchange.what, self.out);
    }

    fn client(&mut self) {
        wire::address(self.out, self.exchange.client.address(self.seed));
    }

    /// Connections live for a while: a client has few ports.
    fn port(&self) -> u64 {
        let address = u64::from(self.exchange.client.address(self.seed).to_bits());
        32_768 + mixed(address, self.exchange.id & 7) % 28_000
    }

    fn request_id(&mut self) {
        let low = mixed(self.exchange.id, 1);
        for (value, length, dash) in [
            (self.exchange.id >> 32, 8, "-"),
            (self.exchange.id >> 16, 4, "-4"),
            (self.exchange.id, 3, "-"),
            (0x8000 | low >> 50, 4, "-"),
            (low, 12, ""),
        ] {
            wire::hexadecimal(self.out, value, length);
            self.text(dash);
        }
    }
}
