use proptest::prelude::*;

use super::*;

/// Lines of sessions, one a second unless it is said otherwise.
struct Watch {
    sessions: Sessions,
    learning: Learning,
    seconds: i64,
    named: u64,
}

impl Watch {
    fn new() -> Self {
        Watch {
            sessions: Sessions::new(100),
            learning: Learning::Guarded,
            seconds: 0,
            named: 0,
        }
    }

    fn line(&mut self, session: &str, event: u64) -> Option<Ended> {
        self.line_of((session, Origin::Given), event)
    }

    fn line_of(&mut self, session: (&str, Origin), event: u64) -> Option<Ended> {
        self.seconds += 1;
        let now = Timestamp::from_seconds(self.seconds);
        let text = format!("event {event}");
        self.sessions.observe(session, (event, &text), now, self.learning)
    }

    /// A whole session, until it has timed out.
    fn session(&mut self, events: &[u64]) -> Ended {
        self.named += 1;
        let name = format!("s{}", self.named);
        for event in events {
            assert_eq!(self.line(&name, *event), None);
        }
        self.later().expect("it has timed out")
    }

    fn later(&mut self) -> Option<Ended> {
        self.seconds += 1_000;
        self.sessions
            .expire(Timestamp::from_seconds(self.seconds), self.learning)
    }

    /// Has seen what the others are compared with.
    fn trained() -> Self {
        Watch::trained_on(500)
    }

    fn trained_on(sessions: u32) -> Self {
        let mut watch = Watch::new();
        watch.learning = Learning::Open;
        for n in 0..sessions {
            match n % 10 {
                0 => watch.session(&[1, 2, 2, 3, 5]),
                1..4 => watch.session(&[1, 2, 3, 2, 4]),
                4 if n % 100 == 4 => watch.session(&[1, 11, 12, 13, 14, 15, 4]),
                _ => watch.session(&[1, 2, 3, 4]),
            };
        }
        watch.learning = Learning::Guarded;
        watch
    }
}

/// Numbers below the one that is given.
fn random() -> impl FnMut(u64) -> u64 {
    let mut state = 1_u64;
    move |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

#[test]
fn what_was_seen_is_normal() {
    let mut watch = Watch::trained();
    for events in [&[1, 2, 3, 4][..], &[1, 2, 2, 3, 5], &[1, 2, 3, 2, 4]] {
        let ended = watch.session(events);
        assert!(!ended.anomalous && ended.surprise == 0.0, "{ended:?}");
        assert_eq!(ended.lines, events.len() as u64);
    }
}

#[test]
fn what_sets_a_session_apart_is_told() {
    let evidence = |events: &[u64]| {
        let ended = Watch::trained().session(events);
        assert!(ended.anomalous, "{events:?}: {ended:?}");
        let evidence = ended.evidence.iter().map(ToString::to_string);
        evidence.collect::<Vec<_>>().join("; ")
    };
    assert!(evidence(&[1, 2, 3, 77, 77, 4]).starts_with("never seen before: event 77 (2 times)"));
    assert!(evidence(&[1, 2]).starts_with("missing: event 3 (usually once)"));
    let often = [&[1][..], &[2; 40], &[3, 4]].concat();
    assert!(
        evidence(&often).starts_with("40 times, usually"),
        "{}",
        evidence(&often)
    );
    let turned = evidence(&[4, 15, 14, 13, 12, 11, 1]);
    for part in [
        "begins with: event 4",
        "new order: event 14, right after event 15",
        "ends after: event 1",
    ] {
        assert!(turned.contains(part), "{turned}");
    }
}

#[test]
fn a_small_change_is_no_anomaly() {
    let mut watch = Watch::trained();
    for events in [&[1, 2, 3, 5][..], &[1, 2, 2, 2, 2, 3, 4]] {
        let ended = watch.session(events);
        assert!(!ended.anomalous && ended.surprise > 0.0, "{ended:?}");
    }
}

#[test]
fn a_new_order_is_strange_where_orders_do_not_vary() {
    let mut watch = Watch::trained_on(2_000);
    for n in 0..10 {
        let ended = watch.session(&[1, 3, 2, 4]);
        assert!(ended.anomalous, "{n}: {ended:?}");
        assert_eq!(ended.evidence[0].to_string(), "new order: event 3, right after event 1");
        watch.session(&[1, 2, 3, 4]);
    }
}

/// As where the lines of several threads mix: each session has the same events, and hardly two the same order.
#[test]
fn a_new_order_is_none_where_orders_vary() {
    let mut watch = Watch::new();
    let mut random = random();
    let mut anomalous = Vec::new();
    for _ in 0..2_000 {
        let mut events = (0..20).collect::<Vec<_>>();
        // Neighbours swap, and now and then a line is far from its place.
        for place in 0..19 {
            if random(4) == 0 {
                events.swap(place, place + 1);
            }
        }
        if random(20) == 0 {
            events.swap(random(20) as usize, random(20) as usize);
        }
        anomalous.push(u32::from(watch.session(&events).anomalous));
    }
    let late = anomalous[500..].iter().sum::<u32>();
    assert!(late <= 5, "{late} of 1,500");
}

/// What one session did is remembered as one: it hides neither the next one nor makes its own order usual.
#[test]
fn one_new_order_in_history_does_not_hide_another() {
    let mut watch = Watch::new();
    watch.learning = Learning::Open;
    for n in 0..2_000 {
        watch.session(if n == 300 { &[1, 3, 2, 4] } else { &[1, 2, 3, 4] });
    }
    watch.learning = Learning::Guarded;
    assert!(watch.session(&[1, 2, 4, 3]).anomalous);
}

#[test]
fn before_there_is_anything_to_compare_with_nothing_is_anomalous() {
    let mut watch = Watch::new();
    for n in 0..19 {
        assert!(!watch.session(&[n, n + 1, n + 2]).anomalous, "{n}");
    }
}

#[test]
fn an_anomaly_stays_one_and_a_new_normal_does_not() {
    let mut watch = Watch::trained();
    for n in 0..200 {
        let rare = if n % 10 == 0 {
            watch.session(&[1, 9, 8, 7])
        } else {
            watch.session(&[1, 2, 3, 4])
        };
        assert_eq!(rare.anomalous, n % 10 == 0, "{n}");
    }
    // After a deployment every session is another one.
    let anomalous = (0..200).map(|_| u32::from(watch.session(&[1, 20, 21, 22, 4]).anomalous));
    let anomalous = anomalous.collect::<Vec<_>>();
    assert!(
        anomalous[0] == 1 && anomalous[150..].iter().sum::<u32>() == 0,
        "{anomalous:?}"
    );
}

#[test]
fn something_odd_is_accepted_when_it_comes_for_a_week() {
    let mut watch = Watch::trained();
    let mut last = true;
    for n in 0..40 {
        watch.seconds += 3_600;
        for _ in 0..20 {
            watch.session(&[1, 2, 3, 4]);
        }
        last = watch.session(&[1, 20, 21, 22, 4]).anomalous;
        assert!(last || n > 20, "{n}");
    }
    assert!(!last);
}

#[test]
fn where_each_session_is_unlike_the_others_none_is_anomalous_for_it() {
    let mut watch = Watch::new();
    let mut random = random();
    let mut anomalous = Vec::new();
    for _ in 0..2_000 {
        let events = if random(3) == 0 {
            (0..4 + random(20)).map(|_| random(60)).collect()
        } else {
            vec![1, 2, 3, 4]
        };
        anomalous.push(u32::from(watch.session(&events).anomalous));
    }
    let late = anomalous[1_000..].iter().sum::<u32>();
    assert!(late <= 20, "{late} of 1,000");
}

#[test]
fn one_strange_session_in_history_does_not_hide_another() {
    let mut watch = Watch::new();
    watch.learning = Learning::Open;
    for n in 0..500 {
        watch.session(if n == 100 { &[31, 32, 33, 34, 35] } else { &[1, 2, 3, 4] });
    }
    watch.learning = Learning::Guarded;
    assert!(watch.session(&[1, 2, 41, 42, 4]).anomalous);
}

#[test]
fn what_an_unfinished_session_lacks_is_no_evidence() {
    let mut watch = Watch::trained();
    watch.line("open", 1);
    watch.line("open", 2);
    let ended = watch.sessions.finish(Learning::Guarded).unwrap();
    assert!(ended.unfinished && !ended.anomalous, "{ended:?}");
    watch.line("broken", 1);
    watch.line("broken", 99);
    let ended = watch.sessions.finish(Learning::Guarded).unwrap();
    assert!(ended.unfinished && ended.anomalous, "{ended:?}");
    // Of others the pauses are known: one that is quiet for much longer is over.
    watch.line("over", 1);
    watch.line("over", 2);
    watch.seconds += 60;
    watch.line("open", 1);
    let ended = watch.sessions.finish(Learning::Guarded).unwrap();
    assert!(!ended.unfinished && ended.anomalous, "{ended:?}");
}

#[test]
fn what_is_frozen_stays_as_it_is() {
    let mut watch = Watch::trained();
    watch.learning = Learning::Frozen;
    let first = watch.session(&[1, 2, 3, 5]);
    for _ in 0..50 {
        let again = watch.session(&[1, 2, 3, 5]);
        assert_eq!(again.surprise, first.surprise);
    }
}

#[test]
fn a_template_that_joins_an_older_one_takes_its_sessions_along() {
    let mut watch = Watch::trained();
    watch.line("open", 1);
    watch.line("open", 2);
    watch.line("open", 3);
    // Templates 3 and 4 turn out to be the same as 2.
    watch.sessions.merge(3, 2);
    watch.sessions.merge(4, 2);
    watch.line("open", 2);
    let open = watch.later().unwrap();
    assert!(open.surprise < 1.5 && !open.anomalous, "{open:?}");
    let ended = watch.session(&[1, 2, 2, 2]);
    assert!(!ended.anomalous, "{ended:?}");
    assert!(watch.session(&[1, 15]).anomalous);
}

#[test]
fn a_line_alone_is_no_session_and_late_lines_belong_to_nothing() {
    let mut watch = Watch::new();
    watch.line_of(("alone", Origin::Found), 1);
    assert_eq!(watch.later(), None);
    watch.line_of(("two", Origin::Found), 1);
    watch.line_of(("two", Origin::Found), 2);
    assert_eq!(watch.later().unwrap().name, "two");
    watch.line_of(("two", Origin::Found), 1);
    watch.line_of(("two", Origin::Found), 2);
    assert_eq!(watch.later(), None);
}

#[test]
fn tables_stay_within_their_bounds() {
    let mut watch = Watch::new();
    let mut events = 0;
    for n in 0..1_500 {
        let lines = if n == 0 { 20_000 } else { 5 };
        for _ in 0..lines {
            events += 1;
            watch.line(&n.to_string(), events % 40_000);
        }
    }
    let Sessions {
        open, normal, evicted, ..
    } = &watch.sessions;
    assert!(open.len() <= 100);
    assert_eq!(*evicted, 1_400);
    assert!(
        open.iter()
            .all(|(_, s)| s.counts.len() <= MOST_EVENTS && s.steps.len() <= MOST_STEPS)
    );
    let (events, profiles, steps, exceptions) = normal.sizes();
    assert!(events <= ALL_EVENTS && profiles <= ALL_PROFILES && steps <= ALL_STEPS && exceptions <= 32);
    assert!(
        events == ALL_EVENTS && profiles == ALL_PROFILES,
        "the bounds were reached"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However the lines of sessions mix, each session is judged the same, as long as they end in the same order.
    #[test]
    fn sessions_do_not_see_each_other(order in prop::collection::vec(0_usize..8, 200)) {
        let scripts: [&[u64]; 8] = [
            &[1, 2, 3, 4], &[1, 2, 3, 2, 4], &[1, 2, 2, 3, 5], &[1, 9, 9],
            &[4, 3, 2, 1], &[1, 2, 3, 4], &[1], &[1, 2, 3, 2, 4],
        ];
        let ends = |order: &[usize]| {
            let mut watch = Watch::trained_on(60);
            let mut next = [0; 8];
            for n in order.iter().copied().chain((0..8).flat_map(|n| [n; 5])) {
                if next[n] + 1 < scripts[n].len() {
                    watch.line(&format!("t{n}"), scripts[n][next[n]]);
                    next[n] += 1;
                }
            }
            for (n, script) in scripts.iter().enumerate() {
                watch.line(&format!("t{n}"), script[script.len() - 1]);
            }
            std::iter::from_fn(|| watch.later()).collect::<Vec<_>>()
        };
        let ended = ends(&order);
        prop_assert_eq!(ended.len(), 8);
        prop_assert_eq!(ended, ends(&[]));
    }

    /// A snapshot in between changes nothing.
    #[test]
    fn what_is_written_and_read_goes_on_as_before(
        lines in prop::collection::vec((0_u8..12, 0_u64..6), 1..600),
        at in 0_usize..600,
    ) {
        let run = |at: usize| {
            let mut watch = Watch::new();
            let mut ended = Vec::new();
            for (n, (session, event)) in lines.iter().enumerate() {
                if n == at {
                    let written = postcard::to_allocvec(&watch.sessions).unwrap();
                    watch.sessions = postcard::from_bytes(&written).unwrap();
                }
                if n % 20 == 0 {
                    ended.extend(watch.later());
                }
                ended.extend(watch.line(&session.to_string(), *event));
            }
            while let Some(last) = watch.sessions.finish(Learning::Guarded) {
                ended.push(last);
            }
            (ended, postcard::to_allocvec(&watch.sessions).unwrap())
        };
        prop_assert_eq!(run(at), run(usize::MAX));
    }
}

#[test]
fn a_line_says_what_it_belongs_to() {
    for (message, session) in [
        ("payment refused request_id=7f3a9c21 user=4", "7f3a9c21"),
        ("handled X-Request-ID: 0d9c8f00-11aa in 3 ms", "0d9c8f00-11aa"),
        (
            r#"calling {"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","a":1}"#,
            "4bf92f3577b34da6a3ce929d0e0e4736",
        ),
        (
            "START RequestId: 8f507cfc-xmpl-4697-b07a-ac58fc914c95 Version: 1",
            "8f507cfc-xmpl-4697-b07a-ac58fc914c95",
        ),
        ("Correlation ID = [ab-12-cd]", "ab-12-cd"),
        (
            "[req-5a2050e7-b381-4ae9-92d2-8b08e9f9f4c0 113d3a99 54fadb41 - - -] GET /v2 status: 200",
            "req-5a2050e7-b381-4ae9-92d2-8b08e9f9f4c0",
        ),
        (
            "[5a2050e7-b381-4ae9-92d2-8b08e9f9f4c0] done",
            "5a2050e7-b381-4ae9-92d2-8b08e9f9f4c0",
        ),
        (
            "Received block blk_-1608999687919862906 of size 91178 from /10.250.10.6",
            "blk_-1608999687919862906",
        ),
        ("queued (req_81236712634)", "req_81236712634"),
    ] {
        assert_eq!(session_in(message), Some(session), "{message}");
    }
    for message in [
        "",
        "id=17 took 5 ms",
        "uid=1000 pid: 4711",
        "request_id=- user=4",
        "request_id=0000000000000000",
        "trace_id: none",
        "valid: true, grid=3300",
        "[12345] started",
        "[00000000-0000-0000-0000-000000000000 - - -] started",
        "/var/log/app_20261120.log rotated",
        "Added attempt_1445144423722_0020_m_000002_0 to list",
        "x86_64 build, utf_8, key_123",
        "at 2026-11-20T09:00:00Z [error] 10.0.0.1:8080",
    ] {
        assert_eq!(session_in(message), None, "{message}");
    }
}
