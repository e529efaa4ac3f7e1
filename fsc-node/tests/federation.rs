//! Federations of nodes in one process: on a hub, and over HTTP on loopback.
#![allow(clippy::unwrap_used)] // tests may panic, and so may what they are made of

mod common;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use common::{PATIENCE, Parties, Task, answer, eventually, failure, soon};
use fsc_core::bus::Principal;
use fsc_core::clock::Runtime;
use fsc_core::node::Node;
use fsc_core::object::{Object, ObjectError};
use fsc_core::party::Party;
use fsc_core::protocol::{Announced, Cost, Erased, Protocol, ProtocolError, Security, Submission};
use fsc_core::registry::Description;
use fsc_core::runs::Limits;
use fsc_core::secret::Secret;
use fsc_core::transport::{Address, Handler, Origin, Transport};
use fsc_core::value::{Arguments, Array, Value};
use fsc_protocols::sum::SecureSum;
use fsc_transport::http::{ClientConfig, HttpTransport, Server, ServerConfig};
use fsc_transport::{Hub, TokioRuntime};
use futures_util::future::join_all;
use tokio::task::JoinSet;

/// The two ways, each with that many nodes.
async fn both(parties: usize) -> [Federation; 2] {
    [Federation::in_process(parties, Limits::default()), Federation::over_http(parties, Limits::default()).await]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sums_are_right_for_two_three_and_five() {
    for parties in [2, 3, 5] {
        for federation in both(parties).await {
            let inputs: Vec<Value> = (0..parties).map(|place| Value::Float(0.25 + place as f64)).collect();
            let expected = answer(parties, Value::Float((0..parties).map(|place| 0.25 + place as f64).sum()));
            for result in federation.parties.sums("sum", &inputs).await {
                assert_eq!(result.unwrap(), expected);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_uuid_serves_again_and_again() {
    for federation in both(3).await {
        for round in 0..20 {
            for result in federation.parties.sums("the same", &[1.into(), 10.into(), round.into()]).await {
                assert_eq!(result.unwrap(), answer(3, Value::Float(f64::from(round) + 11.0)), "round {round}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vectors_are_summed_element_by_element() {
    for federation in both(3).await {
        let parties = &federation.parties;
        let elementwise = || ("parameters", Value::map([("elementwise", true)]));
        let chains = (0..3).map(|place| {
            let data = ("data", numbers(&[place as f64, 0.5, -1e9]));
            parties.compute(place, parties.network(place, "vectors"), [data, elementwise()]).download()
        });
        for result in soon(join_all(chains)).await {
            assert_eq!(result.unwrap(), answer(3, numbers(&[3.0, 1.5, -3e9])));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_computations_at_once_end_well() {
    let federation = Federation::in_process(3, Limits::default());
    let sums = (0..100).map(|number| {
        let parties = &federation.parties;
        async move { (number, parties.sums(&format!("run {number}"), &[1.into(), 2.into(), number.into()]).await) }
    });
    for (number, results) in join_all(sums).await {
        for result in results {
            assert_eq!(result.unwrap(), answer(3, Value::Float(f64::from(number) + 3.0)));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parties_that_want_different_functions_are_told_which() {
    for federation in both(3).await {
        let parties = &federation.parties;
        let first = parties.begin(0, "mismatch", 1).await;
        let third = parties.begin(2, "mismatch", 1).await;
        first.waits_for("joining", &[1]).await;
        third.waits_for("joining", &[1]).await;
        let other = ("microprotocol", SecureTotal::NAME.into());
        let second = parties.compute(1, parties.network(1, "mismatch"), [("data", 1.into()), other]).download();

        let second = failure(soon(second).await);
        assert_eq!(second.code, 409);
        let difference = "asked for SecureSum over 3 nodes, you asked for SecureTotal over 3";
        assert!(second.message.contains(difference), "{}", second.message);
        for task in [first, third] {
            let failure = failure(task.outcome().await);
            assert_eq!(failure.code, 409);
            let difference = "party 1 asked for SecureTotal over 3 nodes, you asked for SecureSum over 3";
            assert!(failure.message.contains(difference), "{}", failure.message);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_party_that_does_not_come_is_named() {
    let mut limits = Limits::default();
    limits.deadlines.joining = Duration::from_secs(1);
    for federation in [Federation::in_process(3, limits), Federation::over_http(3, limits).await] {
        for result in federation.parties.sums("absent", &[1.into(), 2.into()]).await {
            let failure = failure(result);
            assert_eq!((failure.code, failure.culprits), (504, vec![2]));
            assert!(failure.message.contains("party 2 did not join within 1 s"), "{}", failure.message);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_ends_the_run_at_all_parties() {
    for federation in both(3).await {
        let one = federation.parties.begin(0, "cancelled", 1).await;
        let other = federation.parties.begin(1, "cancelled", 1).await;
        one.waits_for("joining", &[2]).await;
        other.waits_for("joining", &[2]).await;
        one.call("cancel", None).await;
        assert_eq!(failure(one.outcome().await).message, "cancelled");
        assert_eq!(failure(other.outcome().await).message, "party 0 stopped: cancelled");
    }
}

/// A rendezvous that came to nothing leaves no hello behind that the next one could take for its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_run_leaves_its_uuid_to_the_next() {
    for federation in both(3).await {
        let parties = &federation.parties;
        let one = parties.begin(0, "once more", 1000).await;
        let other = parties.begin(1, "once more", 2000).await;
        other.waits_for("joining", &[2]).await;
        one.call("cancel", None).await;
        failure(one.outcome().await);
        failure(other.outcome().await);
        federation.has_said_all(&[0, 1]).await;

        let last = parties.begin(2, "once more", 3).await;
        last.waits_for("joining", &[0, 1]).await;
        for result in parties.sums("once more", &[1.into(), 2.into()]).await {
            assert_eq!(result.unwrap(), answer(3, Value::Float(6.0)));
        }
        assert_eq!(last.outcome().await.unwrap(), answer(3, Value::Float(6.0)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_has_so_many_runs_at_most_and_others_have_theirs() {
    let federation = Federation::in_process(2, Limits { runs_each: 2, ..Limits::default() });
    let parties = &federation.parties;
    let first = parties.begin(0, "first", 1).await;
    let _second = parties.begin(0, "second", 1).await;
    let refused = failure(soon(parties.sum(0, "third", 1).download()).await);
    assert_eq!(refused.code, 429);
    assert!(refused.message.contains("you have 2 computations under way"), "{}", refused.message);

    let others = federation.clients_of("somebody else");
    for result in others.sums("third", &[1.into(), 2.into()]).await {
        assert_eq!(result.unwrap(), answer(2, Value::Float(3.0)));
    }
    // A run that has ended counts no more.
    first.call("cancel", None).await;
    failure(first.outcome().await);
    for result in parties.sums("third", &[3.into(), 4.into()]).await {
        assert_eq!(result.unwrap(), answer(2, Value::Float(7.0)));
    }
}

/// It belongs to no grant, so it has a bound of its own; what is released makes room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn input_that_waits_in_tasks_is_bounded() {
    let federation = Federation::in_process(2, Limits::default());
    let parties = &federation.parties;
    let create = || {
        let arguments = [("microprotocol", "SecureSum".into()), ("network", parties.network(0, "unused").into())];
        Task::held(parties.simon(0).attribute("create_task").call(arguments))
    };
    let (one, other) = (create().await, create().await);
    // Counted every time, in memory once.
    let piece = Value::Bytes(vec![0; 1 << 26].into());
    for number in 0..15 {
        let task = if number % 2 == 0 { &one } else { &other };
        task.input(piece.clone()).await.unwrap();
    }
    for task in [&one, &other] {
        let refused = failure(task.input(piece.clone()).await);
        assert_eq!(refused.code, 429);
        assert!(refused.message.contains("your tasks may hold 1073741824 bytes"), "{}", refused.message);
    }
    drop(one);
    eventually(async || other.input(piece.clone()).await.ok()).await;
}

/// Its data is not to take part when nobody wants the result any more, and the uuid is free again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_cancels_what_it_waited_for() {
    for federation in both(3).await {
        let leaving = tokio::spawn(federation.parties.sum(0, "left", 1).download());
        let other = federation.parties.begin(1, "left", 1).await;
        other.waits_for("joining", &[2]).await;
        leaving.abort();
        assert_eq!(failure(other.outcome().await).message, "party 0 stopped: cancelled");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_does_not_wait_comes_to_the_same() {
    for federation in both(2).await {
        let task = federation.parties.begin(0, "later", 40).await;
        task.waits_for("joining", &[1]).await;
        assert_eq!(task.result().await.unwrap(), None);
        let other = soon(federation.parties.sum(1, "later", 2).download()).await;
        assert_eq!(other.unwrap(), answer(2, Value::Float(42.0)));
        assert_eq!(task.outcome().await.unwrap(), answer(2, Value::Float(42.0)));
        task.waits_for("ended", &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_can_be_created_joined_and_started_by_hand() {
    for federation in both(3).await {
        let parties = &federation.parties;
        let network = |place| ("network", Value::from(parties.network(place, "unused")));
        let create = parties.simon(0).attribute("create_task");
        let creator = Task::held(create.call([("microprotocol", "SecureSum".into()), network(0)])).await;
        let invitation = creator.call("invite", None).await.expect("an invitation");
        let invitation = soon(invitation.download()).await.unwrap();
        let mut tasks = vec![creator];
        for place in [1, 2] {
            let join = parties.simon(place).attribute("join_task");
            tasks.push(Task::held(join.call([("invitation", invitation.clone()), network(place)])).await);
        }
        for (task, data) in tasks.iter().zip([42, 16, 99]) {
            task.call("input", Some(("data", data.into()))).await;
            task.call("start", None).await;
        }
        for task in tasks {
            assert_eq!(task.outcome().await.unwrap(), answer(3, Value::Float(157.0)));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_source_is_computed_on_and_never_downloaded() {
    for federation in both(2).await {
        let parties = &federation.parties;
        let ledger = parties.clients[0].create([("microservice", "Ledger")]).hold();
        let ledger = soon(ledger).await.unwrap().expect("the ledger");
        assert_eq!(failure(soon(ledger.download()).await).code, 403);
        let copy = soon(parties.clients[0].upload(ledger.to_value()).hold()).await.unwrap().expect("a handle");
        assert_eq!(failure(soon(copy.download()).await).code, 403);
        // Whatever a service tells again must not be a door to what may only be computed on.
        for name in ["microprotocol", "parameters", "network"] {
            let mut arguments: BTreeMap<&str, Value> =
                [("microprotocol", "SecureSum".into()), ("network", parties.network(0, "door").into())].into();
            arguments.insert(name, ledger.to_value());
            let task = parties.simon(0).attribute("create_task").call(arguments.into_iter().collect::<Arguments>());
            assert_eq!(failure(soon(task.attribute("invite").call(()).download()).await).code, 400, "{name}");
        }
        for result in parties.sums("ledger", &[ledger.to_value(), 1.into()]).await {
            assert_eq!(result.unwrap(), answer(2, Value::Float(7.0)));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_on_another_machine_is_refused_with_what_to_configure() {
    let federation = Federation::over_http(1, Limits::default()).await;
    let mut network = federation.parties.network(0, "elsewhere");
    network.nodes.push("http://192.0.2.1:8001".parse().unwrap());
    let chain = federation.parties.compute(0, network, [("data", 1.into())]);
    let failure = failure(soon(chain.download()).await);
    assert_eq!(failure.code, 403);
    for part in ["http://192.0.2.1:8001", "unsealed_peers = true", "[peers]"] {
        assert!(failure.message.contains(part), "{}", failure.message);
    }
}

#[tokio::test]
async fn mail_from_another_machine_is_admitted_only_where_the_operator_says_so() {
    for unsealed_peers in [false, true] {
        let federation = Federation::in_process(1, Limits { unsealed_peers, ..Limits::default() });
        let node = &federation.nodes[0];
        assert_eq!((node.admits(Origin::InProcess), node.admits(Origin::Loopback)), (Ok(()), Ok(())));
        let admitted = node.admits(Origin::Remote);
        assert_eq!(admitted.is_ok(), unsealed_peers);
        assert_eq!(node.mail(Origin::Remote, Vec::new().into()).is_ok(), unsealed_peers);
        if let Err(failure) = admitted {
            assert_eq!(failure.code, 403);
            assert!(failure.message.contains("unsealed_peers = true"), "{}", failure.message);
        }
    }
}

#[tokio::test]
async fn networks_that_make_no_sense_are_argument_errors() {
    let federation = Federation::in_process(2, Limits::default());
    let parties = &federation.parties;
    let [here, there] = [0, 1].map(|place| parties.addresses[place].as_str());
    let network = |nodes: &[&str], myself: i64, uuid: &str| {
        let nodes: Vec<Value> = nodes.iter().copied().map(Value::from).collect();
        Value::map([("nodes", nodes.into()), ("myself", myself.into()), ("uuid", Value::from(uuid))])
    };
    for (network, part) in [
        (Value::Null, "must be a map"),
        (network(&[here], 0, "u"), "names 1 nodes; 2 to 64"),
        (network(&[here; 65], 0, "u"), "names 65 nodes; 2 to 64"),
        (network(&[here, here], 0, "u"), "names a node twice"),
        (network(&[here, there], 2, "u"), "places go from 0 to 1"),
        (network(&[here, there], -1, "u"), "myself must be a place"),
        (network(&[here, "nowhere"], 0, "u"), "node 1: not an address"),
        (network(&[here, there], 0, ""), "uuid must have 1 to 256 bytes"),
        (network(&[here, there], 0, &"u".repeat(257)), "uuid must have 1 to 256 bytes"),
    ] {
        let chain = parties.compute(0, parties.network(0, "u"), [("data", 1.into()), ("network", network)]);
        let failure = failure(soon(chain.download()).await);
        assert_eq!(failure.code, 400, "{part}");
        assert!(failure.message.starts_with("invalid parameter: network: "), "{}", failure.message);
        assert!(failure.message.contains(part), "{}", failure.message);
    }
}

/// Nodes that know of one another, and a client to each.
struct Federation {
    parties: Parties,
    runtime: Arc<dyn Runtime>,
    nodes: Vec<Arc<Node>>,
    /// What the nodes of one process reach one another by.
    hub: Option<Hub>,
    _servers: JoinSet<()>,
}

impl Federation {
    fn in_process(parties: usize, limits: Limits) -> Self {
        let (runtime, hub) = (runtime(), Arc::new(Hub::new()));
        let transport: Arc<dyn Transport> = hub.clone();
        let nodes: Vec<_> = (0..parties).map(|_| node(&runtime, &transport, limits)).collect();
        let address = |(place, node): (usize, &Arc<Node>)| hub.add(&place.to_string(), node).unwrap();
        let addresses: Vec<Address> = nodes.iter().enumerate().map(address).collect();
        let parties = Parties::new(&transport, &runtime, addresses);
        Self { parties, runtime, nodes, hub: Some(Hub::clone(&hub)), _servers: JoinSet::new() }
    }

    async fn over_http(parties: usize, limits: Limits) -> Self {
        let runtime = runtime();
        let transport = || -> Arc<dyn Transport> { Arc::new(HttpTransport::new(ClientConfig::default())) };
        let (mut nodes, mut addresses, mut servers) = (Vec::new(), Vec::new(), JoinSet::new());
        for _ in 0..parties {
            let node = node(&runtime, &transport(), limits);
            let server = Server::bind(ServerConfig::default(), node.clone()).await.unwrap();
            addresses.push(server.address());
            servers.spawn(server.run(pending()));
            nodes.push(node);
        }
        let parties = Parties::new(&transport(), &runtime, addresses);
        Self { parties, runtime, nodes, hub: None, _servers: servers }
    }

    /// Clients of another principal, in one process.
    fn clients_of(&self, principal: &str) -> Parties {
        let hub = self.hub.as_ref().expect("a federation in process");
        let transport: Arc<dyn Transport> = Arc::new(hub.acting_as(Principal::new(principal)));
        Parties::new(&transport, &self.runtime, self.parties.addresses.iter().cloned())
    }

    /// Completes when the runs of these nodes have ended and the others have heard of it.
    async fn has_said_all(&self, places: &[usize]) {
        for &place in places {
            self.nodes[place].runs().drained(self.runtime.now() + PATIENCE).await;
        }
    }
}

fn runtime() -> Arc<dyn Runtime> {
    Arc::new(TokioRuntime::new())
}

fn node(runtime: &Arc<dyn Runtime>, transport: &Arc<dyn Transport>, limits: Limits) -> Arc<Node> {
    fsc_protocols::link();
    let ledger = Description::new([("namespace", "test"), ("microservice", "Ledger")]);
    Node::builder(Arc::clone(runtime), Arc::clone(transport))
        .limits(limits)
        .object("Ledger", ledger, Arc::new(Ledger(numbers(&[1.0, 2.0, 3.0]))))
        .protocol(&Erased::<SecureTotal>::NEW)
        .build()
        .unwrap()
}

fn numbers(numbers: &[f64]) -> Value {
    Value::Array(Array::from_f64(numbers.to_vec()).unwrap())
}

/// An owner's data, which stays on the node.
struct Ledger(Value);

impl Object for Ledger {
    fn kind(&self) -> &'static str {
        "ledger"
    }

    fn data(&self) -> Option<Cow<'_, Value>> {
        Some(Cow::Borrowed(&self.0))
    }
}

/// `SecureSum` by another name.
struct SecureTotal;

impl Protocol for SecureTotal {
    const NAME: &'static str = "SecureTotal";
    const VERSION: u16 = SecureSum::VERSION;
    const SECURITY: Security = SecureSum::SECURITY;
    type Params = <SecureSum as Protocol>::Params;
    type Input = <SecureSum as Protocol>::Input;
    type Output = <SecureSum as Protocol>::Output;

    fn admit(submission: Submission) -> Result<(Self::Params, Self::Input), ObjectError> {
        SecureSum::admit(submission)
    }

    fn cost(params: &Self::Params, all: &Announced) -> Cost {
        SecureSum::cost(params, all)
    }

    async fn run(
        party: &mut Party,
        params: Self::Params,
        input: Secret<Self::Input>,
    ) -> Result<Self::Output, ProtocolError> {
        SecureSum::run(party, params, input).await
    }
}
