use super::super::tests::check;
use crate::wire::Format;

fn each(cases: &[(&str, &str)]) {
    for (line, expected) in cases {
        check(Format::Ndjson, line, &[expected]);
    }
}

#[test]
fn libraries() {
    each(&[
        // pino, bunyan
        (
            r#"{"level":40,"time":1795165200125,"pid":17,"hostname":"web1","name":"cart","reqId":"r-1","msg":"slow","took":212}"#,
            "2026-11-20T09:00:00.125Z {service=cart} warn <r-1>: slow [took=212]",
        ),
        // zap
        (
            r#"{"level":"error","ts":1795165200.125,"logger":"cart.pay","caller":"pay/pay.go:17","msg":"refused","error":"no funds","attempt":3}"#,
            "2026-11-20T09:00:00.125Z error: refused [attempt=3]",
        ),
        // logrus, slog
        (
            r#"{"level":"warning","msg":"refused","time":"2026-11-20T09:00:00+01:00"}"#,
            "2026-11-20T08:00:00Z warn: refused",
        ),
        (
            r#"{"time":"2026-11-20T09:00:00Z","level":"DEBUG-4","msg":"up","user":{"id":17,"age":3}}"#,
            "2026-11-20T09:00:00Z debug: up [user.age=3]",
        ),
        // tracing
        (
            r#"{"timestamp":"2026-11-20T09:00:00.5Z","level":"INFO","fields":{"message":"up","took_ms":3},"target":"cart::pay","span":{"name":"x"}}"#,
            "2026-11-20T09:00:00.5Z info: up [fields.took_ms=3]",
        ),
        // Serilog: compact, and not
        (
            r#"{"@t":"2026-11-20T09:00:00.1234567Z","@mt":"Order {Id} refused","@l":"Error","Id":17}"#,
            "2026-11-20T09:00:00.1234567Z error: Order {Id} refused",
        ),
        (
            r#"{"@t":"2026-11-20T09:00:00Z","@m":"up"}"#,
            "2026-11-20T09:00:00Z info: up",
        ),
        (
            r#"{"Timestamp":"2026-11-20T09:00:00.1234567+00:00","Level":"Warning","MessageTemplate":"up {X}","RenderedMessage":"up 1","Properties":{"Application":"cart","Elapsed":12.5}}"#,
            "2026-11-20T09:00:00.1234567Z {service=cart} warn: up 1 [Properties.Elapsed=12.5]",
        ),
        // log4j2, Logback
        (
            r#"{"instant":{"epochSecond":1795165200,"nanoOfSecond":125000000},"thread":"main","level":"FATAL","loggerName":"c.Cart","message":"refused","endOfBatch":false,"threadId":1,"threadPriority":5}"#,
            "2026-11-20T09:00:00.125Z fatal: refused",
        ),
        (
            r#"{"@timestamp":"2026-11-20T09:00:00.000Z","@version":"1","message":"up","logger_name":"c.Cart","thread_name":"main","level":"INFO","level_value":20000}"#,
            "2026-11-20T09:00:00Z info: up",
        ),
        // Python
        (
            r#"{"asctime":"2026-11-20 09:00:00,125","levelname":"CRITICAL","name":"cart.pay","message":"refused","lineno":17,"process":4}"#,
            "2026-11-20T09:00:00.125Z fatal: refused",
        ),
        (
            r#"{"created":1795165200.125,"levelno":30,"message":"refused"}"#,
            "2026-11-20T09:00:00.125Z warn: refused",
        ),
        // structlog
        (
            r#"{"event":"refused","level":"error","timestamp":"2026-11-20T09:00:00Z","logger":"pay"}"#,
            "2026-11-20T09:00:00Z error: refused",
        ),
        // Monolog, winston
        (
            r#"{"message":"up","context":{},"level":250,"level_name":"NOTICE","channel":"app","datetime":"2026-11-20T09:00:00+00:00"}"#,
            "2026-11-20T09:00:00Z notice: up",
        ),
        (
            r#"{"level":"verbose","message":"up","timestamp":"2026-11-20 09:00:00","service":"cart"}"#,
            "2026-11-20T09:00:00Z {service=cart} trace: up",
        ),
        // GELF
        (
            r#"{"version":"1.1","host":"web1","short_message":"up","timestamp":1795165200.125,"level":4,"_app_name":"cart"}"#,
            "2026-11-20T09:00:00.125Z {service=cart} warn: up",
        ),
        // MongoDB
        (
            r#"{"t":{"$date":"2026-11-20T09:00:00.125+00:00"},"s":"W","c":"NETWORK","id":22943,"ctx":"listener","msg":"up"}"#,
            "2026-11-20T09:00:00.125Z warn: up",
        ),
        // .NET's console
        (
            r#"{"Timestamp":"2026-11-20T09:00:00Z","EventId":14,"LogLevel":"Information","Category":"Host","Message":"up"}"#,
            "2026-11-20T09:00:00Z info: up",
        ),
        // No message at all
        (
            r#"{"ts":0,"level":"error","exception":"NoFunds"}"#,
            "1970-01-01T00:00:00Z error: NoFunds",
        ),
        (
            r#"{"ts":0,"level":"error","cause":"no funds","shop":"7a"}"#,
            "1970-01-01T00:00:00Z error: cause=no funds shop=7a",
        ),
    ]);
}

#[test]
fn collectors() {
    each(&[
        // Elastic Common Schema
        (
            r#"{"@timestamp":"2026-11-20T09:00:00Z","log":{"level":"error","logger":"c.Cart"},"message":"refused","service":{"name":"cart"},"trace":{"id":"5bd0"},"process":{"pid":7}}"#,
            "2026-11-20T09:00:00Z {service=cart} error <5bd0>: refused",
        ),
        (
            r#"{"@timestamp":"2026-11-20T09:00:00Z","log.level":"info","message":"up","service.name":"cart","ecs.version":"8.1"}"#,
            "2026-11-20T09:00:00Z {service=cart} info: up",
        ),
        // Google Cloud
        (
            r#"{"insertId":"x","textPayload":"refused","severity":"ALERT","timestamp":"2026-11-20T09:00:00Z","resource":{"type":"k8s_container","labels":{"container_name":"cart"}},"logName":"l"}"#,
            "2026-11-20T09:00:00Z {service=cart} fatal: refused",
        ),
        (
            r#"{"jsonPayload":{"message":"refused","took_ms":5},"severity":"WARNING","timestamp":"2026-11-20T09:00:00Z"}"#,
            "2026-11-20T09:00:00Z warn: refused [jsonPayload.took_ms=5]",
        ),
        (
            r#"{"severity":"INFO","timestamp":"2026-11-20T09:00:00Z","httpRequest":{"requestMethod":"GET","requestUrl":"/pay","status":503,"responseSize":"512","latency":"0.125s","remoteIp":"10.0.0.9"}}"#,
            "2026-11-20T09:00:00Z GET /pay 503 125 ms 512 B, route -, upstream -, client 10.0.0.9, flags -",
        ),
        // The journal
        (
            r#"{"__REALTIME_TIMESTAMP":"1795165200125250","PRIORITY":"3","_SYSTEMD_UNIT":"cart.service","_PID":"17","MESSAGE":"refused"}"#,
            "2026-11-20T09:00:00.12525Z {service=cart} error: refused",
        ),
        (
            r#"{"__REALTIME_TIMESTAMP":"1795165200125250","PRIORITY":"6","SYSLOG_IDENTIFIER":"cart","MESSAGE":"level=warn msg=slow took=212ms"}"#,
            "2026-11-20T09:00:00.12525Z {service=cart} warn: slow [took=212]",
        ),
        // Docker's json-file
        (
            r#"{"log":"2026-11-20 09:00:00 ERROR refused\n","stream":"stderr","time":"2026-11-20T09:00:01.5Z"}"#,
            "2026-11-20T09:00:00Z error: refused",
        ),
        (
            r#"{"log":"refused\n","stream":"stderr","time":"2026-11-20T09:00:01.5Z"}"#,
            "2026-11-20T09:00:01.5Z -: refused",
        ),
        (
            r#"{"log":"{\"level\":\"warn\",\"msg\":\"slow\",\"app\":\"cart\"}\n","stream":"stdout","time":"2026-11-20T09:00:01.5Z"}"#,
            "2026-11-20T09:00:01.5Z {service=cart} warn: slow",
        ),
        (
            r#"{"log":"10.0.0.9 - - [20/Nov/2026:09:00:03 +0000] \"GET /pay HTTP/1.1\" 500 12\n","stream":"stdout","time":"2026-11-20T09:00:01.5Z"}"#,
            "2026-11-20T09:00:03Z GET /pay 500 - ms 12 B, route -, upstream -, client 10.0.0.9, flags -",
        ),
        (
            r#"{"log":"\n","stream":"stdout","time":"2026-11-20T09:00:01.5Z"}"#,
            "blank",
        ),
        // Fluent Bit
        (
            r#"{"@timestamp":"2026-11-20T09:00:00Z","log":"level=error msg=refused","stream":"stdout","kubernetes":{"pod_name":"cart-7f9c5d8b6-x2x4z","container_name":"cart"}}"#,
            "2026-11-20T09:00:00Z {service=cart} error: refused",
        ),
    ]);
}

#[test]
fn bodies() {
    check(
        Format::Ndjson,
        r#"{"metrics":[{"metric_type":"cpu_usage","value":95.5,"timestamp":"2024-01-25T10:00:00Z","labels":{"pod":"api-1"}},{"metric_type":"memory_usage","value":88.3,"timestamp":"2024-01-25T10:00:00Z","labels":{"pod":"api-1"}}],"logs":[{"timestamp":"2024-01-25T10:00:00Z","level":"error","message":"Connection timeout to database","service":"api-service"}]}"#,
        &[
            "2024-01-25T10:00:00Z {pod=api-1} cpu_usage=95.5",
            "2024-01-25T10:00:00Z {pod=api-1} memory_usage=88.3",
            "2024-01-25T10:00:00Z {service=api-service} error: Connection timeout to database",
        ],
    );
    check(
        Format::Ndjson,
        r#"{"timestamp":1795165200,"value":95,"metric_name":"cpu_usage","metric_type":"cpu","service":"frontend","dimensions":{"instance":"pod-1"}}"#,
        &["2026-11-20T09:00:00Z {instance=pod-1 service=frontend} cpu_usage=95"],
    );
    check(
        Format::Ndjson,
        r#"{"messageType":"DATA_MESSAGE","logGroup":"/aws/lambda/cart","logStream":"s","logEvents":[{"id":"1","timestamp":1795165200125,"message":"refused"},{"id":"2","timestamp":1795165200126,"message":"{\"level\":\"error\",\"msg\":\"down\"}"}]}"#,
        &[
            "2026-11-20T09:00:00.125Z {service=cart} -: refused",
            "2026-11-20T09:00:00.126Z {service=cart} error: down",
        ],
    );
    check(Format::Ndjson, r#"{"logs":[]}"#, &[]);
}

#[test]
fn exchanges() {
    each(&[
        // Envoy and Istio
        (
            r#"{"start_time":"2026-11-20T09:00:00.000Z","method":"GET","path":"/pay?id=7","protocol":"HTTP/1.1","response_code":503,"response_flags":"UF,URX","bytes_received":0,"bytes_sent":91,"duration":125,"upstream_service_time":"3","x_forwarded_for":"10.0.0.9,10.0.0.1","user_agent":"curl","request_id":"5bd0","authority":"shop","upstream_host":"10.0.0.7:8080","upstream_cluster":"cart","route_name":"pay"}"#,
            "2026-11-20T09:00:00.125Z GET /pay?id=7 503 125 ms 91 B, route pay, upstream cart, client 10.0.0.9, flags UF,URX",
        ),
        (
            r#"{"start_time":"2026-11-20T09:00:00.000Z","method":null,"path":null,"response_code":0,"response_flags":"UF","bytes_sent":0,"duration":5,"upstream_host":"10.0.0.7:8080","downstream_remote_address":"10.0.0.9:1234","route_name":"-"}"#,
            "2026-11-20T09:00:00.005Z - - - 5 ms 0 B, route -, upstream 10.0.0.7:8080, client 10.0.0.9, flags UF",
        ),
        (
            r#"{":method":"GET",":path":"/pay","response_code":"200","response_flags":"-","duration":"7","start_time":"2026-11-20T09:00:00Z"}"#,
            "2026-11-20T09:00:00.007Z GET /pay 200 7 ms - B, route -, upstream -, client -, flags -",
        ),
        // nginx
        (
            r#"{"time_iso8601":"2026-11-20T09:00:00+00:00","remote_addr":"10.0.0.9","request":"GET /pay HTTP/1.1","status":"500","body_bytes_sent":"12","request_time":"0.125","upstream_addr":"10.0.0.7:8080","http_user_agent":"curl"}"#,
            "2026-11-20T09:00:00Z GET /pay 500 125 ms 12 B, route -, upstream 10.0.0.7:8080, client 10.0.0.9, flags -",
        ),
        (
            r#"{"time_local":"20/Nov/2026:09:00:00 +0100","request_method":"GET","request_uri":"/pay","status":200,"request_time":0.5}"#,
            "2026-11-20T08:00:00Z GET /pay 200 500 ms - B, route -, upstream -, client -, flags -",
        ),
        // Caddy
        (
            r#"{"level":"info","ts":1795165200.125,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"10.0.0.9","method":"GET","host":"shop","uri":"/pay"},"duration":0.25,"size":12,"status":404}"#,
            "2026-11-20T09:00:00.125Z GET /pay 404 250 ms 12 B, route -, upstream -, client 10.0.0.9, flags -",
        ),
        // Traefik
        (
            r#"{"ClientHost":"10.0.0.9","DownstreamContentSize":12,"DownstreamStatus":502,"Duration":12500000,"RequestMethod":"GET","RequestPath":"/pay","RouterName":"pay@docker","ServiceName":"cart@docker","StartUTC":"2026-11-20T09:00:00Z","level":"info","msg":"","time":"2026-11-20T09:00:01Z"}"#,
            "2026-11-20T09:00:01Z {service=cart@docker} GET /pay 502 12.5 ms 12 B, route pay@docker, upstream -, client 10.0.0.9, flags -",
        ),
        // Elastic Common Schema
        (
            r#"{"@timestamp":"2026-11-20T09:00:00Z","http":{"request":{"method":"GET"},"response":{"status_code":200,"body":{"bytes":12}}},"url":{"path":"/pay"},"event":{"duration":5000000},"source":{"ip":"10.0.0.9"},"service":{"name":"cart"},"message":"GET /pay 200"}"#,
            "2026-11-20T09:00:00Z {service=cart} GET /pay 200 5 ms 12 B, route -, upstream -, client 10.0.0.9, flags -",
        ),
        // pino-http
        (
            r#"{"level":30,"time":1795165200125,"req":{"id":1,"method":"GET","url":"/pay","remoteAddress":"10.0.0.9"},"res":{"statusCode":200},"responseTime":12,"msg":"request completed"}"#,
            "2026-11-20T09:00:00.125Z GET /pay 200 12 ms - B, route -, upstream -, client 10.0.0.9, flags -",
        ),
        // Libraries that say it in other words
        (
            r#"{"time":"2026-11-20T09:00:00Z","level":"INFO","msg":"http request","method":"GET","path":"/pay","status":200,"latency_ms":12.5,"service":"cart"}"#,
            "2026-11-20T09:00:00Z {service=cart} GET /pay 200 12.5 ms - B, route -, upstream -, client -, flags -",
        ),
        (
            r#"{"time":"2026-11-20T09:00:00Z","method":"GET","uri":"/pay","statusCode":200,"duration":"1.5s","ip":"10.0.0.9","route":"/:x"}"#,
            "2026-11-20T09:00:00Z GET /pay 200 1500 ms - B, route /:x, upstream -, client 10.0.0.9, flags -",
        ),
        (
            r#"{"time":"2026-11-20T09:00:00Z","method":"GET","path":"/pay","status":200,"duration_seconds":0.25}"#,
            "2026-11-20T09:00:00Z GET /pay 200 250 ms - B, route -, upstream -, client -, flags -",
        ),
        // A message that says more is a log line.
        (
            r#"{"time":"2026-11-20T09:00:00Z","level":"error","msg":"payment provider refused","method":"GET","path":"/pay","status":502}"#,
            "2026-11-20T09:00:00Z error: payment provider refused [status=502]",
        ),
        // A status of something else is a number.
        (
            r#"{"ts":0,"path":"/dev/sda","status":7}"#,
            "1970-01-01T00:00:00Z {path=/dev/sda} status=7",
        ),
        (
            r#"{"ts":0,"route":"/pay","status":200,"count":3}"#,
            "1970-01-01T00:00:00Z {route=/pay} count=3 status=200",
        ),
    ]);
}

#[test]
fn units() {
    each(&[
        (
            r#"{"ts":0,"memory":"1.5KiB","load":"30%","latency":"5000ms","zone":"1b","shard":"3","window":"5m"}"#,
            "1970-01-01T00:00:00Z {shard=3 window=5m zone=1b} latency=5000 load=30 memory=1536",
        ),
        (
            r#"{"ts":0,"msg":"up","took":"1.5s","wait_seconds":"1500ms","wait_ms":12,"size":"10kB","id":"5ms"}"#,
            "1970-01-01T00:00:00Z -: up [size=10000 took=1500 wait_ms=12 wait_seconds=1.5]",
        ),
    ]);
}

#[test]
fn times_in_other_layouts() {
    for (field, expected) in [
        (r#""datetime":"Fri, 20 Nov 2026 09:00:00 GMT""#, "2026-11-20T09:00:00Z"),
        (r#""date":"Fri, 20 Nov 2026 09:00:00 +0130""#, "2026-11-20T07:30:00Z"),
        (r#""date":"20 Nov 26 09:00 EST""#, "2026-11-20T14:00:00Z"),
        (
            r#""date":" Wed, 1 Jul 1998  09:00:00 -0700 (PDT)""#,
            "1998-07-01T16:00:00Z",
        ),
        (r#""date":"Thu,1 Jul 99 09:00:00 PDT""#, "1999-07-01T16:00:00Z"),
        (r#""date":"31 Dec 2026 23:59:60 UT""#, "2026-12-31T23:59:59Z"),
        (r#""time":"20/Nov/2026:09:00:00 +0100""#, "2026-11-20T08:00:00Z"),
        (
            r#""timestamp":{"seconds":1795165200,"nanos":5}"#,
            "2026-11-20T09:00:00.000000005Z",
        ),
        (r#""timestampMs":1795165200125"#, "2026-11-20T09:00:00.125Z"),
        (
            r#""time":"later","@timestamp":"2026-11-20T09:00:00Z""#,
            "2026-11-20T09:00:00Z",
        ),
        (
            r#""date":"soon","start_time":"2026-11-20T09:00:00Z""#,
            "2026-11-20T09:00:00Z",
        ),
        (r#""ts":7,"date":9"#, "1970-01-01T00:00:07Z"),
    ] {
        check(
            Format::Ndjson,
            &format!("{{{field},\"a\":1}}"),
            &[&format!("{expected} a=1")],
        );
    }
}

#[test]
fn names_that_count_less() {
    each(&[
        // The host of a URL is no part of the path, and what a client says of itself is weaker than its address.
        (
            r#"{"method":"GET","url":"https://shop.example/pay?id=7","status":200,"x_forwarded_for":"192.0.2.1","remote_addr":"10.0.0.9"}"#,
            "1970-01-01T00:00:00Z GET /pay?id=7 200 - ms - B, route -, upstream -, client 10.0.0.9, flags -",
        ),
        (
            r#"{"method":"GET","url":"http://shop.example","status":200,"fwd":"192.0.2.1, 10.0.0.9"}"#,
            "1970-01-01T00:00:00Z GET / 200 - ms - B, route -, upstream -, client 192.0.2.1, flags -",
        ),
        // A part of a program is not the program; the pod says more than a container called `app`.
        (
            r#"{"level":50,"pid":1,"name":"cart","component":"db","msg":"gone"}"#,
            "1970-01-01T00:00:00Z {service=cart} error: gone",
        ),
        (
            r#"{"kubernetes":{"pod_name":"cart-7f9c5d8b6-x2x4z","container_name":"app"},"msg":"up"}"#,
            "1970-01-01T00:00:00Z {service=cart} -: up",
        ),
        (
            r#"{"level":"info","logger":"cart-service","msg":"up"}"#,
            "1970-01-01T00:00:00Z {service=cart-service} info: up",
        ),
        (
            r#"{"level":"info","logger":"c.shop.Cart","msg":"up"}"#,
            "1970-01-01T00:00:00Z info: up",
        ),
        // Google's default level is none; log15 has its own spelling.
        (
            r#"{"severity":"DEFAULT","textPayload":"up","insertId":"1"}"#,
            "1970-01-01T00:00:00Z -: up",
        ),
        (r#"{"lvl":"eror","msg":"down"}"#, "1970-01-01T00:00:00Z error: down"),
        // zap's short keys, and a line of pino without a message.
        (
            r#"{"L":"WARN","T":"2026-11-20T09:00:00Z","C":"pay.go:7","M":"slow","took":3}"#,
            "2026-11-20T09:00:00Z warn: slow [took=3]",
        ),
        (
            r#"{"level":20,"pid":88,"hostname":"h","name":"cart","sql":"select 1","ms":1.5}"#,
            "1970-01-01T00:00:00Z {service=cart} debug: sql=select 1 [ms=1.5]",
        ),
        // Amazon's: embedded metrics with their time, the report of a function, an event of the bus.
        (
            r#"{"_aws":{"Timestamp":1795165200000,"CloudWatchMetrics":[{}]},"service":"pay","Latency":[1,2]}"#,
            "2026-11-20T09:00:00Z {service=pay} Latency=1.5",
        ),
        (
            r#"{"time":"2026-11-20T09:00:00Z","record":{"metrics":{"durationMs":101.5}}}"#,
            "2026-11-20T09:00:00Z durationMs=101.5",
        ),
        (
            r#"{"time":"2026-11-20T09:00:00Z","detail-type":"Task stopped","detail":{"group":"x"}}"#,
            "2026-11-20T09:00:00Z -: Task stopped",
        ),
        // Colours within a text, and a level in a container's line.
        (
            r#"{"log":"\u001b[33mWARN\u001b[0m[0012] expires soon\n","stream":"stderr"}"#,
            "1970-01-01T00:00:00Z warn: expires soon",
        ),
    ]);
}
