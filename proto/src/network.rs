//! The greeting of a connection, and transactions on their way.

use bytes::Bytes;
use quorate_types::{B256, Height};

use crate::{
    bounds::{
        BATCH_OVERHEAD_BYTES, MAX_AGENT_BYTES, MAX_BATCH_BYTES, MAX_HELLO_BYTES, MAX_TRANSACTIONS_PER_BATCH,
        TRANSACTION_OVERHEAD_BYTES,
    },
    error::{DecodeError, Problem, Within},
    fields::{array, detached, encode_hash, hash},
    frame::{self, Frame, PROTOCOL_VERSION},
    shape::{Part, Shape},
    wire,
};

/// The first message that each side sends on a connection. Before a good one has come, nothing counts
/// as connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The version of all other frames that the sender speaks: [`PROTOCOL_VERSION`]. The receiver compares.
    pub protocol_version: u32,
    /// The sender's chain.
    pub chain_id: u64,
    /// The hash of the sender's block 0.
    pub genesis_hash: B256,
    /// The height of the sender's head.
    pub height: Height,
    /// The hash of the sender's head.
    pub head_hash: B256,
    /// Name and version of the sender's software, at most [`MAX_AGENT_BYTES`], without control characters.
    pub agent: String,
}

impl Hello {
    /// Encodes it as a frame.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        frame::encode(&wire::Hello {
            protocol_version: self.protocol_version,
            chain_id: self.chain_id,
            genesis_hash: encode_hash(self.genesis_hash),
            height: self.height.0,
            head_hash: encode_hash(self.head_hash),
            agent: self.agent.clone(),
        })
    }

    /// The reverse of [`Hello::encode`]. Alone among the frames it is read whatever version it tells, and
    /// fields that later versions add are passed over: so two versions can name each other.
    ///
    /// # Errors
    /// For bytes that are no greeting.
    pub fn decode(frame: Bytes) -> Result<Self, DecodeError> {
        Self::from_frame(&frame).within("hello")
    }

    fn from_frame(frame: &Bytes) -> Result<Self, DecodeError> {
        frame::check_size(frame, MAX_HELLO_BYTES)?;
        let it: wire::Hello = frame::parse(frame)?;
        if it.agent.len() > MAX_AGENT_BYTES {
            return Err(Problem::TooLong { got: it.agent.len(), most: MAX_AGENT_BYTES }.of("agent"));
        }
        if it.agent.contains(char::is_control) {
            return Err(Problem::Inconsistent("a control character in a name").of("agent"));
        }
        Ok(Self {
            protocol_version: it.protocol_version,
            chain_id: it.chain_id,
            genesis_hash: hash("genesis_hash", &it.genesis_hash)?,
            height: Height(it.height),
            head_hash: hash("head_hash", &it.head_hash)?,
            agent: it.agent,
        })
    }
}

/// Raw transactions on their way into other nodes' pools.
///
/// Its frame is at most [`MAX_BATCH_BYTES`] and takes, beside each transaction's bytes, at most
/// [`TRANSACTION_OVERHEAD_BYTES`], and [`BATCH_OVERHEAD_BYTES`] once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionBatch {
    /// EIP-2718 bytes, at least one and at most [`MAX_TRANSACTIONS_PER_BATCH`].
    pub transactions: Vec<quorate_types::Bytes>,
    /// Joins what the nodes log about the batch into one trace.
    pub trace_id: Option<[u8; 16]>,
}

impl Frame for wire::TransactionBatch {
    const NAME: &'static str = "transaction_batch";
    const VERSION: u32 = PROTOCOL_VERSION;
    const MAX_BYTES: usize = MAX_BATCH_BYTES;
    const SHAPE: Shape = Shape(&[Part::list(2, "transactions", MAX_TRANSACTIONS_PER_BATCH, &Shape::FLAT)]);
}

impl TransactionBatch {
    /// As few batches as these transactions fit into, in order. One that fits no frame is left out.
    #[must_use]
    pub fn split(transactions: Vec<quorate_types::Bytes>, trace_id: Option<[u8; 16]>) -> Vec<Self> {
        let mut batches: Vec<Self> = Vec::new();
        let mut room = 0;
        for raw in transactions {
            let len = raw.len() + TRANSACTION_OVERHEAD_BYTES;
            if len > MAX_BATCH_BYTES - BATCH_OVERHEAD_BYTES {
                continue;
            }
            match batches.last_mut() {
                Some(last) if len <= room && last.transactions.len() < MAX_TRANSACTIONS_PER_BATCH => {
                    last.transactions.push(raw);
                }
                _ => {
                    batches.push(Self { transactions: vec![raw], trace_id });
                    room = MAX_BATCH_BYTES - BATCH_OVERHEAD_BYTES;
                }
            }
            room -= len;
        }
        batches
    }

    /// Encodes it as a frame.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        frame::encode(&wire::TransactionBatch {
            version: PROTOCOL_VERSION,
            transactions: self.transactions.iter().map(|raw| raw.0.clone()).collect(),
            trace_id: self.trace_id.map(|id| Bytes::copy_from_slice(&id)).unwrap_or_default(),
        })
    }

    /// The reverse of [`TransactionBatch::encode`]. Each transaction gets memory of its own, since it may
    /// stay in a pool for long.
    ///
    /// # Errors
    /// For bytes that are no batch.
    pub fn decode(frame: Bytes) -> Result<Self, DecodeError> {
        frame::decode(&frame, |it: wire::TransactionBatch| {
            if it.transactions.is_empty() {
                return Err(Problem::Missing.of("transactions"));
            }
            let traced = !it.trace_id.is_empty();
            Ok(Self {
                transactions: it.transactions.iter().map(detached).collect(),
                trace_id: traced.then(|| array("trace_id", &it.trace_id)).transpose()?,
            })
        })
    }
}
