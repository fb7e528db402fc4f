//! # quorate-rpc: what SDK clients talk to
//!
//! One port for JSON-RPC over HTTP and WebSocket, for gRPC and for `GET /health`: Ethereum's execution API as wallets and
//! libraries expect it, the `quorate` namespace for what Ethereum has no name for, and `quorate.v1`, the same in protobuf.
//!
//! What it never knows: the network and the replica. It reads storage, runs calls, hands transactions to the
//! ingress, and shows what [`Backend`]'s watches say.
//!
//! ```text
//! TCP -> accept loop -> App::dispatch -+- POST / or upgrade -> jsonrpsee -> InFlight -> Wording -> eth, debug, txpool, ... -> Backend
//!                                      +- application/grpc  -> tonic -> grpc::Api -> Backend
//!                                      +- anything else     -> axum: /health
//! ```
//! `wording` puts the framework's refusals in geth's words; a refusal of ours is an [`RpcError`].
//!
//! What takes long takes turns (`turns`), and what a connection has under way is bounded (`in_flight`).
//!
//! Filters and subscriptions are places in the chain (`feed`): each poll, and each new head, reads on from there. Nothing
//! is kept for who does not come for it.
//!
//! A method answers from one view of the state. When a new head or a receipt is out, state, logs and
//! receipts of that block are readable here.

mod arity;
mod backend;
mod body;
mod config;
mod consensus;
mod convert;
mod criteria;
mod cursor;
mod debug;
mod dev;
mod error;
mod eth;
mod feed;
mod fisco;
mod grpc;
mod ids;
mod in_flight;
mod methods;
mod quorate;
mod resolve;
mod server;
mod subscribe;
mod turns;
mod txpool;
mod web3;
mod wording;

pub use backend::{Backend, NodeStatus, Submission, SyncRange};
pub use config::RpcLimits;
pub use consensus::{
    ConsensusEvent, ConsensusRecord, ConsensusState, EvidenceRecord, LastMessage, MAX_EVENTS, SignedBytes,
    Tally, ValidatorState,
};
pub use dev::{Control, Development};
pub use error::RpcError;
pub use server::{RpcServer, ServeError};
