//! A hospital: its patients, its node, and its client, which talks to that node and to nobody else.

use std::sync::Arc;
use std::time::Duration;

use fsc_core::node::{Node, NodeError};
use fsc_core::representation::{Api, ApiError};
use fsc_core::runs::{Limits, Network};
use fsc_core::session::Deadlines;
use fsc_core::transport::{Address, NotAnAddress, TransportError};
use fsc_core::value::ConvertError;
use fsc_transport::TokioRuntime;
use fsc_transport::http::{ClientConfig, HttpTransport, Server, ServerConfig};

use super::data::Site;
use super::questions::Question;
use super::tap::Tap;

pub(super) struct Hospital {
    pub(super) site: Site,
    pub(super) address: Address,
    pub(super) tap: Arc<Tap>,
    api: Api,
}

impl Hospital {
    /// Starts the hospital's node on a port of its own. It serves as long as the tokio runtime lives, and gives up on
    /// other hospitals after `deadline`.
    pub(super) async fn open(site: Site, deadline: Duration) -> Result<Self, HospitalError> {
        let runtime = TokioRuntime::new();
        let tap = Arc::new(Tap::default());
        let deadlines = Deadlines { joining: deadline, silence: deadline, ..Deadlines::default() };
        let node = Node::builder(runtime.clone(), Arc::clone(&tap))
            .limits(Limits { deadlines, ..Limits::default() })
            .build()?;
        let server = Server::bind(ServerConfig::default(), node).await?;
        let address = server.address();
        tokio::spawn(server.run(std::future::pending()));

        // The node gives up first, since only it can say whom it waited for.
        let client = ClientConfig { request: Some(3 * deadline), ..ClientConfig::default() };
        let api = Api::new(HttpTransport::new(client), runtime, address.clone());
        Ok(Self { site, address, tap, api })
    }

    /// The answer to a question, from all hospitals at `nodes`, of which this one is at place `myself`.
    pub(super) async fn ask(
        &self,
        question: &Question,
        nodes: &[Address],
        myself: usize,
    ) -> Result<Vec<f64>, HospitalError> {
        let network = Network { nodes: nodes.to_vec(), myself, uuid: question.function.to_owned() };
        let arguments = [
            ("microprotocol", question.function.into()),
            ("data", (question.data)(&self.site.patients)?),
            ("parameters", (question.parameters)()),
            ("network", network.into()),
        ];
        let answer = self.api.create([("protocol", "Simon")]).attribute("compute").call(arguments).download().await?;
        answer.entry("result").and_then(question.read).ok_or(HospitalError::Shape)
    }
}

/// Why a hospital has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum HospitalError {
    /// The node can't be built.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The node can't listen.
    #[error("it can't listen on this machine")]
    Listen(#[from] std::io::Error),
    /// The node's own address can't be read.
    #[error(transparent)]
    Address(#[from] NotAnAddress),
    /// The hospital's data is nothing that a node takes.
    #[error(transparent)]
    Data(#[from] ConvertError),
    /// Its node did not answer with a result.
    #[error(transparent)]
    Compute(#[from] ApiError),
    /// The result lacks what was asked for.
    #[error("the result is not what its function promises")]
    Shape,
}

impl HospitalError {
    /// The hospitals at fault, by place.
    pub(super) fn culprits(&self) -> &[usize] {
        match self {
            Self::Compute(ApiError::Transport(TransportError::Refused { failure, .. })) => &failure.culprits,
            _ => &[],
        }
    }
}
