//! What runs over the connections: libp2p's protocols put together, each within its bounds.

use libp2p::{
    connection_limits::{self, ConnectionLimits},
    gossipsub::{
        self, IdentTopic, IdentityTransform, MessageAuthenticity, MessageId, ValidationMode,
        WhitelistSubscriptionFilter,
    },
    ping,
    swarm::NetworkBehaviour,
};
use quorate_proto::{Hello, MAX_BATCH_BYTES, PROTOCOL_VERSION};
use quorate_types::keccak256;

use crate::{
    NetworkError,
    gate::Gate,
    limits::{
        GOSSIP_QUEUE, MAX_CONNECTIONS_PER_PEER, MAX_PEERS, MAX_PENDING_INCOMING, MAX_PENDING_OUTGOING,
        PING_INTERVAL, PING_TIMEOUT,
    },
    requests,
};

/// What a gossip frame adds to the batch inside it: the topic and a few tags.
const GOSSIP_OVERHEAD_BYTES: usize = 1024;

pub(crate) type Gossip = gossipsub::Behaviour<IdentityTransform, WhitelistSubscriptionFilter>;

/// The behaviours of one swarm. The gate and the limits come first: what they refuse costs the others nothing.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    gate: Gate,
    limits: connection_limits::Behaviour,
    pub(crate) ping: ping::Behaviour,
    pub(crate) streams: libp2p_stream::Behaviour,
    pub(crate) requests: requests::Behaviour,
    pub(crate) gossip: Gossip,
}

impl Behaviour {
    pub(crate) fn new(topic: &IdentTopic) -> Result<Self, NetworkError> {
        let most = u32::try_from(MAX_PEERS).unwrap_or(u32::MAX);
        let limits = ConnectionLimits::default()
            .with_max_pending_incoming(Some(MAX_PENDING_INCOMING))
            .with_max_pending_outgoing(Some(MAX_PENDING_OUTGOING))
            .with_max_established_per_peer(Some(MAX_CONNECTIONS_PER_PEER))
            .with_max_established(Some(most * MAX_CONNECTIONS_PER_PEER));
        Ok(Self {
            gate: Gate::new(),
            limits: connection_limits::Behaviour::new(limits),
            ping: ping::Behaviour::new(
                ping::Config::new().with_interval(PING_INTERVAL).with_timeout(PING_TIMEOUT),
            ),
            streams: libp2p_stream::Behaviour::new(),
            requests: requests::behaviour(),
            gossip: gossip(topic)?,
        })
    }
}

/// The topic of a chain's transactions. It names the chain, so that gossip never crosses to another
/// one in the moment before the greetings tell them apart.
pub(crate) fn transactions_topic(hello: &Hello) -> IdentTopic {
    IdentTopic::new(format!("/quorate/{PROTOCOL_VERSION}/{}/transactions", hello.genesis_hash))
}

/// Anonymous, since every transaction is signed and every link is authenticated; known by its
/// content's hash, and passed on only after the node has accepted it.
fn gossip(topic: &IdentTopic) -> Result<Gossip, NetworkError> {
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message| MessageId::from(keccak256(&message.data).to_vec()))
        .max_transmit_size(MAX_BATCH_BYTES + GOSSIP_OVERHEAD_BYTES)
        .connection_handler_queue_len(GOSSIP_QUEUE)
        // A chain has few nodes: what enters here goes to all of them directly.
        .flood_publish(true)
        .heartbeat_initial_delay(std::time::Duration::from_millis(500))
        .build()
        .map_err(|error| NetworkError::Stack(error.to_string()))?;
    let filter = WhitelistSubscriptionFilter([topic.hash()].into_iter().collect());
    let mut gossip = Gossip::new_with_subscription_filter(MessageAuthenticity::Anonymous, config, filter)
        .map_err(|error| NetworkError::Stack(error.to_owned()))?;
    gossip.subscribe(topic).map_err(|error| NetworkError::Stack(error.to_string()))?;
    Ok(gossip)
}
