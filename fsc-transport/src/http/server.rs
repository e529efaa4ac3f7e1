//! The listening side.

use std::fmt;
use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use fsc_core::transport::{Address, Handler};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::config::ServerConfig;
use super::connection;
use super::service::Service;

/// What a connection too many is told.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n\
    access-control-allow-origin: *\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 46\r\n\r\n\
    {\"code\":503,\"message\":\"too many connections\"}\n";

/// How long to wait after the system refused to accept a connection, usually for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// An HTTP server that listens. It serves when it is [run](Self::run).
pub struct Server {
    listener: TcpListener,
    local: SocketAddr,
    address: Address,
    service: Arc<Service>,
}

impl Server {
    /// Listens where `config` says. The handler's list is encoded once, here.
    pub async fn bind(config: ServerConfig, handler: Arc<dyn Handler>) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        let local = listener.local_addr()?;
        let address = format!("http://{local}").parse().map_err(io::Error::other)?;
        Ok(Self { listener, local, address, service: Arc::new(Service::new(config, handler)) })
    }

    /// Where the server listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The address of what is served, as `http://127.0.0.1:8001`, for clients on this machine and peers that can reach it so.
    pub fn address(&self) -> Address {
        self.address.clone()
    }

    /// Serves until `shutdown` completes, then stops accepting, lets requests in flight finish within
    /// [`Limits::drain`](super::Limits::drain), and closes everything.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, service, .. } = self;
        let (stop, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((tcp, _)) if connections.len() >= service.limits.connections => turn_away(tcp),
                    Ok((tcp, from)) => {
                        // A socket that can't be told so is about to break anyway.
                        let _ = tcp.set_nodelay(true);
                        connections.spawn(connection::serve(tcp, from, Arc::clone(&service), stopped.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "can't accept a connection");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        stop.send_replace(true);
        let drained = timeout(service.limits.drain, async { while connections.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            tracing::warn!(connections = connections.len(), "closing connections that did not finish in time");
        }
        connections.shutdown().await;
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("local", &self.local).finish_non_exhaustive()
    }
}

/// Says why, if the system takes it at once, and closes.
fn turn_away(tcp: TcpStream) {
    if let Ok(mut tcp) = tcp.into_std() {
        let _ = tcp.write(BUSY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_answer_has_the_length_it_says() {
        let text = std::str::from_utf8(BUSY).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("content-length: {}\r\n", body.len()))
                || head.ends_with(&format!("content-length: {}", body.len()))
        );
    }
}
