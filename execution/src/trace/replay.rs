//! Recorded transactions, run again.

use alloy_rpc_types_trace::geth::{GethDebugTracingOptions, GethTrace, TraceResult};
use quorate_types::Transaction;
use revm::{DatabaseRef, context_interface::result::ResultAndState};
use revm_inspectors::tracing::TransactionContext;

use super::{
    RecordedBlock, TraceError,
    tracer::{self, Watched},
};
use crate::{
    Executor, Fault,
    run::{BlockRun, Stopped},
    transaction::authorities_of,
};

impl Executor {
    /// `debug_traceTransaction`: the transaction at `index` of `block`, traced. `db` is the state before the block.
    ///
    /// # Errors
    /// When there is no such tracer or transaction, a bound is reached, or this node fails; also when its state is not the one
    /// on which the block ran.
    pub fn trace_transaction<DB: DatabaseRef>(
        &self,
        block: RecordedBlock<'_>,
        index: usize,
        db: DB,
        options: &GethDebugTracingOptions,
    ) -> Result<GethTrace, TraceError> {
        let mut replay = Replay::begin(self, block, db, options)?;
        let transaction = block.transactions.get(index).ok_or(TraceError::UnknownTransaction)?;
        for before in &block.transactions[..index] {
            replay.pass(before)?;
        }
        Ok(replay.trace(index, transaction)?.0)
    }

    /// `debug_traceBlockByNumber` and `ByHash`: every transaction of `block`, traced. `db` is the state before the block. The
    /// bounds hold for all traces together.
    ///
    /// # Errors
    /// Those of [`Executor::trace_transaction`], for any of them.
    pub fn trace_block<DB: DatabaseRef>(
        &self,
        block: RecordedBlock<'_>,
        db: DB,
        options: &GethDebugTracingOptions,
    ) -> Result<Vec<TraceResult>, TraceError> {
        let mut replay = Replay::begin(self, block, db, options)?;
        let mut traces = Vec::with_capacity(block.transactions.len());
        for (index, transaction) in block.transactions.iter().enumerate() {
            let (result, ended) = replay.trace(index, transaction)?;
            traces.push(TraceResult::Success { result, tx_hash: Some(transaction.hash()) });
            replay.go_on(transaction, ended)?;
        }
        replay.check_end()?;
        Ok(traces)
    }
}

/// A block that runs again.
struct Replay<'a, DB: DatabaseRef> {
    block: RecordedBlock<'a>,
    run: BlockRun<DB, Watched>,
}

impl<'a, DB: DatabaseRef> Replay<'a, DB> {
    fn begin(
        executor: &Executor,
        block: RecordedBlock<'a>,
        db: DB,
        options: &GethDebugTracingOptions,
    ) -> Result<Self, TraceError> {
        let watched = tracer::watched(options, executor.trace_limits)?;
        if block.header.number == 0 {
            return Err(TraceError::Genesis);
        }
        Ok(Self { block, run: BlockRun::begin(executor, block.header, db, watched)? })
    }

    /// Runs a transaction that comes before the one to trace. Its own gas bounds it: the clock is looked at in between.
    fn pass(&mut self, transaction: &Transaction) -> Result<(), TraceError> {
        self.check_time()?;
        let gas_limit = self.block.header.gas_limit;
        let done = self.run.execute(transaction, || authorities_of(transaction), gas_limit);
        done.map_err(not_recorded)
    }

    /// Traces a transaction and keeps nothing of what it did.
    fn trace(
        &mut self,
        index: usize,
        transaction: &Transaction,
    ) -> Result<(GethTrace, ResultAndState), TraceError> {
        self.check_time()?;
        let ended = self.run.inspect(transaction, self.block.header.gas_limit);
        tracer::check_bounds(&self.run.vm.inspector)?;
        let ended = ended.map_err(not_recorded)?;
        let place = TransactionContext::default()
            .with_block_hash(self.block.header.hash_slow())
            .with_tx_index(index)
            .with_tx_hash(transaction.hash());
        Ok((tracer::result(&mut self.run.vm, Some(place), &ended)?, ended))
    }

    /// Keeps what a traced transaction did, for those after it.
    fn go_on(&mut self, transaction: &Transaction, ended: ResultAndState) -> Result<(), TraceError> {
        self.run.keep(transaction, ended);
        tracer::begin_transaction(&mut self.run.vm.inspector)
    }

    fn check_time(&mut self) -> Result<(), TraceError> {
        self.run.vm.inspector.1.look();
        tracer::check_bounds(&self.run.vm.inspector)
    }

    /// A whole block tells whether it ran as it did then.
    fn check_end(&self) -> Result<(), TraceError> {
        let (here, then) = (self.run.gas_used(), self.block.header.gas_used);
        if here == then {
            return Ok(());
        }
        let detail = format!("{here} gas used, {then} in the header");
        Err(Fault::new("a recorded block runs differently again", detail).into())
    }
}

/// What a block holds could run once.
fn not_recorded(stopped: Stopped) -> TraceError {
    match stopped {
        Stopped::Unfit(reason) => Fault::new("a recorded transaction cannot run again", reason).into(),
        Stopped::Fault(fault) => fault.into(),
    }
}
