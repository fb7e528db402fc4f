//! One simulated block after the other, over one overlay.

use alloy_consensus::proofs::calculate_receipt_root;
use alloy_eips::Encodable2718;
use quorate_types::{Address, Bytes, Envelope, Header, Height};
use revm::{
    DatabaseRef, InspectEvm,
    context_interface::result::{EVMError, InvalidTransaction, ResultAndState},
};

use super::{
    BlockRequest, SimulateError, SimulatedBlock, SimulatedCall, Simulation, Unsigned, transfers::Transfers,
    unsigned::envelope,
};
use crate::{
    CallError, CallOutcome, CallStatus, Executor, Fault, Unfit,
    build::transactions_root,
    deadline::Deadline,
    executor::{context_over, vm},
    overlay::Overlay,
    overrides::override_accounts,
    run::{BlockRun, fault},
    transaction::recover_authorities,
};

/// The most bytes that all calls return and log: as JSON they are twice that.
const MAX_OUTPUT_BYTES: usize = 16 << 20;
/// What a log takes besides its data.
const LOG_BYTES: usize = 256;

/// What the blocks so far leave to the next one.
pub(super) struct Progress<'a, DB> {
    executor: &'a Executor,
    simulation: &'a Simulation,
    overlay: Overlay<DB>,
    deadline: Deadline,
    gas_left: u64,
    bytes_left: usize,
}

impl<'a, DB: DatabaseRef> Progress<'a, DB> {
    pub(super) fn new(executor: &'a Executor, base: &Header, db: DB, simulation: &'a Simulation) -> Self {
        Self {
            executor,
            simulation,
            overlay: Overlay::new(db, base),
            deadline: executor.call_deadline(),
            gas_left: executor.call_limits.gas,
            bytes_left: MAX_OUTPUT_BYTES,
        }
    }

    /// Runs the block that `header` heads; without a request it is empty.
    pub(super) fn run(
        mut self,
        header: Header,
        request: Option<&BlockRequest>,
    ) -> Result<(Self, SimulatedBlock), SimulateError> {
        self.overlay.enter(&header);
        let mut rules = self.executor.call_rules(Height(header.number));
        rules.disable_nonce_check = !self.simulation.validation;
        let context = context_over(rules, &header, self.overlay);
        let watched = (Transfers::new(self.simulation.trace_transfers), self.deadline);
        let mut run = BlockRun::new(self.executor, vm(context, watched));
        if let Some(request) = request {
            request.overrides.block.apply_blob_base_fee(&mut run.vm.ctx.block);
            override_accounts(&request.overrides.accounts, &mut run.vm)?;
        }
        // Whether it may refuse is up to whoever puts other code in its place.
        run.store_parent_hash(self.executor, &header)?;
        let mut block = Block {
            executor: self.executor,
            header,
            validation: self.simulation.validation,
            run,
            gas_left: self.gas_left,
            bytes_left: self.bytes_left,
            transactions: Vec::new(),
            calls: Vec::new(),
        };
        block.check_time()?;
        for call in request.map_or(&[][..], |request| &request.calls) {
            block.call(call)?;
        }
        let (gas_left, bytes_left) = (block.gas_left, block.bytes_left);
        let (overlay, deadline, done) = block.seal();
        Ok((Self { overlay, deadline, gas_left, bytes_left, ..self }, done))
    }
}

/// A block in the middle of its calls.
struct Block<'a, DB: DatabaseRef> {
    executor: &'a Executor,
    header: Header,
    validation: bool,
    run: BlockRun<DB, (Transfers, Deadline)>,
    gas_left: u64,
    bytes_left: usize,
    transactions: Vec<Envelope>,
    calls: Vec<SimulatedCall>,
}

impl<DB: DatabaseRef> Block<'_, DB> {
    fn call(&mut self, call: &Unsigned) -> Result<(), SimulateError> {
        let (request, chain_id) = (&call.request, self.executor.config.chain_id);
        let left = self.header.gas_limit.saturating_sub(self.run.gas_used());
        let required = request.gas.unwrap_or(left);
        if required > left {
            return Err(SimulateError::BlockGas { left, required });
        }
        let gas = required.min(self.gas_left);
        let overlay = &mut self.run.vm.ctx.journaled_state.database;
        let next_nonce = overlay.account(request.from).map_err(Fault::state)?.nonce;
        let nonce = call.nonce.unwrap_or(next_nonce);
        // Before the fees, as geth has it: a call with both at fault is refused for its nonce.
        let checked =
            if self.validation { Unfit::check_nonce(request.from, nonce, next_nonce) } else { Ok(()) };
        let checked = checked.and_then(|()| request.check());
        checked.map_err(|reason| SimulateError::Refused { reason, gas })?;
        let transaction = envelope(request, nonce, gas, chain_id);
        let authorities = recover_authorities(&request.authorization_list);
        let mut tx = request.tx_env(gas, chain_id, request.access_list.clone(), authorities);
        // The highest nonce is refused even when none is checked.
        tx.nonce = if self.validation { nonce } else { 0 };
        // A free call pays nothing, though the base fee may be more.
        self.run.vm.ctx.cfg.disable_base_fee = !self.validation && request.fee.highest() == 0;
        self.run.vm.inspector.0.begin();
        let ended = self.run.vm.inspect_tx(tx);
        self.check_time()?;
        let ended = ended.map_err(|error| self.refused(error, gas))?;
        self.keep(transaction, request.from, ended, gas < required)
    }

    fn keep(
        &mut self,
        transaction: Envelope,
        sender: Address,
        ended: ResultAndState,
        is_capped: bool,
    ) -> Result<(), SimulateError> {
        let gas = *ended.result.gas();
        let mut outcome = CallOutcome::from(ended.result.clone());
        self.run.keep_as(transaction.tx_type(), sender, ended);
        self.gas_left = self.gas_left.saturating_sub(outcome.gas_used);
        match &mut outcome.status {
            CallStatus::Success => outcome.logs = self.run.vm.inspector.0.among(outcome.logs),
            CallStatus::Halted(reason) if is_capped => {
                reason.push_str(" (gas limit was capped by the RPC server's global gas cap)");
            }
            CallStatus::Halted(_) | CallStatus::Reverted => {}
        }
        let logged: usize = outcome.logs.iter().map(|log| LOG_BYTES + log.data.data.len()).sum();
        let left = self.bytes_left.checked_sub(outcome.output.len() + logged);
        self.bytes_left = left.ok_or(SimulateError::TooLarge { limit: MAX_OUTPUT_BYTES })?;
        let max_gas_used = gas.total_gas_spent().max(outcome.gas_used);
        self.calls.push(SimulatedCall { outcome, max_gas_used });
        self.transactions.push(transaction);
        Ok(())
    }

    fn check_time(&mut self) -> Result<(), SimulateError> {
        let deadline = &mut self.run.vm.inspector.1;
        deadline.look();
        if deadline.has_passed() {
            return Err(CallError::Timeout(deadline.limit()).into());
        }
        Ok(())
    }

    fn refused(&self, error: EVMError<DB::Error, InvalidTransaction>, gas: u64) -> SimulateError {
        match error {
            EVMError::Transaction(invalid) => {
                let context = &self.run.vm.ctx;
                let reason = Unfit::explain(invalid, &context.tx, context.block.basefee);
                SimulateError::Refused { reason, gas }
            }
            other => fault(&other).into(),
        }
    }

    fn seal(self) -> (Overlay<DB>, Deadline, SimulatedBlock) {
        let Self { mut header, run, transactions, calls, .. } = self;
        let raw: Vec<Bytes> = transactions.iter().map(|it| it.encoded_2718().into()).collect();
        header.transactions_root = transactions_root(&raw);
        header.receipts_root = calculate_receipt_root(&run.receipts);
        header.logs_bloom = run.bloom;
        header.gas_used = run.gas_used();
        let hash = header.hash_slow();
        let block = SimulatedBlock { header, hash, transactions, senders: run.senders, calls };
        (run.vm.ctx.journaled_state.database, run.vm.inspector.1, block)
    }
}
