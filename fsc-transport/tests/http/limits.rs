//! What clients may cost, and how a server ends.

use std::sync::Arc;
use std::time::Duration;

use fsc_transport::http::{Limits, ServerConfig};
use tokio::io::AsyncWriteExt;
use tokio::time::{sleep, timeout};

use crate::setting::{Raw, Running, SOON, request, until, with_headers};

async fn with_limits(limits: Limits) -> Running {
    Running::with(ServerConfig { limits, ..ServerConfig::default() }, Arc::default()).await
}

/// The server answers others, whatever happened before.
async fn assert_alive(server: &Running) {
    assert_eq!(server.ask(&request("GET", "/representations", "")).await.status, 200);
}

#[tokio::test]
async fn oversized_bodies_are_refused_whether_announced_or_not() {
    let server = with_limits(Limits { body: 1000, mail: 2000, ..Limits::default() }).await;
    let text = format!(r#"{{"args":["{}"]}}"#, "x".repeat(1000));
    server.ask(&request("PUT", "/representations", &text)).await.assert_error(413, "announced");
    let chunked = format!(
        "PUT /representations HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{text}\r\n0\r\n\r\n",
        text.len()
    );
    server.ask(&chunked).await.assert_error(413, "not announced");
    assert_eq!(server.ask(&with_headers("POST", "/mail", "", &"x".repeat(2000))).await.status, 200);
    server.ask(&with_headers("POST", "/mail", "", &"x".repeat(2001))).await.assert_error(413, "mail");
    let ignored = request("GET", "/representations", &"x".repeat(70_000));
    server.ask(&ignored).await.assert_error(413, "a body that means nothing");
    assert_alive(&server).await;
}

#[tokio::test]
async fn bodies_together_have_a_bound_and_clients_can_not_keep_mail_out() {
    let server = with_limits(Limits { bodies: 1000, ..Limits::default() }).await;
    let mut hoarder = server.connect().await;
    let half = format!("PUT /representations HTTP/1.1\r\nhost: x\r\ncontent-length: 2000\r\n\r\n{}", "x".repeat(999));
    hoarder.tcp.write_all(half.as_bytes()).await.unwrap();
    let body = r#"{"args":["ab"]}"#;
    let refused = async {
        while server.ask(&request("PUT", "/representations", body)).await.status != 503 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, refused).await.expect("the hoarder's body is being read");
    assert_eq!(server.ask(&with_headers("POST", "/mail", "", "mail")).await.status, 200);
    drop(hoarder);
    let served = async {
        while server.ask(&request("PUT", "/representations", body)).await.status != 200 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, served).await.expect("what was read of a broken body takes no room");
}

#[tokio::test]
async fn refusal_is_heard_by_a_client_that_is_still_sending() {
    let server = with_limits(Limits { body: 1000, ..Limits::default() }).await;
    let body = "x".repeat(20 << 20);
    server.ask(&request("PUT", "/representations", &body)).await.assert_error(413, "20 MiB");
    assert_alive(&server).await;
}

#[tokio::test]
async fn long_heads_are_refused() {
    let server = with_limits(Limits { head: 16 << 10, headers: 50, ..Limits::default() }).await;
    let long = with_headers("GET", &format!("/representations?{}", "x".repeat(9000)), "", "");
    server.ask(&long).await.assert_error(414, "path");
    let large = with_headers("GET", "/representations", &format!("x: {}\r\n", "y".repeat(20_000)), "");
    server.ask(&large).await.assert_error(431, "one large header");
    let many = with_headers("GET", "/representations", &"x: y\r\n".repeat(60), "");
    server.ask(&many).await.assert_error(431, "many headers");
    assert_alive(&server).await;
}

#[tokio::test]
async fn slow_head_ends_the_connection() {
    let server = with_limits(Limits { head_patience: Duration::from_millis(100), ..Limits::default() }).await;
    let mut raw = server.connect().await;
    raw.tcp.write_all(b"GET /representations HTTP/1.1\r\nhost: ").await.unwrap();
    let trickle = async {
        while raw.tcp.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, trickle).await.expect("a trickle does not keep the connection open");
    assert_alive(&server).await;
}

#[tokio::test]
async fn slow_body_is_408_and_the_end_of_the_connection() {
    let limits = Limits { body_patience: Duration::from_millis(100), ..Limits::default() };
    let server = with_limits(limits).await;
    let head = "PUT /representations HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n";
    for begun in ["", r#"{"args":"#] {
        let mut raw = server.connect().await;
        raw.ask(format!("{head}{begun}").as_bytes()).await.assert_error(408, "silent");
        assert!(raw.is_closed().await);
    }
    assert_alive(&server).await;
}

#[tokio::test]
async fn trickling_body_is_408() {
    let limits = Limits { body_patience: Duration::from_millis(200), body_rate: 1 << 20, ..Limits::default() };
    let server = with_limits(limits).await;
    let mut raw = server.connect().await;
    raw.tcp.write_all(b"POST /mail HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n").await.unwrap();
    let trickle = async {
        while timeout(Duration::from_millis(20), raw.tcp.readable()).await.is_err() {
            let _ = raw.tcp.write_all(b"x").await;
        }
    };
    timeout(SOON, trickle).await.expect("a trickle is not taken for progress");
    raw.hear().await.unwrap().assert_error(408, "trickling");
}

#[tokio::test]
async fn idle_connection_is_closed_and_a_busy_one_is_not() {
    let limits = Limits { idle_patience: Duration::from_millis(100), ..Limits::default() };
    let server = with_limits(limits).await;
    *server.shelf.pause.lock().unwrap() = Duration::from_millis(500);
    let mut busy = server.connect().await;
    let heard = busy.ask(request("PUT", "/representations", r#"{"args":[1]}"#).as_bytes()).await;
    assert_eq!(heard.status, 200);
    assert!(busy.is_closed().await);
    assert!(server.connect().await.is_closed().await);
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let server = with_limits(Limits { connections: 2, ..Limits::default() }).await;
    let (mut one, mut two) = (server.connect().await, server.connect().await);
    for raw in [&mut one, &mut two] {
        assert_eq!(raw.ask(request("GET", "/representations", "").as_bytes()).await.status, 200);
    }
    let mut three = server.connect().await;
    three.hear().await.unwrap().assert_error(503, "too many connections");
    assert!(three.is_closed().await);
    drop(one);
    let freed = async {
        loop {
            let mut raw = server.connect().await;
            let _ = raw.tcp.write_all(request("GET", "/representations", "").as_bytes()).await;
            if raw.hear().await.is_some_and(|heard| heard.status == 200) {
                break;
            }
        }
    };
    timeout(SOON, freed).await.unwrap();
}

#[tokio::test]
async fn shutdown_finishes_what_is_in_flight_and_refuses_the_rest() {
    let mut server = Running::start().await;
    *server.shelf.pause.lock().unwrap() = Duration::from_millis(300);
    let mut idle = server.connect().await;
    assert_eq!(idle.ask(request("GET", "/representations", "").as_bytes()).await.status, 200);
    let mut busy = server.connect().await;
    busy.tcp.write_all(request("PUT", "/representations", r#"{"args":[1]}"#).as_bytes()).await.unwrap();
    until_requested(&server).await;
    server.stop();
    assert!(idle.is_closed().await);
    assert_eq!(busy.hear().await.unwrap().status, 200);
    assert!(busy.is_closed().await);
    timeout(SOON, &mut server.task).await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(server.at).await.is_err());
}

#[tokio::test]
async fn shutdown_does_not_wait_for_ever() {
    let mut server = with_limits(Limits { drain: Duration::from_millis(100), ..Limits::default() }).await;
    *server.shelf.pause.lock().unwrap() = Duration::from_hours(1);
    let mut busy: Raw = server.connect().await;
    busy.tcp.write_all(request("PUT", "/representations", r#"{"args":[1]}"#).as_bytes()).await.unwrap();
    until_requested(&server).await;
    server.stop();
    timeout(SOON, &mut server.task).await.unwrap().unwrap();
    assert!(busy.is_closed().await);
}

async fn until_requested(server: &Running) {
    until(|| !server.shelf.requests.lock().unwrap().is_empty()).await;
}
