//! How much a frame may hold. Every list, buffer and frame that a peer fills has its bound here.

use quorate_types::MAX_VALIDATORS;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The largest consensus frame or log record: a full block ([`MAX_BLOCK_BYTES`]) with a proposal beside it, which is
/// 3.2 MB of hashes at most, [`MAX_PREFILLED_BYTES`] and some kilobytes of signatures.
pub const MAX_FRAME_BYTES: usize = 16 * MIB;
/// The items of all lists in one frame together: the fullest block and as much again. However a frame is made, its
/// lists decode into some 10 MB and no more.
pub const MAX_FRAME_ITEMS: usize = 2 * MAX_TRANSACTIONS_PER_BLOCK;
/// The raw transactions of one block together: EIP-7934 allows a block 8 MiB of RLP, and raw
/// transactions never take more than their share of it.
pub const MAX_BLOCK_BYTES: usize = 8 * MIB;
/// The transactions of one block. Each takes 21,000 gas or more: 300 M gas, the default limit, pay for 14,285,
/// and no block of up to 2.1 G gas can hold more than this.
pub const MAX_TRANSACTIONS_PER_BLOCK: usize = 100_000;
/// The RLP of a header: today's takes some 650 bytes with 32 of extra data.
pub const MAX_HEADER_BYTES: usize = KIB;
/// The raw transactions that a proposal brings along: eight times what a replica adds of its own. More would hold
/// up the votes behind it, and is fetched.
pub const MAX_PREFILLED_BYTES: usize = 256 * KIB;
/// The view changes in a justification: one of each validator.
pub const MAX_JUSTIFICATION_SIGNERS: usize = MAX_VALIDATORS;
/// A certificate's bitmap: one bit for each validator.
pub const MAX_BITMAP_BYTES: usize = MAX_VALIDATORS / 8;
/// A certificate's signatures: one of each validator.
pub const MAX_CERTIFICATE_SIGNATURES: usize = MAX_VALIDATORS;

/// A greeting: 80 bytes of hashes and numbers, the agent, and room for what later versions add.
pub const MAX_HELLO_BYTES: usize = KIB;
/// The name and version of a peer's software, which logs and tables show.
pub const MAX_AGENT_BYTES: usize = 128;
/// A batch of transactions: the largest single transaction fits that EIP-7825's gas cap pays for, 1.7 MB of zeros at
/// EIP-7623's floor of 10 gas.
pub const MAX_BATCH_BYTES: usize = 2 * MIB;
/// The transactions of a batch: enough for 80,000 a second in batches of 50 ms.
pub const MAX_TRANSACTIONS_PER_BATCH: usize = 4096;
/// A request: the hashes of all transactions of the fullest block fit (3.2 MB).
pub const MAX_REQUEST_BYTES: usize = 4 * MIB;
/// A response: the largest block with its certificate fits with some room. Larger answers gain no throughput and keep
/// votes waiting on a thin link.
pub const MAX_RESPONSE_BYTES: usize = 10 * MIB;
/// The blocks in a response: with one round trip of 30 ms that is 2,000 blocks a second from one peer.
pub const MAX_BLOCKS_PER_RESPONSE: u32 = 64;
/// What protobuf adds to one transaction of a list: a tag, and up to four bytes of length.
pub const TRANSACTION_OVERHEAD_BYTES: usize = 5;
/// What a batch takes beside its transactions: the version and the trace id, each with a tag.
pub const BATCH_OVERHEAD_BYTES: usize = 20;

/// The messages in one log record. A step of the replica signs a handful; the rest is room for a
/// record that carries over a whole height of many views.
pub const MAX_LOG_MESSAGES: usize = 1024;
