//! One connection, from accept to close.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;

use fsc_core::transport::Origin;
use futures_util::future::{Either, ready};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::config::Limits;
use super::pulse::{Pulse, Watchdog};
use super::service::{Caller, Service};
use super::wire::Wire;

/// Serves the requests of one connection until it ends, is overdue, or `stop` says that the server stops.
pub(super) async fn serve(tcp: TcpStream, from: SocketAddr, service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let pulse = Arc::new(Pulse::default());
    let caller = Arc::new(Caller { origin: origin(from), pulse: Arc::clone(&pulse) });
    let limits = &service.limits;
    let http = builder(limits);
    let connection = http.serve_connection(
        TokioIo::new(Wire::new(tcp, Arc::clone(&pulse))),
        service_fn(|request| {
            if let Some(response) = service.answer_at_once(&caller, &request) {
                return Either::Left(ready(Ok::<_, Infallible>(response)));
            }
            let (service, caller) = (Arc::clone(&service), Arc::clone(&caller));
            // Boxed, because hyper moves the future about and it is large.
            Either::Right(Box::pin(async move { Ok(service.answer(&caller, request).await) }))
        }),
    );
    let mut connection = pin!(connection);
    let mut ticks = interval(limits.tick());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watchdog = Watchdog::new(limits.tick());
    let (mut stopping, mut closing) = (false, false);
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection broke");
                }
                return;
            }
            _ = ticks.tick() => if watchdog.is_overdue(&pulse, limits) {
                // First politely; at the next tick for good.
                if std::mem::replace(&mut closing, true) {
                    return;
                }
                connection.as_mut().graceful_shutdown();
            },
            _ = stop.changed(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

fn builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // The watchdog keeps the time of heads. Our own limits are checked where they are not hyper's defaults, because
    // saying the default number of headers costs an allocation per request.
    builder.http1().header_read_timeout(None).max_buf_size(limits.head.max(8 << 10));
    if limits.headers != 100 {
        builder.http1().max_headers(limits.headers);
    }
    builder
        .http2()
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.head).unwrap_or(u32::MAX))
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20);
    builder
}

fn origin(from: SocketAddr) -> Origin {
    let loopback = match from.ip() {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
    };
    if loopback { Origin::Loopback } else { Origin::Remote }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_told_from_the_network() {
        for (from, expected) in [
            ("127.1.2.3:1", Origin::Loopback),
            ("[::1]:1", Origin::Loopback),
            ("[::ffff:127.0.0.1]:1", Origin::Loopback),
            ("10.0.0.1:1", Origin::Remote),
            ("[fe80::1]:1", Origin::Remote),
        ] {
            assert_eq!(origin(from.parse().unwrap()), expected, "{from}");
        }
    }
}
