use super::super::tests::{check, check_input, rows};
use crate::scorer::Input;
use crate::wire::Format;

#[test]
fn a_scrape_is_one_moment_and_one_event_for_each_label_set() {
    let scrape = "\
# HELP http_requests_total Requests.
# TYPE http_requests_total counter
http_requests_total{method=\"post\",code=\"200\"} 1027
http_requests_total{code=\"400\",method=\"post\"} 3
# TYPE in_flight gauge
in_flight{method=\"post\",code=\"200\"} 2

up 1
";
    check(
        Format::Prometheus,
        &scrape.repeat(2),
        &[
            "blank",
            "blank",
            "1970-01-01T00:00:00Z {code=200 method=post} http_requests_total=1027 in_flight=2",
            "1970-01-01T00:00:00Z {code=400 method=post} http_requests_total=3",
            "blank",
            "blank",
            "blank",
            "1970-01-01T00:00:00Z up=1",
            "blank",
            "blank",
            "1970-01-01T00:01:00Z {code=200 method=post} http_requests_total=1027 in_flight=2",
            "1970-01-01T00:01:00Z {code=400 method=post} http_requests_total=3",
            "blank",
            "blank",
            "blank",
            "1970-01-01T00:01:00Z up=1",
        ],
    );
}

#[test]
fn a_summary_is_named_after_its_quantiles_and_buckets_are_left_out() {
    check(
        Format::Prometheus,
        "# TYPE rpc_duration_seconds summary\n\
         rpc_duration_seconds{quantile=\"0.5\",job=\"a\"} 0.1\n\
         rpc_duration_seconds{quantile=\"0.99\",job=\"a\"} 0.9\n\
         rpc_duration_seconds_sum{job=\"a\"} 1.7560473e+07\n\
         rpc_duration_seconds_count{job=\"a\"} 2693\n\
         # TYPE wait histogram\n\
         wait_bucket{job=\"a\",le=\"+Inf\"} 7\n\
         wait_count{job=\"a\"} 7\n",
        &[
            "blank",
            "1970-01-01T00:00:00Z {job=a} rpc_duration_seconds_p50=0.1 rpc_duration_seconds_p99=0.9 \
             rpc_duration_seconds_sum=17560473 rpc_duration_seconds_count=2693 wait_count=7",
            "blank",
            "blank",
            "blank",
            "blank",
            "blank",
            "blank",
        ],
    );
}

#[test]
fn times_are_milliseconds_or_seconds_and_label_values_have_escapes() {
    check(
        Format::Prometheus,
        "msdos_file_access_time_seconds{path=\"C:\\\\DIR\\\\FILE.TXT\",error=\"Cannot find:\\n\\\"F\\\"\"} 1.5 1795165200000\n\
         a{ b = \"c\" , } 3 1795165201.5\n\
         {\"http.duration\",\"x.y\"=\"{z}\"} 4\r\n",
        &[
            "2026-11-20T09:00:00Z {error=Cannot find:\n\"F\" path=C:\\DIR\\FILE.TXT} msdos_file_access_time_seconds=1.5",
            "2026-11-20T09:00:01.5Z {b=c} a=3",
            "2026-11-20T09:00:01.5Z {x.y={z}} http.duration=4",
        ],
    );
}

#[test]
fn openmetrics_has_an_end_exemplars_and_things_that_are_no_metrics() {
    check(
        Format::Prometheus,
        "# TYPE foo counter\n\
         # UNIT foo seconds\n\
         foo_total 17.0 1795165200 # {trace_id=\"abc\"} 0.67 1795165199.9\n\
         foo_created 1520430000.123\n\
         # TYPE target info\n\
         target_info{version=\"8\"} 1\n\
         # EOF\n\
         foo_total 18.0\n",
        &[
            "blank",
            "blank",
            "2026-11-20T09:00:00Z foo_total=17",
            "blank",
            "blank",
            "blank",
            "blank",
            "2026-11-20T09:00:00Z foo_total=18",
        ],
    );
}

#[test]
fn the_type_decides_where_the_name_does_not() {
    check(
        Format::Prometheus,
        "# TYPE requests counter\nrequests 3\n# TYPE pool_count gauge\npool_count 4\nother_count 5\n",
        &[
            "blank",
            "1970-01-01T00:00:00Z requests_total=3 pool_count_gauge=4 other_count=5",
            "blank",
            "blank",
            "blank",
        ],
    );
}

#[test]
fn gaps_are_no_values_and_still_part_of_the_scrape() {
    check(
        Format::Prometheus,
        "a NaN\nb +Inf\nc 1\na 2\nb -Inf\nc 3\n",
        &[
            "blank",
            "blank",
            "1970-01-01T00:00:00Z c=1",
            "1970-01-01T00:01:00Z a=2 c=3",
            "blank",
            "blank",
        ],
    );
}

#[test]
fn what_is_broken_is_named_and_the_rest_is_read() {
    let example = "a line is a name, its labels and a value, as in `http_requests_total{code=\"200\"} 1027`";
    check(
        Format::Prometheus,
        "a 1\nb{x=\"1} 2\nc{x} 3\nd\ne five\nf 1 yesterday\n3x 1\ng{x=\"1\",x=\"2\"} 1\n{x=\"1\"} 1\n}{\nh 2\n",
        &[
            "1970-01-01T00:00:00Z a=1 h=2",
            "line 2 [b]: a quote is open at the end of the line: close it, and write a quote inside as \\\"",
            "line 3 [x]: the labels are broken here: write {name=\"value\",…}",
            &format!("line 4 [d]: there is no value behind it: {example}"),
            "line 5 [e]: \"five\" is no number: write one such as 12.5, or NaN where there is none",
            "line 6 [f]: the time \"yesterday\" cannot be read: write milliseconds, or seconds, since 1970",
            &format!("line 7: \"3x\" is not the name of a metric: {example}"),
            "line 8 [x]: the label is there twice: leave one out",
            &format!("line 9: the metric has no name: {example}"),
            &format!("line 10: \"}}\" is not the name of a metric: {example}"),
            "blank",
        ],
    );
    check_input(
        &Input::new(Format::Prometheus),
        b"a{x=\"\xff\"} 1\n",
        &["line 1: the line is not UTF-8 at column 6: save the scrape as UTF-8"],
    );
}

#[test]
fn a_scrape_without_an_end_is_bounded() {
    let text: String = (0..super::MOST_LINES + 10).map(|n| format!("m{n} 1\n")).collect();
    let found = rows(&Input::new(Format::Prometheus), text.as_bytes());
    assert_eq!(found.len(), super::MOST_LINES + 10);
    assert_eq!(found.iter().filter(|row| *row != "blank").count(), 2);
}
