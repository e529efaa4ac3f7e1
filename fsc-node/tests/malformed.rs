//! What a real node says to clients and peers that ask nonsense, or for what is not theirs; after each, it answers the next
//! request. (What concerns HTTP alone is in `fsc-transport`.)

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use fsc_core::bus::Principal;
use fsc_core::clock::Runtime;
use fsc_core::envelope::{Content, Envelope, Mail, Mark, Route, RunId, Topic};
use fsc_core::node::Node;
use fsc_core::sim::encode;
use fsc_core::value::{Limits, Value, json};
use fsc_transport::TokioRuntime;
use fsc_transport::http::{Access, HttpTransport, Server, ServerConfig, Tokens};

const ALICE: &str = "the token of alice";
const BOB: &str = "the token of bob";

/// A node with two clients.
struct Subject {
    address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

impl Subject {
    fn start() -> Self {
        fsc_protocols::link();
        let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let server = tokio.block_on(async {
            let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new());
            let node = Node::builder(runtime, Arc::new(HttpTransport::default())).build().expect("a node");
            let tokens = Tokens::new().with(ALICE, Principal::new("alice")).with(BOB, Principal::new("bob"));
            let config = ServerConfig { access: Access::Tokens(tokens), ..ServerConfig::default() };
            Server::bind(config, node).await.expect("a free port")
        });
        let address = server.local_addr();
        tokio.spawn(server.run(std::future::pending()));
        Self { address, _runtime: tokio }
    }

    /// Asks, and reads the answer: its status and its body.
    fn ask(&self, token: &str, method: &str, path: &str, content_type: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let mut stream = TcpStream::connect(self.address).expect("the node listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: node\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
             content-type: {content_type}\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), body].concat()).expect("the node reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("the node answers and closes");
        let text = String::from_utf8_lossy(&answer);
        let status = text.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        let body = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
        (status, answer[body..].to_vec())
    }

    fn json(&self, token: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
        let (status, body) = self.ask(token, method, path, "application/json", body.as_bytes());
        (status, json::parse(&body, &Limits::default()).expect("JSON"))
    }

    /// A handle of a principal's own.
    fn handle(&self, token: &str, method: &str, path: &str, body: &str) -> String {
        let (status, answer) = self.json(token, method, path, body);
        assert_eq!(status, 200, "{method} {path}");
        answer.entry("uuid").and_then(Value::as_text).expect("a handle").to_owned()
    }

    fn assert_refused(&self, what: &str, code: u16, (status, answer): (u16, Value)) -> String {
        assert_eq!(status, code, "{what}");
        assert_eq!(answer.entry("code"), Some(&Value::Int(code.into())), "{what}");
        let message = answer.entry("message").and_then(Value::as_text).expect("a message").to_owned();
        assert!(!message.is_empty(), "{what}");
        assert_eq!(self.json(ALICE, "GET", "/representations", "{}").0, 200, "the node answers after: {what}");
        message
    }
}

#[test]
fn handles_of_others_are_unknown_whatever_is_asked_of_them() {
    let node = Subject::start();
    let of_alice = node.handle(ALICE, "PUT", "/representations", r#"{"args": [[1, 2, 3]]}"#);
    let storage = node.handle(BOB, "POST", "/representations", r#"{"kwargs": {"microservice": "KeyValueStorage"}}"#);
    let unknown = "01234567-89ab-4cde-8f01-23456789abcd";
    let mut messages = Vec::new();
    for handle in [of_alice.as_str(), unknown] {
        let object = format!("/representation/{handle}");
        let argument = format!(r#"{{"kwargs": {{"storage": {{"representation_uuid": "{handle}"}}}}}}"#);
        let said = [
            ("download", node.json(BOB, "GET", &object, "{}")),
            ("call", node.json(BOB, "PATCH", &object, "{}")),
            ("release", node.json(BOB, "DELETE", &object, "{}")),
            ("attribute", node.json(BOB, "GET", &format!("{object}/x"), "{}")),
            ("argument", {
                let create = node.handle(BOB, "GET", &format!("/representation/{storage}/create"), "{}");
                node.json(BOB, "PATCH", &format!("/representation/{create}"), &argument)
            }),
            ("upload", node.json(BOB, "PUT", "/representations", &argument.replace("kwargs", "x"))),
        ];
        for (what, answer) in said {
            let code = if what == "upload" { 400 } else { 404 };
            messages.push((handle == unknown, what, node.assert_refused(what, code, answer)));
        }
    }
    for (_, what, message) in messages.iter().filter(|(unknown, ..)| !unknown) {
        let same = messages.iter().find(|(unknown, other, _)| *unknown && other == what).expect("the same question");
        assert_eq!(message.replace(&of_alice, unknown), same.2, "{what} tells foreign from unknown");
    }
    assert_eq!(node.json(ALICE, "GET", &format!("/representation/{of_alice}"), "{}").0, 200, "it is alice's still");
}

#[test]
fn nonsense_gets_the_right_error() {
    let node = Subject::start();
    let simon = node.handle(ALICE, "POST", "/representations", r#"{"kwargs": {"protocol": "Simon"}}"#);
    let compute = node.handle(ALICE, "GET", &format!("/representation/{simon}/compute"), "{}");
    let (object, call) = (format!("/representation/{simon}"), format!("/representation/{compute}"));
    let network = r#""network": {"nodes": ["http://127.0.0.1:1", "http://127.0.0.1:2"], "myself": 0, "uuid": "u"}"#;
    let sum = |more: &str| format!(r#"{{"kwargs": {{"microprotocol": "SecureSum", {more}}}}}"#);
    for (what, code, method, path, body) in [
        ("no such object", 404, "POST", "/representations", r#"{"kwargs": {"protocol": "Nobody"}}"#.to_owned()),
        ("a private name", 403, "GET", &format!("{object}/_environment"), "{}".to_owned()),
        ("an unknown attribute", 404, "GET", &format!("{object}/nothing"), "{}".to_owned()),
        ("a service can't be called", 400, "PATCH", &object, "{}".to_owned()),
        ("a service can't be downloaded", 403, "GET", &object, "{}".to_owned()),
        ("no arguments", 400, "PATCH", &call, "{}".to_owned()),
        ("no data", 400, "PATCH", &call, sum(network)),
        ("no network", 400, "PATCH", &call, sum(r#""data": 1"#)),
        ("an unknown parameter", 400, "PATCH", &call, sum(&format!(r#""data": 1, {network}, "x": 1"#))),
        ("an unknown function", 404, "PATCH", &call, sum(network).replace("SecureSum", r#"None", "data": "1"#)),
        ("a function that is no text", 400, "PATCH", &call, sum(network).replace(r#""SecureSum""#, "17")),
        ("data that is text", 400, "PATCH", &call, sum(&format!(r#""data": "secret", {network}"#))),
        ("data out of range", 400, "PATCH", &call, sum(&format!(r#""data": [1e300], {network}"#))),
        ("data that is missing", 400, "PATCH", &call, sum(&format!(r#""data": [1, null], {network}"#))),
        ("data that is NaN", 400, "PATCH", &call, sum(&format!(r#""data": [NaN], {network}"#))),
        ("data that is infinite", 400, "PATCH", &call, sum(&format!(r#""data": 1e999, {network}"#))),
        ("unknown parameters", 400, "PATCH", &call, sum(&format!(r#""data": 1, "parameters": {{"x": 1}}, {network}"#))),
        ("a place that is none", 400, "PATCH", &call, sum(&format!(r#""data": 1, {network}"#)).replace(": 0", ": 2")),
        ("a negative place", 400, "PATCH", &call, sum(&format!(r#""data": 1, {network}"#)).replace(": 0", ": -1")),
        ("one node only", 400, "PATCH", &call, {
            sum(&format!(r#""data": 1, {network}"#)).replace(r#", "http://127.0.0.1:2""#, "")
        }),
        ("a node twice", 400, "PATCH", &call, sum(&format!(r#""data": 1, {network}"#)).replace(":2", ":1/")),
        ("a node that is no address", 400, "PATCH", &call, {
            sum(&format!(r#""data": 1, {network}"#)).replace("http://127.0.0.1:2", "nowhere")
        }),
        ("a node elsewhere", 403, "PATCH", &call, {
            sum(&format!(r#""data": 1, {network}"#)).replace("127.0.0.1:2", "192.0.2.1:80")
        }),
        ("no uuid", 400, "PATCH", &call, sum(&format!(r#""data": 1, {network}"#)).replace(r#", "uuid": "u""#, "")),
        ("a chain that begins with a call", 400, "POST", "/chain", r#"{"chain": [{"call": {}}]}"#.to_owned()),
        ("a chain that goes on after a download", 400, "POST", "/chain", {
            r#"{"chain": [{"upload": 1}, {"download": null}, {"attribute": "x"}]}"#.to_owned()
        }),
        ("a private name in a chain", 403, "POST", "/chain", {
            r#"{"chain": [{"create": {"protocol": "Simon"}}, {"attribute": "_x"}]}"#.to_owned()
        }),
    ] {
        let answer = node.json(ALICE, method, path, &body);
        let message = node.assert_refused(what, code, answer);
        assert!(!message.contains("secret"), "{what}: the message quotes the data");
    }
    let answer = node.json("nobody's token", "GET", "/representations", "{}");
    assert_eq!(answer.0, 401);
}

#[test]
fn mail_that_is_none_or_for_nobody_is_refused() {
    let node = Subject::start();
    let route = Route { topic: Topic::of("u"), from: 1, to: 0, mark: Mark([7; 8]) };
    let mail = Mail {
        run: RunId([1; 16]),
        channel: fsc_core::envelope::Channel(0),
        sequence: 0,
        payload: vec![0; 16].into(),
        tag: [0; 16],
    };
    let unknown = encode(&Envelope { route, content: Content::Mail(mail) });
    let hello = encode(&Envelope { route, content: Content::Hello(b"not CBOR"[..].into()) });
    let mut other_version = unknown.clone();
    other_version[0] = 9;
    let mut long = unknown.clone();
    long[8..12].fill(0xff);
    for (what, code, body) in [
        ("mail for an unknown run", 404, unknown.clone()),
        ("the same mail again", 404, unknown.clone()),
        ("truncated mail", 400, unknown[..unknown.len() - 1].to_vec()),
        ("a header alone", 400, unknown[..20].to_vec()),
        ("mail of another version", 400, other_version),
        ("mail that claims 4 GiB", 400, long),
        ("mail after a good envelope", 400, [hello.clone(), unknown[..5].to_vec()].concat()),
        ("noise", 400, (0..=255).collect()),
    ] {
        let (status, answer) = node.ask(ALICE, "POST", "/mail", "application/octet-stream", &body);
        let answer = json::parse(&answer, &Limits::default()).expect("JSON");
        node.assert_refused(what, code, (status, answer));
    }
    // A hello is kept unread until its run starts here; a stop takes it back. Neither disturbs the node.
    for content in [hello, encode(&Envelope { route, content: Content::Stop { reason: vec![].into(), tag: [0; 16] } })]
    {
        let (status, life) = node.ask(ALICE, "POST", "/mail", "application/octet-stream", &content);
        assert_eq!((status, life.len()), (200, 16));
    }
}
