//! The seven operations, chains, mail, formats, and what browsers ask for.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use fsc_core::bus::Principal;
use fsc_core::transport::Origin;
use fsc_core::value::{Array, Limits, Value, cbor, json};
use fsc_transport::http::{Access, OPENAPI, Origins, ServerConfig, Tokens};

use crate::setting::{Running, request, with_headers};

/// Uploads a JSON document and returns its handle.
async fn upload(server: &Running, document: &str) -> String {
    let heard =
        server.ask(&request("PUT", "/representations", &format!(r#"{{"args":[{document}],"kwargs":{{}}}}"#))).await;
    assert_eq!(heard.status, 200);
    heard.text("uuid")
}

async fn create(server: &Running) -> String {
    server.ask(&request("POST", "/representations", r#"{"args":[],"kwargs":{"protocol":"Echo"}}"#)).await.text("uuid")
}

#[tokio::test]
async fn seven_operations_do_what_the_reference_does() {
    let server = Running::start().await;
    let mut raw = server.connect().await;
    let list = raw.ask(request("GET", "/representations", "{}").as_bytes()).await;
    let echo = Value::map([("namespace", "test"), ("protocol", "Echo")]);
    assert_eq!(list.json(), Value::map([("type", "list".into()), ("list", Value::List(vec![echo]))]));

    let root = create(&server).await;
    let attribute = raw.ask(request("GET", &format!("/representation/{root}/compute"), "{}").as_bytes()).await;
    assert_eq!(attribute.text("type"), "uuid");
    let function = attribute.text("uuid");
    let called = raw
        .ask(request("PATCH", &format!("/representation/{function}"), r#"{"args":[1,"a"],"kwargs":{}}"#).as_bytes())
        .await;
    let result = called.text("uuid");
    let content = raw.ask(request("GET", &format!("/representation/{result}"), r#"{"ignore":1}"#).as_bytes()).await;
    assert_eq!(
        content.json(),
        Value::map([("type", "object".into()), ("object", Value::List(vec![1_i64.into(), "a".into()]))])
    );
    let released = raw.ask(request("DELETE", &format!("/representation/{result}"), "{}").as_bytes()).await;
    assert_eq!(released.body, br#"{"type":"none"}"#);
    let gone = raw.ask(request("GET", &format!("/representation/{result}"), "").as_bytes()).await;
    gone.assert_error(404, "released");
}

#[tokio::test]
async fn call_that_returns_nothing_has_no_handle() {
    let server = Running::start().await;
    let root = create(&server).await;
    let function = server.ask(&request("GET", &format!("/representation/{root}/nothing"), "")).await.text("uuid");
    let heard = server.ask(&request("PATCH", &format!("/representation/{function}"), "")).await;
    assert_eq!(heard.body, br#"{"type":"none"}"#);
}

#[tokio::test]
async fn tolerated_bodies_are_tolerated() {
    let server = Running::start().await;
    let root = create(&server).await;
    for body in [r#"{"args":null,"kwargs":{"a":1}}"#, "null", "", "{}", r#"{"kwargs":[]}"#, r#"{"args":7}"#] {
        let heard = server.ask(&request("PATCH", &format!("/representation/{root}"), body)).await;
        assert_eq!(heard.status, 200, "{body}");
    }
    let list = server.ask(&request("GET", "/representations?a=b", r#"{"ignore": "this"}"#)).await;
    assert_eq!(list.status, 200);
    let typeless = server.ask(&with_headers("PUT", "/representations", "", r#"{"args":[1]}"#)).await;
    assert_eq!(typeless.status, 200);
    let http10 = server.ask("GET /representations HTTP/1.0\r\n\r\n").await;
    assert_eq!(http10.status, 200);
}

#[tokio::test]
async fn attribute_names_are_decoded_and_private_ones_refused() {
    let server = Running::start().await;
    let root = create(&server).await;
    let private = server.ask(&request("GET", &format!("/representation/{root}/__class__"), "")).await;
    private.assert_error(403, "private");
    let encoded = server.ask(&request("GET", &format!("/representation/{root}/%5F_class__"), "")).await;
    encoded.assert_error(403, "private, encoded");
    let object = server.ask(&request("GET", &format!("/representation/{root}"), "")).await;
    object.assert_error(403, "not an output");
}

#[tokio::test]
async fn chain_is_one_round_trip() {
    let server = Running::start().await;
    let chain =
        r#"{"chain":[{"create":{"protocol":"Echo"}},{"attribute":"f"},{"call":{"args":["x"]}},{"download":null}]}"#;
    let heard = server.ask(&request("POST", "/chain", chain)).await;
    assert_eq!(heard.json().entry("object"), Some(&Value::List(vec!["x".into()])));
    assert_eq!(server.shelf.objects(), 0);
    let unknown = server.ask(&request("POST", "/chain", r#"{"chain":[{"create":{"protocol":"None"}}]}"#)).await;
    unknown.assert_error(404, "no such object");
}

#[tokio::test]
async fn cbor_is_read_and_answered_when_asked_for() {
    let server = Running::start().await;
    let body = cbor::to_vec(&Value::map([("args", Value::List(vec!["x".into()]))]));
    let preamble = format!(
        "PUT /representations HTTP/1.1\r\nhost: x\r\ncontent-type: application/cbor\r\naccept: application/cbor\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    let mut raw = server.connect().await;
    let heard = raw.ask(&[preamble.as_bytes(), &body].concat()).await;
    assert_eq!(heard.headers["content-type"], "application/cbor");
    let answer = cbor::parse(&heard.body, &Limits::default()).unwrap();
    let uuid = answer.entry("uuid").and_then(Value::as_text).unwrap();
    let content =
        server.ask(&with_headers("GET", &format!("/representation/{uuid}"), "accept: application/cbor\r\n", "")).await;
    let content = cbor::parse(&content.body, &Limits::default()).unwrap();
    assert_eq!(content, Value::map([("type", "object"), ("object", "x")]));
    let error = server.ask(&with_headers("GET", "/nowhere", "accept: application/cbor\r\n", "")).await;
    let failure = cbor::parse(&error.body, &Limits::default()).unwrap();
    assert_eq!(failure.entry("code").and_then(Value::as_usize), Some(404));
    let list = server.ask(&with_headers("GET", "/representations", "accept: application/cbor\r\n", "")).await;
    assert!(cbor::parse(&list.body, &Limits::default()).unwrap().entry("list").is_some());
}

#[tokio::test]
async fn raw_arrays_go_both_ways() {
    let server = Running::start().await;
    let array = Array::from_f64((0..6_i32).map(|i| f64::from(i) / 3.0).collect()).unwrap();
    let bytes = array.le_bytes().unwrap();
    let preamble = format!(
        "PUT /representations HTTP/1.1\r\nhost: x\r\ncontent-type: application/vnd.fsc.array; dtype=f64; shape=2x3\r\n\
         content-length: {}\r\n\r\n",
        bytes.len()
    );
    let handle = server.connect().await.ask(&[preamble.as_bytes(), &bytes].concat()).await.text("uuid");
    let path = format!("/representation/{handle}");
    let heard = server.ask(&with_headers("GET", &path, "accept: application/vnd.fsc.array\r\n", "")).await;
    assert_eq!(heard.headers["content-type"], "application/vnd.fsc.array; dtype=f64; shape=2x3");
    assert_eq!(heard.body, bytes);
    let document = json::to_vec(&Value::Array(array.reshape(vec![2, 3]).unwrap()));
    let object = server.ask(&request("GET", &path, "")).await;
    assert_eq!(object.body, [br#"{"type":"object","object":"#.as_slice(), &document, b"}"].concat());
    let text = upload(&server, r#""text""#).await;
    let refused = server
        .ask(&with_headers("GET", &format!("/representation/{text}"), "accept: application/vnd.fsc.array\r\n", ""))
        .await;
    refused.assert_error(406, "a text is no array");
    let either = "accept: application/vnd.fsc.array, application/json;q=0.5\r\n";
    let either = server.ask(&with_headers("GET", &format!("/representation/{text}"), either, "")).await;
    assert_eq!(either.text("object"), "text");
}

#[tokio::test]
async fn large_answers_are_streamed_and_complete() {
    let server = Running::start().await;
    let numbers: Vec<f64> = (0..100_000_i32).map(|i| f64::from(i) * 0.1).collect();
    let array = Value::Array(Array::from_f64(numbers).unwrap());
    let document = String::from_utf8(json::to_vec(&array)).unwrap();
    let handle = upload(&server, &document).await;
    let heard = server.ask(&request("GET", &format!("/representation/{handle}"), "")).await;
    assert_eq!(heard.headers["transfer-encoding"], "chunked");
    assert_eq!(heard.json().entry("object"), Some(&array));
}

#[tokio::test]
async fn mail_is_taken_whole_and_answered_with_the_life() {
    let server = Running::with(ServerConfig::default(), crate::setting::Shelf::with_life(9)).await;
    let mail = |body: &str| with_headers("POST", "/mail", "content-type: application/octet-stream\r\n", body);
    let large = "m".repeat(3_000_000);
    for body in ["", "hello", &large] {
        let heard = server.ask(&mail(body)).await;
        assert_eq!((heard.status, heard.body), (200, vec![9; 16]));
        assert_eq!(heard.headers["content-type"], "application/octet-stream");
        let (origin, came) = server.shelf.mail.lock().unwrap().pop().unwrap();
        assert_eq!(origin, Origin::Loopback);
        assert!(came == body.as_bytes());
    }
    let chunked =
        "POST /mail HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    assert_eq!(server.ask(chunked).await.status, 200);
    assert_eq!(server.shelf.mail.lock().unwrap().pop().unwrap().1, "abcde");
    server.ask(&mail("bad mail")).await.assert_error(400, "the node refuses it");
}

#[tokio::test]
async fn browsers_may_ask() {
    let server = Running::start().await;
    for path in
        ["/representations", "/representation/x", "/representation/x/y", "/chain", "/mail", "/openapi.yaml", "*"]
    {
        let preflight = "origin: https://a.example\r\naccess-control-request-method: PATCH\r\n\
            access-control-request-headers: content-type\r\naccess-control-request-private-network: true\r\n";
        let heard = server.ask(&with_headers("OPTIONS", path, preflight, "")).await;
        assert_eq!(heard.status, 204, "{path}");
        assert_eq!(heard.headers["access-control-allow-origin"], "*");
        assert_eq!(heard.headers["access-control-allow-private-network"], "true");
        assert!(heard.headers["access-control-allow-methods"].contains("PATCH"));
        let allowed = heard.headers["access-control-allow-headers"].to_ascii_lowercase();
        assert!(allowed.contains("content-type") && allowed.contains("authorization"));
        assert!(heard.headers.contains_key("access-control-max-age"));
    }
    assert_eq!(server.ask(&request("GET", "/representations", "")).await.headers["access-control-allow-origin"], "*");
}

#[tokio::test]
async fn only_the_configured_origins_may_ask() {
    let only = Origins::Only(vec!["https://a.example".parse().unwrap()]);
    let server = Running::with(ServerConfig { origins: only, ..ServerConfig::default() }, Arc::default()).await;
    let from = |origin: &str| with_headers("GET", "/representations", &format!("origin: {origin}\r\n"), "");
    let ours = server.ask(&from("https://a.example")).await;
    assert_eq!(ours.headers["access-control-allow-origin"], "https://a.example");
    let other = server.ask(&from("https://b.example")).await;
    assert!(!other.headers.contains_key("access-control-allow-origin"));
}

/// A browser would not show the answer to the page, but the deed would be done.
#[tokio::test]
async fn pages_of_other_origins_change_nothing() {
    let only = Origins::Only(vec!["https://a.example".parse().unwrap()]);
    let server = Running::with(ServerConfig { origins: only, ..ServerConfig::default() }, Arc::default()).await;
    let handle = create(&server).await;
    let object = format!("/representation/{handle}");
    server.shelf.requests.lock().unwrap().clear();
    let writes = [
        ("POST", "/representations", r#"{"kwargs":{"protocol":"Echo"}}"#),
        ("PUT", "/representations", r#"{"args":[1]}"#),
        ("PATCH", &object, r#"{"args":[1]}"#),
        ("GET", &format!("{object}/f"), ""),
        ("POST", "/chain", r#"{"chain":[{"upload":1}]}"#),
        ("DELETE", &object, ""),
    ];
    let ask = async |origin: &str, (method, path, body): (&str, &str, &str)| {
        server.ask(&with_headers(method, path, &format!("origin: {origin}\r\n"), body)).await
    };
    for write in writes {
        for origin in ["https://b.example", "https://a.example.b.example", "http://a.example", "null"] {
            let refused = ask(origin, write).await;
            assert_eq!(refused.status, 403, "{write:?} from {origin}");
            assert!(refused.text("message").contains("origin"), "{write:?}");
            assert!(!refused.headers.contains_key("access-control-allow-origin"), "{write:?}");
        }
    }
    assert!(server.shelf.requests.lock().unwrap().is_empty(), "nothing came through");
    for write in writes {
        assert_eq!(ask("https://a.example", write).await.status, 200, "{write:?}");
    }
}

#[tokio::test]
async fn mail_does_not_come_from_web_pages() {
    let only = Origins::Only(vec!["https://a.example".parse().unwrap()]);
    for origins in [Origins::Any, only] {
        let server = Running::with(ServerConfig { origins, ..ServerConfig::default() }, Arc::default()).await;
        for origin in ["https://a.example", "null", ""] {
            let headers = format!("origin: {origin}\r\ncontent-type: application/octet-stream\r\n");
            let refused = server.ask(&with_headers("POST", "/mail", &headers, "x")).await;
            assert_eq!(refused.status, 403, "{origin}");
        }
        assert!(server.shelf.mail.lock().unwrap().is_empty());
        assert_eq!(server.ask(&with_headers("POST", "/mail", "", "x")).await.status, 200);
    }
}

/// A stranger must not make a node hold tens of megabytes that it will refuse.
#[tokio::test]
async fn mail_that_is_not_admitted_is_refused_before_it_is_read() {
    let server = Running::start().await;
    server.shelf.closed.store(true, Ordering::SeqCst);
    for framing in ["content-length: 50000000", "transfer-encoding: chunked"] {
        let mut raw = server.connect().await;
        let head = format!("POST /mail HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n");
        raw.ask(head.as_bytes()).await.assert_error(403, framing);
    }
    assert!(server.shelf.mail.lock().unwrap().is_empty());
}

#[tokio::test]
async fn token_says_who_asks() {
    let tokens = Tokens::new().with("t-alice", Principal::new("alice")).with("t-bob", Principal::new("bob"));
    let config = ServerConfig { access: Access::Tokens(tokens), ..ServerConfig::default() };
    let server = Running::with(config, Arc::default()).await;
    for header in
        ["", "authorization: Bearer wrong\r\n", "authorization: Basic t-alice\r\n", "authorization: Bearer\r\n"]
    {
        let refused = server.ask(&with_headers("GET", "/representations", header, "")).await;
        refused.assert_error(401, header);
        assert_eq!(refused.headers["www-authenticate"], "Bearer");
    }
    let alice = "authorization: Bearer t-alice\r\n";
    let handle = server.ask(&with_headers("PUT", "/representations", alice, r#"{"args":["x"]}"#)).await.text("uuid");
    let path = format!("/representation/{handle}");
    assert_eq!(server.ask(&with_headers("GET", &path, alice, "")).await.text("object"), "x");
    server.ask(&with_headers("GET", &path, "authorization: bearer t-bob\r\n", "")).await.assert_error(404, "foreign");
    assert_eq!(server.ask(&request("GET", "/openapi.yaml", "")).await.status, 200);
    assert_eq!(server.ask(&with_headers("POST", "/mail", "", "x")).await.status, 200);
}

#[tokio::test]
async fn contract_is_served() {
    let server = Running::start().await;
    let heard = server.ask(&request("GET", "/openapi.yaml", "")).await;
    assert_eq!(heard.headers["content-type"], "application/yaml");
    assert_eq!(heard.body, OPENAPI.as_bytes());
}

#[tokio::test]
async fn connection_is_kept_and_pipelined_requests_are_answered_in_order() {
    let server = Running::start().await;
    let mut raw = server.connect().await;
    let put = |number: u32| request("PUT", "/representations", &format!(r#"{{"args":[{number}]}}"#));
    let requests: String = (0..20).map(put).collect();
    let first = raw.ask(requests.as_bytes()).await;
    let mut handles = vec![first.text("uuid")];
    for _ in 1..20 {
        handles.push(raw.hear().await.unwrap().text("uuid"));
    }
    for (number, handle) in (0_i64..).zip(handles) {
        let heard = raw.ask(request("GET", &format!("/representation/{handle}"), "").as_bytes()).await;
        assert_eq!(heard.json().entry("object"), Some(&number.into()));
    }
}
