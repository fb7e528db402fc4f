//! Traces: a recorded transaction, a whole block or a call, run again under the eyes of a tracer.
//!
//! ```text
//! state before the block --> EIP-2935's system call --> transactions 0..i   the code that ran the block
//!                                                             |
//!                          (tracer, Budget), Deadline  -->  transaction i --> the trace; nothing is kept
//! ```
//! The tracers are those of revm-inspectors by the names that geth gives them: the struct logger when none is named,
//! `callTracer`, `flatCallTracer`, `prestateTracer`, `4byteTracer`, `noopTracer`, and `muxTracer` over these. Settings and
//! results are alloy's types for geth's JSON. Programs in JavaScript are not run.
//!
//! A trace ends at the first of two bounds, time and length, and then there is none at all: half a trace would be taken for
//! a whole one. The length is counted while the trace is recorded, see `budget`.

mod budget;
mod duration;
mod error;
mod replay;
mod tracer;

use std::time::Duration;

use alloy_rpc_types_trace::geth::{GethDebugTracingOptions, GethTrace};
use quorate_types::{Header, Transaction};
use revm::DatabaseRef;

use crate::{CallRequest, Executor, Overrides, call::Trial};

pub use error::TraceError;

/// What one request for traces may cost this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceLimits {
    /// The longest run, the replay of what came before included; a request may ask for less.
    pub time: Duration,
    /// The longest answer, in bytes of JSON as they are estimated while recording. With its JSON a trace takes up to twice
    /// as much memory (measured, for deep stacks, many slots and many calls).
    pub bytes: u64,
}

impl Default for TraceLimits {
    /// geth's 5 seconds, and 64 MiB.
    fn default() -> Self {
        Self { time: Duration::from_secs(5), bytes: 64 << 20 }
    }
}

/// A block of the chain.
#[derive(Clone, Copy, Debug)]
pub struct RecordedBlock<'a> {
    /// Its header.
    pub header: &'a Header,
    /// Its transactions, all of them and in order.
    pub transactions: &'a [Transaction],
}

impl Executor {
    /// `debug_traceCall`: runs `request` in the block that `header` heads, on the state `db`, both with `overrides`, by the
    /// rules and within the gas of [`Executor::call`].
    ///
    /// # Errors
    /// When there is no such tracer, the overrides contradict themselves, the call cannot start, a bound is reached, or this
    /// node fails. A revert is a trace.
    pub fn trace_call<DB: DatabaseRef>(
        &self,
        header: &Header,
        db: DB,
        request: &CallRequest,
        overrides: &Overrides,
        options: &GethDebugTracingOptions,
    ) -> Result<GethTrace, TraceError> {
        let watched = tracer::watched(options, self.trace_limits)?;
        let mut trial = Trial::new(self, header, db, request, overrides, watched)?;
        let ended = trial.run(self.call_gas(request));
        tracer::check_bounds(&trial.vm.inspector)?;
        tracer::result(&mut trial.vm, None, &ended?)
    }
}
