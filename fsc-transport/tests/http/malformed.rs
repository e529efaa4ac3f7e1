//! Requests that are wrong, each with the answer it gets. After each one the server answers the next.

use fsc_transport::http::{Limits, ServerConfig};
use std::sync::Arc;

use crate::setting::{Running, request, with_headers};

/// What is wrong, the status that says so, and the bytes.
type Case = (&'static str, u16, Vec<u8>);

const UNKNOWN: &str = "/representation/00000000-0000-4000-8000-000000000000";

/// Requests that are not HTTP, or not HTTP/1.1.
fn heads() -> Vec<Case> {
    let case = |what, bytes: &[u8]| (what, 400, bytes.to_vec());
    vec![
        case("no request at all", b"\x00\x01\x02\x03\r\n\r\n"),
        case("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
        case("no path", b"GET\r\n\r\n"),
        case("no version", b"GET /representations\r\n\r\n"),
        case("an unknown version", b"GET /representations HTTP/7.3\r\n\r\n"),
        case("a space in the path", b"GET /representations x HTTP/1.1\r\n\r\n"),
        case("a control character in the path", b"GET /rep\x01 HTTP/1.1\r\n\r\n"),
        case("a header without a name", b"GET / HTTP/1.1\r\n: x\r\n\r\n"),
        case("a header without a colon", b"GET / HTTP/1.1\r\nnonsense\r\n\r\n"),
        case("a space before the colon", b"GET / HTTP/1.1\r\nhost : x\r\n\r\n"),
        case("a zero in a header", b"GET / HTTP/1.1\r\nhost: a\x00b\r\n\r\n"),
        case("a length that is no number", b"POST /mail HTTP/1.1\r\ncontent-length: ten\r\n\r\n"),
        case("a negative length", b"POST /mail HTTP/1.1\r\ncontent-length: -1\r\n\r\n"),
        case("a length beyond 64 bits", b"POST /mail HTTP/1.1\r\ncontent-length: 99999999999999999999999\r\n\r\n"),
        case("two lengths", b"POST /mail HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx"),
        case("an unknown transfer coding", b"POST /mail HTTP/1.1\r\ntransfer-encoding: zip\r\n\r\n"),
        case("a chunk without a length", b"POST /mail HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n"),
        case(
            "a chunk of endless length",
            b"POST /mail HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        ),
        case(
            "a chunk that is longer than it says",
            b"POST /mail HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nxyz\r\n0\r\n\r\n",
        ),
    ]
}

/// Requests for what is not there, or not like that.
fn places() -> Vec<Case> {
    let case = |what, status, method, path: &str| (what, status, request(method, path, "").into_bytes());
    vec![
        case("the root", 404, "GET", "/"),
        case("an unknown path", 404, "GET", "/nowhere"),
        case("a trailing slash", 404, "GET", "/representations/"),
        case("no handle", 404, "GET", "/representation/"),
        case("a handle that is none", 404, "GET", "/representation/17"),
        case("an unknown handle", 404, "GET", UNKNOWN),
        case("release of an unknown handle", 404, "DELETE", UNKNOWN),
        case("call of an unknown handle", 404, "PATCH", UNKNOWN),
        case("attribute of an unknown handle", 404, "GET", &format!("{UNKNOWN}/x")),
        case("a path too deep", 404, "GET", &format!("{UNKNOWN}/x/y")),
        case("an empty name", 404, "GET", &format!("{UNKNOWN}/")),
        case("a climb", 404, "GET", "/representation/../representations"),
        case("a name that is not UTF-8", 400, "GET", &format!("{UNKNOWN}/%ff")),
        case("half a percent code", 400, "GET", &format!("{UNKNOWN}/%4")),
        case("preflight of an unknown path", 404, "OPTIONS", "/nowhere"),
        case("a method that the path does not take", 405, "DELETE", "/representations"),
        case("a method that nothing takes", 405, "TRACE", "/representations"),
        case("a made-up method", 405, "BREW", UNKNOWN),
        case("HEAD", 405, "POST", UNKNOWN),
        case("GET of the mail", 405, "GET", "/mail"),
        case("GET of a chain", 405, "GET", "/chain"),
        case("PUT of the contract", 405, "PUT", "/openapi.yaml"),
    ]
}

/// Bodies of an upload that are not what they should be.
fn bodies() -> Vec<Case> {
    let case = |what, body: &str| (what, 400, request("PUT", "/representations", body).into_bytes());
    let nested = format!(r#"{{"args":[{}{}]}}"#, "[".repeat(1000), "]".repeat(1000));
    let maps = format!(r#"{{"args":[{}1{}]}}"#, r#"{"a":"#.repeat(1000), "}".repeat(1000));
    vec![
        case("no JSON", "nonsense"),
        case("half a document", r#"{"args":[1"#),
        case("two documents", r#"{"args":[1]} {"args":[1]}"#),
        case("a trailing comma", r#"{"args":[1,]}"#),
        case("single quotes", "{'args':[1]}"),
        case("a comment", r#"{"args":[1]} // one"#),
        case("lists nested deep", &nested),
        case("maps nested deep", &maps),
        case("NaN", r#"{"args":[NaN]}"#),
        case("infinity", r#"{"args":[Infinity]}"#),
        case("a number beyond binary64", r#"{"args":[1e400]}"#),
        case("an integer beyond 128 bits", &format!(r#"{{"args":[1{}]}}"#, "0".repeat(60))),
        case("a leading zero", r#"{"args":[01]}"#),
        case("a bare minus", r#"{"args":[-]}"#),
        case("half a surrogate pair", r#"{"args":["\ud800"]}"#),
        case("a raw newline in a text", "{\"args\":[\"a\nb\"]}"),
        case("a key twice", r#"{"args":[{"a":1,"a":2}]}"#),
        case("a list for a body", "[1]"),
        case("a number for a body", "17"),
        case("kwargs that are no map", r#"{"args":[1],"kwargs":3}"#),
        case("an unknown entry", r#"{"args":[1],"more":1}"#),
        case("nothing to store", r#"{"args":[]}"#),
        case("a handle that is none", r#"{"args":[{"representation_uuid":"x"}]}"#),
    ]
}

/// Chains that do not hold.
fn chains() -> Vec<Case> {
    let case = |what, status, body: &str| (what, status, request("POST", "/chain", body).into_bytes());
    vec![
        case("no chain", 400, "{}"),
        case("no body", 400, ""),
        case("an empty chain", 400, r#"{"chain":[]}"#),
        case("a chain that is no list", 400, r#"{"chain":{"create":{}}}"#),
        case("a step that is no map", 400, r#"{"chain":["create"]}"#),
        case("an unknown step", 400, r#"{"chain":[{"destroy":null}]}"#),
        case("two steps in one", 400, r#"{"chain":[{"create":{},"download":null}]}"#),
        case("use of what is no handle", 400, r#"{"chain":[{"use":"17"}]}"#),
        case("use of an unknown handle", 404, r#"{"chain":[{"use":"00000000-0000-4000-8000-000000000000"}]}"#),
        case("a chain without a beginning", 400, r#"{"chain":[{"download":null}]}"#),
        case("an attribute that is no text", 400, r#"{"chain":[{"create":{"protocol":"Echo"}},{"attribute":1}]}"#),
        case("a private attribute", 403, r#"{"chain":[{"create":{"protocol":"Echo"}},{"attribute":"_x"}]}"#),
        case("an entry beside the chain", 400, r#"{"chain":[{"create":{}}],"more":1}"#),
    ]
}

/// Formats that are not spoken, or not kept.
fn formats() -> Vec<Case> {
    let case = |what, status, method, path, headers: &str, body: &str| {
        (what, status, with_headers(method, path, headers, body).into_bytes())
    };
    let all = "/representations";
    vec![
        case("XML", 415, "PUT", all, "content-type: text/xml\r\n", "<args/>"),
        case("a form with files", 415, "POST", all, "content-type: multipart/form-data; boundary=x\r\n", "--x"),
        case("bytes for arguments", 415, "PUT", all, "content-type: application/octet-stream\r\n", "x"),
        case("an array to create", 415, "POST", all, "content-type: application/vnd.fsc.array\r\n", "x"),
        case(
            "an array of an unknown type",
            415,
            "PUT",
            all,
            "content-type: application/vnd.fsc.array; dtype=f16\r\n",
            "x",
        ),
        case("an array cut off", 400, "PUT", all, "content-type: application/vnd.fsc.array; dtype=f64\r\n", "1234567"),
        case(
            "an array of another shape",
            400,
            "PUT",
            all,
            "content-type: application/vnd.fsc.array; shape=3\r\n",
            "12345678",
        ),
        case(
            "a shape that is none",
            400,
            "PUT",
            all,
            "content-type: application/vnd.fsc.array; shape=a\r\n",
            "12345678",
        ),
        case("JSON that calls itself CBOR", 400, "PUT", all, "content-type: application/cbor\r\n", "{\"args\":[1]}"),
        case("endless CBOR", 400, "PUT", all, "content-type: application/cbor\r\n", "\u{1f}\u{1f}"),
        case("JSON for mail", 415, "POST", "/mail", "content-type: application/json\r\n", "{}"),
        case("text for mail", 415, "POST", "/mail", "content-type: text/plain\r\n", "x"),
        case("bad mail", 400, "POST", "/mail", "content-type: application/octet-stream\r\n", "bad"),
        case("an answer in HTML", 406, "GET", all, "accept: text/html\r\n", ""),
        case("a list as an array", 406, "GET", all, "accept: application/vnd.fsc.array\r\n", ""),
        case("an answer in nothing", 406, "GET", all, "accept: application/json;q=0\r\n", ""),
        case("an oversized body", 413, "PUT", all, "", &"x".repeat(60_000)),
        case("a path too long", 414, "GET", Box::leak(format!("/{}", "x".repeat(9_000)).into_boxed_str()), "", ""),
        case("too many headers", 431, "GET", all, &"x: y\r\n".repeat(200), ""),
        case("a header too long", 431, "GET", all, &format!("x: {}\r\n", "y".repeat(70_000)), ""),
    ]
}

#[tokio::test]
async fn malformed_requests_are_answered_and_survived() {
    let limits = Limits { body: 50_000, ..Limits::default() };
    let server = Running::with(ServerConfig { limits, ..ServerConfig::default() }, Arc::default()).await;
    let cases: Vec<Case> = [heads(), places(), bodies(), chains(), formats()].concat();
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let mut next = server.connect().await;
    for (what, status, bytes) in cases {
        let heard = server.connect().await.ask(&bytes).await;
        heard.assert_error(status, what);
        assert_eq!(heard.headers.contains_key("allow"), status == 405, "{what}");
        assert_eq!(next.ask(request("GET", "/representations", "").as_bytes()).await.status, 200, "after {what}");
    }
    assert_eq!(server.shelf.objects(), 0);
}

#[tokio::test]
async fn wrong_requests_do_not_cost_the_connection() {
    let server = Running::start().await;
    let mut raw = server.connect().await;
    for (what, status, bytes) in [places(), bodies(), chains()].concat() {
        raw.ask(&bytes).await.assert_error(status, what);
    }
}

#[tokio::test]
async fn broken_off_requests_are_survived() {
    let server = Running::start().await;
    let whole = request("PUT", "/representations", r#"{"args":["text"]}"#);
    for end in 0..whole.len() {
        let mut raw = server.connect().await;
        tokio::io::AsyncWriteExt::write_all(&mut raw.tcp, &whole.as_bytes()[..end]).await.unwrap();
    }
    assert_eq!(server.ask(&whole).await.status, 200);
    assert_eq!(server.shelf.objects(), 1);
}
