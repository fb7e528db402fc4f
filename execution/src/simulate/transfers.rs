//! Moved ether as logs of a token.
//!
//! revm-inspectors has an inspector for this, which writes such logs among the real ones. There they would be part of receipts and
//! bloom, those of calls that revert would stay, and contracts that destroy themselves would leave none. Here a transfer only
//! remembers how many real logs were before it.

use quorate_types::{Address, B256, Log, U256};
use revm::{
    Inspector,
    context_interface::{ContextTr, JournalTr},
    interpreter::{
        CallInputs, CallOutcome, CallScheme, CreateInputs, CreateOutcome, interpreter::EthInterpreter,
    },
};
use revm_inspectors::transfer::{TRANSFER_EVENT_TOPIC, TRANSFER_LOG_EMITTER};

/// An inspector that collects what moves ether in one transaction.
#[derive(Clone, Debug)]
pub(super) struct Transfers {
    wanted: bool,
    made: Vec<Transfer>,
    /// How many were made before each open frame: what a frame that fails goes back to.
    frames: Vec<usize>,
    /// Of a contract that destroyed itself, which is the last that its frame does.
    destroyed: Option<Moved>,
}

#[derive(Clone, Copy, Debug)]
struct Moved {
    from: Address,
    to: Address,
    value: U256,
}

#[derive(Clone, Copy, Debug)]
struct Transfer {
    /// How many logs the transaction had before it.
    logs_before: usize,
    moved: Moved,
}

impl Transfers {
    /// None are collected when they are not `wanted`.
    pub(super) const fn new(wanted: bool) -> Self {
        Self { wanted, made: Vec::new(), frames: Vec::new(), destroyed: None }
    }

    /// Forgets the transaction before.
    pub(super) fn begin(&mut self) {
        *self = Self::new(self.wanted);
    }

    /// The logs of a transaction with the transfers where they happened.
    pub(super) fn among(&mut self, logs: Vec<Log>) -> Vec<Log> {
        let mut merged = Vec::with_capacity(logs.len() + self.made.len());
        let (mut logs, mut taken) = (logs.into_iter(), 0);
        for transfer in self.made.drain(..) {
            merged.extend(logs.by_ref().take(transfer.logs_before - taken));
            taken = transfer.logs_before;
            merged.push(transfer.moved.log());
        }
        merged.extend(logs);
        merged
    }

    fn enter(&mut self, context: &impl ContextTr, moved: Option<Moved>) {
        self.frames.push(self.made.len());
        self.record(context, moved);
    }

    fn leave(&mut self, context: &impl ContextTr, succeeded: bool) {
        let before = self.frames.pop().unwrap_or_default();
        let destroyed = self.destroyed.take();
        if succeeded {
            self.record(context, destroyed);
        } else {
            self.made.truncate(before);
        }
    }

    fn record(&mut self, context: &impl ContextTr, moved: Option<Moved>) {
        if let Some(moved) = moved.filter(|moved| self.wanted && !moved.value.is_zero()) {
            self.made.push(Transfer { logs_before: context.journal().logs().len(), moved });
        }
    }
}

impl Moved {
    fn log(self) -> Log {
        let topics = vec![TRANSFER_EVENT_TOPIC, self.from.into_word(), self.to.into_word()];
        Log::new_unchecked(TRANSFER_LOG_EMITTER, topics, B256::from(self.value).into())
    }
}

impl<CTX: ContextTr> Inspector<CTX, EthInterpreter> for Transfers {
    fn call(&mut self, context: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        // CALLCODE moves ether from an account to itself.
        let value = inputs.transfer_value().filter(|_| inputs.scheme != CallScheme::CallCode);
        let (from, to) = (inputs.transfer_from(), inputs.transfer_to());
        self.enter(context, value.map(|value| Moved { from, to, value }));
        None
    }

    fn call_end(&mut self, context: &mut CTX, _inputs: &CallInputs, outcome: &mut CallOutcome) {
        self.leave(context, outcome.result.is_ok());
    }

    fn create(&mut self, context: &mut CTX, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        // The creator is loaded and warm; without its nonce the address cannot be told, and the run fails by itself.
        let nonce = context.journal_mut().load_account(inputs.caller()).ok().map(|it| it.data.info.nonce);
        let moved = nonce.map(|nonce| Moved {
            from: inputs.caller(),
            to: inputs.created_address(nonce),
            value: inputs.value(),
        });
        self.enter(context, moved);
        None
    }

    fn create_end(&mut self, context: &mut CTX, _inputs: &CreateInputs, outcome: &mut CreateOutcome) {
        self.leave(context, outcome.result.is_ok());
    }

    fn selfdestruct(&mut self, contract: Address, target: Address, value: U256) {
        self.destroyed = Some(Moved { from: contract, to: target, value });
    }
}
