//! Every bound of this crate with its reason. What a frame may hold is bounded in `quorate_proto`.

use std::time::Duration;

use quorate_types::MAX_VALIDATORS;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

// --- Connections ---

/// Certified peers outside the validator list (observers, nodes that catch up) that are served at a
/// time. Places for validators are counted apart, so that guests can never fill them.
pub const MAX_GUEST_PEERS: usize = 64;
/// All peers at a time: every validator and every guest.
pub const MAX_PEERS: usize = MAX_VALIDATORS + MAX_GUEST_PEERS;
/// Connections to one peer: the one that is kept, and a second while two simultaneous dials are sorted out.
pub(crate) const MAX_CONNECTIONS_PER_PEER: u32 = 2;
/// Handshakes under way from all addresses together; each costs some 50 kB and a millisecond.
pub(crate) const MAX_PENDING_INCOMING: u32 = 128;
/// Handshakes under way from one address. A whole test network may live behind one address.
pub(crate) const MAX_PENDING_PER_ADDRESS: usize = 32;
/// Dials under way: one for each configured peer.
pub(crate) const MAX_PENDING_OUTGOING: u32 = 320;
/// Handshakes that one address may begin at once: as many nodes as may share it after a restart of all.
pub(crate) const HANDSHAKE_BURST: u32 = 64;
/// Handshakes that one address may begin each second in the long run: churn then takes 2 % of a core.
pub(crate) const HANDSHAKES_PER_SECOND: u32 = 16;
/// Over this time the connections that one certified node makes are added up.
pub const CHURN_WINDOW: Duration = Duration::from_secs(10);
/// Connections of one node in that time that the operator should know of. A node that restarts every two seconds makes five;
/// one that dials as often as it may, since each connection breaks at once, some more than this.
pub(crate) const CHURN_CONNECTIONS: u32 = 32;
/// Nodes whose connections are counted; who comes when there are more is counted when the others are quiet.
pub(crate) const MAX_CHURNING: usize = 4 * MAX_PEERS;
/// Addresses whose handshake rate is remembered; beyond it those that are quiet are forgotten.
pub(crate) const MAX_TRACKED_ADDRESSES: usize = 4096;
/// A handshake takes two round trips; whoever needs longer holds a place for nothing.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the refusing side waits for the refused one to read why, before it closes.
pub(crate) const REFUSAL_LINGER: Duration = Duration::from_millis(500);
/// From the end of the handshake to both greetings.
pub(crate) const GREETING_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections are kept for as long as they live: a validator may well be silent for a day.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_hours(24 * 365);
/// A link is asked for a sign of life this often.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(5);
/// A ping may wait behind a full send buffer on a thin link; two in a row that fail end the connection.
pub(crate) const PING_TIMEOUT: Duration = Duration::from_secs(8);
/// The shortest wait before dialing again; with jitter up to twice as long.
pub(crate) const REDIAL_MIN: Duration = Duration::from_millis(250);
/// The longest wait before dialing again: with jitter it is at most 15 s.
pub(crate) const REDIAL_MAX: Duration = Duration::from_millis(7500);
/// How long the peer with the higher key lets the lower one dial first.
pub(crate) const SECOND_DIALER_DELAY: Duration = Duration::from_secs(1);
/// Two connections this close to each other were dialed simultaneously. A later one means that the
/// peer has lost the first, which this node may not know yet.
pub(crate) const SIMULTANEOUS_WINDOW: Duration = Duration::from_secs(3);
/// The configured peers: dialing more would serve nobody, since no more are accepted.
pub const MAX_CONFIGURED_PEERS: usize = MAX_PEERS;
/// The addresses of one name that are tried.
pub(crate) const MAX_ADDRESSES_PER_NAME: usize = 8;
/// Certificate chains of admitted peers that are remembered for a re-check: each with room to spare.
/// A live peer whose chain is forgotten is dropped at a re-check, and shows it again.
pub(crate) const MAX_REMEMBERED_CHAINS: usize = 4 * MAX_PEERS;
/// Chains are leaf and agency; a third leaves room for an agency's branch.
pub(crate) const MAX_CHAIN_CERTIFICATES: usize = 4;

// --- Streams ---

/// Substreams of one connection: consensus, transactions and ping take two each, requests two times
/// [`MAX_REQUESTS_PER_PEER`]; the rest is room for streams that are being closed.
pub(crate) const MAX_SUBSTREAMS: usize = 128;
/// The reason that a refused peer is told, in bytes of UTF-8.
pub(crate) const MAX_REASON_BYTES: usize = 512;
/// How long a lost consensus stream waits before it is opened again on a living connection.
pub(crate) const STREAM_RETRY: Duration = Duration::from_millis(250);
/// Greetings that one connection may bring at once, and one a second after that: a lost stream is opened anew, more is
/// made to keep this node busy.
pub(crate) const GREETINGS_AT_ONCE: u32 = 8;
/// Consensus frames waiting for one peer: two seconds of a hundred validators at ten blocks a second.
pub(crate) const OUTBOX_FRAMES: usize = 4096;
/// The bytes of those frames; at the least two of the largest fit.
pub(crate) const OUTBOX_BYTES: usize = 48 * MIB;
/// Bytes of one peer's frames that the node has not taken yet; at the least one of the largest fits.
pub(crate) const INBOX_BYTES_PER_PEER: usize = 24 * MIB;
/// What one peer's consensus stream may bring in each second, in KiB: 50 full proposals. More waits
/// in the peer's own buffers.
pub(crate) const CONSENSUS_KIB_PER_SECOND: u32 = 64 * 1024;
/// Frames of one peer that the node has taken and not finished with: a peer that fills its share waits, and nobody behind
/// it. A tenth of what the node checks at a time would do for a validator; this is a quarter, for bursts.
pub(crate) const FRAMES_IN_HAND: usize = 128;
/// The same for a guest. Guests have no vote; they pass on what others signed, and greet.
pub(crate) const GUEST_FRAMES_IN_HAND: usize = 16;
/// Bytes of one guest's frames that the node has not finished with: one of the largest fits.
pub(crate) const GUEST_INBOX_BYTES: usize = 16 * MIB;
/// What a guest's consensus stream may bring in each second, in KiB: an eighth of a validator's, four full-sized relayed
/// proposals and thousands of votes.
pub(crate) const GUEST_CONSENSUS_KIB_PER_SECOND: u32 = 16 * 1024;
/// Nodes that were parted with and may not come back yet; of more the one that may come back first is forgotten.
pub(crate) const MAX_PARTED: usize = 4 * MAX_PEERS;
/// What a frame counts at the least, in KiB: bounds frames to 32,768 a second, not only bytes.
pub(crate) const MIN_FRAME_KIB: u32 = 2;
/// Frames and announcements that the node has not taken yet, of all peers.
pub(crate) const CONSENSUS_LANE: usize = 4096;

// --- Transactions and requests ---

/// Batches of transactions waiting for one slow peer; what does not get out is offered again by the pools that have it.
pub(crate) const OUTBOX_BATCHES: usize = 256;
/// The bytes of those batches; at the least two of the largest fit.
pub(crate) const OUTBOX_BATCH_BYTES: usize = 8 * MIB;
/// Batches of one peer that the node has taken and not finished with.
pub(crate) const BATCHES_IN_HAND: usize = 8;
/// The bytes of those batches; at the least one of the largest fits.
pub(crate) const BATCH_BYTES_IN_HAND: usize = 4 * MIB;
/// What one peer's batches may bring in each second, in KiB: some thirty thousand transfers, above what a node can check,
/// and at the least one of the largest. More waits in the peer's own buffers.
pub(crate) const BATCH_KIB_PER_SECOND: u32 = 4 * 1024;
/// Batches that the node has not taken yet, of all peers.
pub(crate) const BATCH_LANE: usize = 128;
/// Validators' requests that the node has not answered yet.
pub(crate) const SERVED_IN_FLIGHT: usize = 64;
/// Guests' requests that the node has not answered yet: they never take a validator's place.
pub(crate) const GUESTS_SERVED_IN_FLIGHT: usize = 32;
/// Requests that one peer may have open with another.
pub(crate) const MAX_REQUESTS_PER_PEER: usize = 16;
/// Requests that one peer may make each second: 64 blocks each are more than anyone executes.
pub(crate) const REQUESTS_PER_SECOND: u32 = 64;
/// What one peer is sent in answers each second, in KiB: votes share the link.
pub(crate) const ANSWER_KIB_PER_SECOND: u32 = 32 * 1024;
/// A request is answered within this time or not at all: the largest answer takes 4 s at 20 Mbit/s.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// Refusals that the node has not taken yet; more are only logged.
pub(crate) const REFUSAL_LANE: usize = 128;
/// Commands that wait for the network task.
pub(crate) const COMMAND_QUEUE: usize = 256;
/// Reports of stream tasks that wait for the network task.
pub(crate) const REPORT_QUEUE: usize = 1024;
/// How often deadlines are looked at.
pub(crate) const TICK: Duration = Duration::from_millis(200);
