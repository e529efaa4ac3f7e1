//! A hospital: its patients, its node, and its client, which talks to that node and to nobody else.

use std::sync::Arc;
use std::time::Duration;

use fsc_core::node::{Node, NodeError};
use fsc_core::representation::{Api, ApiError};
use fsc_core::runs::Limits;
use fsc_core::session::Deadlines;
use fsc_core::transport::{Address, NotAnAddress, TransportError};
use fsc_core::value::{Array, NotFinite, Value};
use fsc_transport::TokioRuntime;
use fsc_transport::http::{ClientConfig, HttpTransport, Server, ServerConfig};
use serde::Deserialize;

use super::data::Site;
use super::figures::{Figures, Squares, Totals};
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

    /// Computes the joint figures with the hospitals at `nodes`, of which this one is at place `myself`.
    pub(super) async fn study(&self, nodes: &[Address], myself: usize) -> Result<Figures, HospitalError> {
        let patients = &self.site.patients;
        let totals = self.joint_sum(Totals::of(patients).to_vec(), "totals", nodes, myself).await?;
        let totals = Totals::from_vec(&totals).ok_or(HospitalError::Shape)?;

        let squares = Squares::around(totals.means(), patients);
        let squares = self.joint_sum(squares.0.to_vec(), "squares", nodes, myself).await?;
        let squares = Squares(squares.try_into().map_err(|_| HospitalError::Shape)?);
        Ok(Figures::from_sums(&totals, squares))
    }

    /// Adds up this hospital's numbers and those of all others, element by element.
    async fn joint_sum(
        &self,
        numbers: Vec<f64>,
        purpose: &str,
        nodes: &[Address],
        myself: usize,
    ) -> Result<Vec<f64>, HospitalError> {
        let nodes = nodes.iter().map(|node| node.as_str().into()).collect();
        let network = Value::map([("nodes", Value::List(nodes)), ("myself", myself.into()), ("uuid", purpose.into())]);
        let arguments = [
            ("microprotocol", "SecureSum".into()),
            ("data", Array::from_f64(numbers)?.into()),
            ("parameters", Value::map([("elementwise", true)])),
            ("network", network),
        ];
        let answer = self.api.create([("protocol", "Simon")]).attribute("compute").call(arguments);
        Ok(answer.download_as::<Answer>().await?.result.sum)
    }
}

/// What `compute` answers.
#[derive(Deserialize)]
struct Answer {
    result: Sum,
}

#[derive(Deserialize)]
struct Sum {
    sum: Vec<f64>,
}

/// Why a hospital has no figures.
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
    /// The hospital's own figures can't be computed.
    #[error(transparent)]
    Data(#[from] NotFinite),
    /// Its node did not answer with a result.
    #[error(transparent)]
    Compute(#[from] ApiError),
    /// The result is not as long as what was summed up.
    #[error("the sum has another length than its terms")]
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
