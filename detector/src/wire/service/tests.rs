use super::{of_compose, of_pod, of_text};

#[test]
fn names_of_pods() {
    for (pod, service) in [
        ("cart-7f9c5d8b6-x2x4z", "cart"),
        ("cart-api-7f9c5d8b6-x2x4z", "cart-api"),
        ("redis-0", "redis"),
        ("fluent-bit-x2x4z", "fluent-bit"),
        ("backup-28312345-x2x4z", "backup"),
        ("cart", "cart"),
        ("cart-proxy", "cart-proxy"),
        ("x-7f9c5d8b6-agent", "x"),
        ("-7f9c5d8b6-x2x4z", "-7f9c5d8b6"),
        ("", ""),
    ] {
        assert_eq!(of_pod(pod), service, "of {pod}");
    }
}

#[test]
fn names_of_compose() {
    for (container, service) in [
        ("cart-1", "cart"),
        ("cart_12", "cart"),
        ("shop_cart_1", "cart"),
        ("payment_service_1", "payment_service"),
        ("cart", "cart"),
        ("-1", "-1"),
        ("cart-api", "cart-api"),
    ] {
        assert_eq!(of_compose(container), service);
    }
}

#[test]
fn names_in_a_text() {
    for (text, service) in [
        ("service=cart up", Some("cart")),
        ("msg=x app=\"big cart\"", Some("big cart")),
        ("{service.name=cart}", Some("cart")),
        ("pod=cart-7f9c5d8b6-x2x4z up", Some("cart")),
        ("pod=cart-7f9c5d8b6-x2x4z service=pay", Some("pay")),
        ("service= up", None),
        ("microservice=cart", None),
        (
            "INFO 1 --- [cart-service] [nio-8080-exec-1] c.s.CartController : up",
            Some("cart-service"),
        ),
        ("INFO 1 --- [cart] [           main] c.s.App : up", Some("cart")),
        ("INFO 1 --- [           main] c.s.App : up", None),
        ("INFO 1 --- [nio-8080-exec-1] [5f1e-9a3b] c.s.App : up", None),
        ("INFO [cart,5f1e9a,9a3b] 1 --- [main] c.s.App : up", Some("cart")),
        ("INFO [cart,,] 1 --- [main] c.s.App : up", Some("cart")),
        ("[cart,5f1e9a,9a3b,true] up", Some("cart")),
        ("[a, b, other] up", None),
        ("[cart-service] up", Some("cart-service")),
        ("ERROR [payment_service] no", Some("payment_service")),
        ("[main] [cart-svc] up", Some("cart-svc")),
        ("[main] up", None),
        ("[http-nio-8080-exec-1] up", None),
        ("cart-service: refused", Some("cart-service")),
        ("cart-service - refused", Some("cart-service")),
        ("cart-service ERROR refused", Some("cart-service")),
        ("cart-7f9c5d8b6-x2x4z ERROR refused", Some("cart")),
        ("cart-7f9c5d8b6-x2x4z refused", None),
        ("cart-service is down", None),
        ("Lost cart-service: refused", None),
        ("calling cart-service", None),
        ("connection to [cart-service] lost", None),
        ("c.shop.CartService - up", None),
        ("CartService: up", None),
        ("", None),
        ("[", None),
    ] {
        assert_eq!(of_text(text), service, "of {text}");
    }
}
