use super::*;

#[test]
fn a_container_tells_the_service_of_its_file() {
    for (path, expected) in [
        (
            "/var/log/pods/shop_cart-7f9c5d8b6-x2x4z_0f1e2d3c/cart/0.log",
            Some("cart"),
        ),
        (
            "/var/log/pods/shop_cart-7f9c5d8b6-x2x4z_0f1e2d3c/app/12.log.20261120-090000",
            Some("cart"),
        ),
        (
            "/var/log/containers/cart-7f9c5d8b6-x2x4z_shop_cart-0123456789abcdef0123456789abcdef.log",
            Some("cart"),
        ),
        (
            "/var/log/containers/cart-0_shop_main-0123456789abcdef0123456789abcdef.log",
            Some("cart"),
        ),
        ("/var/log/cart/0.log", None),
        ("cart.log", None),
        ("/var/log/containers/x.log", None),
        ("", None),
        ("/", None),
    ] {
        let mut input = Input::new(crate::wire::Format::Auto);
        input.source = Some(path.to_owned());
        assert_eq!(service_of_source(&input).as_deref(), expected, "{path}");
    }
}

#[test]
fn what_a_text_says_wins() {
    use crate::wire::Format;
    use crate::wire::tests::check;
    check(
        Format::Kubernetes,
        "2026-11-20T09:00:01Z stdout F 2026-11-20T09:00:00Z INFO {\"msg\":\"up\",\"took_ms\":3}\n\
         2026-11-20T09:00:01Z stdout F {\"level\":\"warn\",\"msg\":\"slow\",\"ts\":1795165200}\n\
         2026-11-20T09:00:01Z stderr F level=error msg=refused\n\
         2026-11-20T09:00:01Z stdout F {\"user\":\"ann\"}\n\
         2026-11-20T09:00:01Z stdout F {not json}\n",
        &[
            "2026-11-20T09:00:00Z info: up [took_ms=3]",
            "2026-11-20T09:00:00Z warn: slow",
            "2026-11-20T09:00:01Z error: refused",
            "2026-11-20T09:00:01Z -: {\"user\":\"ann\"}",
            "2026-11-20T09:00:01Z -: {not json}",
        ],
    );
}

#[test]
fn the_file_tells_the_service_of_lines_that_do_not() {
    use crate::wire::Format;
    use crate::wire::tests::check_input;
    for format in [Format::Auto, Format::Kubernetes] {
        let mut input = Input::new(format);
        input.source = Some("/var/log/pods/shop_cart-0_0f1e2d3c/cart/0.log".to_owned());
        let note = "note: read as a container log: its first lines are those of containers";
        let rows = [
            note,
            "2026-11-20T09:00:00Z {service=cart} -: up",
            "2026-11-20T09:00:01Z {service=pay} warn: slow",
        ];
        let text = "2026-11-20T09:00:00Z stdout F up\n2026-11-20T09:00:01Z stdout F level=warn app=pay msg=slow\n";
        let skipped = usize::from(format != Format::Auto);
        check_input(&input, text.as_bytes(), &rows[skipped..]);
    }
}
