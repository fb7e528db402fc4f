//! A chain whose last block is there to be traced.

use alloy_rpc_types_trace::geth::{GethDebugTracingOptions, GethTrace, TraceResult};
use quorate_execution::{RecordedBlock, TraceError};
use quorate_types::{Address, Bytes, ExecutedBlock, Fork, Genesis, Header, Transaction};
use serde_json::{Value, json};

use crate::chain::{Chain, Memory};

pub const CONTRACT: Address = Address::repeat_byte(0xc0);
pub const OTHER: Address = Address::repeat_byte(0xb0);

/// A chain with code at `CONTRACT` and at `OTHER`.
pub fn chain_with(code: &[u8], other: &[u8]) -> Chain {
    chain_of(code, other, |_| {})
}

pub fn chain_of(code: &[u8], other: &[u8], edit: impl FnOnce(&mut Genesis)) -> Chain {
    Chain::with(Fork::Osaka, |genesis| {
        genesis.alloc.entry(CONTRACT).or_default().code = Some(Bytes::copy_from_slice(code));
        genesis.alloc.entry(OTHER).or_default().code = Some(Bytes::copy_from_slice(other));
        edit(genesis);
    })
}

/// A block, and the state that it ran on.
pub struct Traced {
    pub chain: Chain,
    pub before: Memory,
    pub header: Header,
    pub transactions: Vec<Transaction>,
    pub block: ExecutedBlock,
}

impl Traced {
    /// Runs a block of these.
    pub fn new(mut chain: Chain, transactions: Vec<Transaction>) -> Self {
        let before = chain.state.clone();
        let block = chain.run(&transactions);
        Self { before, header: chain.head.clone(), transactions, block, chain }
    }

    pub fn recorded(&self) -> RecordedBlock<'_> {
        RecordedBlock { header: &self.header, transactions: &self.transactions }
    }

    pub fn try_trace(&self, index: usize, options: Value) -> Result<GethTrace, TraceError> {
        self.chain.executor.trace_transaction(self.recorded(), index, &self.before, &parse(options))
    }

    /// The trace as clients get it.
    pub fn trace(&self, index: usize, options: Value) -> Value {
        serde_json::to_value(self.try_trace(index, options).expect("a trace")).expect("JSON")
    }

    pub fn try_block(&self, options: Value) -> Result<Vec<TraceResult>, TraceError> {
        self.chain.executor.trace_block(self.recorded(), &self.before, &parse(options))
    }
}

pub fn parse(options: Value) -> GethDebugTracingOptions {
    serde_json::from_value(options).expect("options")
}

pub fn call_tracer(config: Value) -> Value {
    json!({ "tracer": "callTracer", "tracerConfig": config })
}

pub fn prestate(config: Value) -> Value {
    json!({ "tracer": "prestateTracer", "tracerConfig": config })
}

/// An address as JSON has it.
pub fn hex(address: Address) -> String {
    format!("{address:?}")
}
