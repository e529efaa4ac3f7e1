//! The nodes that a node lists: whether each is there, who it says it is, and whether it reaches this one.

use std::io;
use std::net::ToSocketAddrs;
use std::time::{Duration, Instant};

use fsc_core::bus::Failure;
use fsc_core::identity::{NodeId, NodeKey};
use fsc_core::transport::{Address, Batch, Transport, TransportError};
use fsc_transport::seal::hail::{Hail, Hailed};
use fsc_transport::seal::{Peer, Way};

use super::{Carriers, Report};
use crate::invitations::since_epoch;

/// How far clocks may be apart.
const SKEW: Duration = Duration::from_mins(1);

/// How often a node is asked for the time that it takes.
const ROUND_TRIPS: usize = 5;

/// One look at all nodes.
pub(super) struct Round<'a> {
    pub(super) peers: Vec<Peer>,
    pub(super) key: &'a NodeKey,
    /// Where the node itself runs, if it does.
    pub(super) running: Option<Address>,
    pub(super) carriers: &'a Carriers,
    pub(super) report: &'a mut Report,
}

impl Round<'_> {
    pub(super) async fn go(mut self) -> io::Result<()> {
        if self.peers.is_empty() {
            return self.report.ok("nodes", "none is listed; `fsc invite` and `fsc join` bring some");
        }
        for Peer { id, way, .. } in self.peers.clone() {
            match way {
                Way::At(address) => self.near(id, &address).await?,
                Way::By(forwarder) => self.far(id, forwarder).await?,
                Way::Collected => self.collected(id).await?,
            }
        }
        Ok(())
    }

    /// A node that has an address.
    async fn near(&mut self, id: NodeId, address: &Address) -> io::Result<()> {
        let about = format!("node {id} at {address}");
        if is_line(address) {
            // The running node has the port, and nobody else can.
            return self.by_myself(&about, id, "has that key, knows this node, and answers over the line").await;
        }
        match resolved(address.clone()).await {
            Ok(places) => self.report.ok(&about, &format!("its address is that of {places}"))?,
            Err(error) => {
                let why = format!("its address can't be resolved ({error}): correct it");
                return self.report.fix(&about, &why);
            }
        }
        let round_trip = match self.round_trip(address).await {
            Ok(took) => took,
            Err(error) => {
                let why = format!(
                    "no node answers: {error}. Is it running, is its address right, may it be reached from here?"
                );
                return self.report.fix(&about, &why);
            }
        };
        self.report.ok(&about, &format!("answers in {}", milliseconds(round_trip)))?;
        let hail = Hail { back: self.running.is_some(), about: None };
        match hail.ask(&self.carriers.patient, self.key, id, address).await {
            Ok(hailed) => self.hailed(&about, &hailed, round_trip),
            Err(error) => self.report.fix(&about, &unanswered(&error)),
        }
    }

    /// What a node has answered.
    fn hailed(&mut self, about: &str, hailed: &Hailed, round_trip: Duration) -> io::Result<()> {
        let release = format!("has that key and knows this node; it runs fsc {}", hailed.release);
        self.report.ok(about, &release)?;
        self.report.note(about, clock(hailed.time, since_epoch().saturating_sub(round_trip / 2)))?;
        match &hailed.back {
            Some(Ok(took)) => self.report.ok(about, &format!("reaches this node in {}", milliseconds(*took))),
            Some(Err(failure)) => {
                let why = format!(
                    "does not reach this node ({failure}): correct what is listed there of node {}",
                    self.key.id()
                );
                self.report.fix(about, &why)
            }
            None => self.report.ok(about, "start this node, and ask again, to see whether that one reaches it"),
        }
    }

    /// A node whose mail another one forwards.
    async fn far(&mut self, id: NodeId, forwarder: NodeId) -> io::Result<()> {
        let about = format!("node {id} by node {forwarder}");
        let way = self.peers.iter().find(|peer| peer.id == forwarder).map(|peer| peer.way.clone());
        if let Some(Way::At(address)) = way.filter(|way| !matches!(way, Way::At(address) if is_line(address))) {
            let hail = Hail { back: false, about: Some(id) };
            let asked = hail.ask(&self.carriers.patient, self.key, forwarder, &address).await;
            let finding = match asked {
                Ok(Hailed { about: Some(Ok(took)), .. }) => {
                    Ok(format!("its forwarder forwards between the two, and reaches it in {}", milliseconds(took)))
                }
                Ok(Hailed { about: Some(Err(failure)), .. }) => Err(format!("its forwarder says: {failure}")),
                Ok(_) => Err("its forwarder does not say whether it reaches it".to_owned()),
                Err(error) => Err(format!("its forwarder can't be asked: {}", unanswered(&error))),
            };
            let is_fine = finding.is_ok();
            self.report.note(&about, finding)?;
            if !is_fine {
                return Ok(());
            }
        }
        self.by_myself(&about, id, "has that key, knows this node, and answers").await
    }

    /// A node that collects its mail here.
    async fn collected(&mut self, id: NodeId) -> io::Result<()> {
        let about = format!("node {id}, which collects its mail here");
        self.by_myself(&about, id, "does so, has that key, knows this node, and answers").await
    }

    /// Asks the running node whether it reaches another one.
    async fn by_myself(&mut self, about: &str, id: NodeId, fine: &str) -> io::Result<()> {
        let Some(local) = self.running.clone() else {
            return self.report.ok(about, "start this node, and ask again, to see whether it reaches that one");
        };
        let hail = Hail { back: false, about: Some(id) };
        let finding = match hail.ask(&self.carriers.patient, self.key, self.key.id(), &local).await {
            Ok(Hailed { about: Some(Ok(took)), .. }) => Ok(format!("{fine} in {}", milliseconds(took))),
            Ok(Hailed { about: Some(Err(failure)), .. }) => Err(format!("this node does not reach it: {failure}")),
            Ok(_) => Err("this node does not say whether it reaches it".to_owned()),
            Err(error) => Err(format!("this node can't be asked: {error}")),
        };
        self.report.note(about, finding)
    }

    async fn round_trip(&self, address: &Address) -> Result<Duration, TransportError> {
        let mut took = Vec::with_capacity(ROUND_TRIPS);
        for _ in 0..ROUND_TRIPS {
            let began = Instant::now();
            self.carriers.quick.deliver(address, Batch::default()).await?;
            took.push(began.elapsed());
        }
        took.sort_unstable();
        Ok(took[ROUND_TRIPS / 2])
    }
}

fn is_line(address: &Address) -> bool {
    address.scheme() == "serial"
}

/// Why a node that is there has not answered, and what to do.
fn unanswered(error: &TransportError) -> String {
    match error {
        TransportError::Refused { failure: Failure { code: 421, message, .. }, .. } => {
            format!("it has another key: {message}")
        }
        TransportError::Refused { failure: Failure { code: 425, message, .. }, .. } => {
            format!("{message}, or have a client there name this node")
        }
        TransportError::Refused { failure: Failure { code: 400 | 404, message, .. }, .. } => {
            format!("it does not answer questions of `fsc doctor` ({message}): give it a key, or update it")
        }
        TransportError::Refused { failure, .. } => failure.message.clone(),
        error => error.to_string(),
    }
}

/// Whether two clocks are near enough.
fn clock(there: Duration, here: Duration) -> Result<String, String> {
    let apart = there.abs_diff(here);
    if apart <= SKEW {
        return Ok(format!("its clock and this one are {:.1} s apart", apart.as_secs_f64()));
    }
    let ahead = if there > here { "ahead of" } else { "behind" };
    Err(format!("its clock is {} s {ahead} this one: set the wrong one, better by NTP", apart.as_secs()))
}

/// What an address stands for.
async fn resolved(address: Address) -> io::Result<String> {
    let places = tokio::task::spawn_blocking(move || authority(&address).to_socket_addrs().map(Vec::from_iter));
    let places: Vec<String> = places.await.map_err(io::Error::other)??.iter().map(ToString::to_string).collect();
    if places.is_empty() { Err(io::Error::other("nothing of that name")) } else { Ok(places.join(" and ")) }
}

/// Host and port of an address.
fn authority(address: &Address) -> String {
    let rest = address.as_str().split_once("://").map_or(address.as_str(), |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|digit| digit.is_ascii_digit()));
    if has_port { authority.to_owned() } else { format!("{authority}:80") }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_a_minute_apart_at_most() {
        let at = Duration::from_secs;
        assert!(clock(at(1000), at(1060)).is_ok() && clock(at(1060), at(1000)).is_ok());
        assert!(clock(at(1000), at(1062)).unwrap_err().contains("62 s behind"));
        assert!(clock(at(1062), at(1000)).unwrap_err().contains("62 s ahead of"));
    }

    #[test]
    fn an_address_has_a_port_whether_it_says_so_or_not() {
        for (address, expected) in [
            ("http://a.example.org:8001", "a.example.org:8001"),
            ("http://a.example.org/path", "a.example.org:80"),
            ("http://[::1]:8001", "[::1]:8001"),
            ("http://[::1]", "[::1]:80"),
        ] {
            assert_eq!(authority(&address.parse().unwrap()), expected);
        }
    }
}
