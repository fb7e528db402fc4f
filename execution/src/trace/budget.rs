//! The bound on what a trace gives: counted while it is recorded, so that none has to be built to be found too large.

use revm::{
    DatabaseRef, Inspector,
    bytecode::opcode,
    context_interface::{ContextTr, JournalTr, context::ContextError},
    inspector::JournalExt,
    interpreter::{
        CallInputs, CallOutcome, CreateInputs, CreateOutcome, Interpreter,
        interpreter::EthInterpreter,
        interpreter_types::{InputsTr, Jumps, MemoryTr, ReturnData},
    },
    primitives::{Address, KECCAK_EMPTY, Log},
    state::EvmState,
};

/// A step without stack, memory and storage: the larger of its record and its JSON.
const STEP_BYTES: u64 = 256;
/// A word in JSON: digits, prefix, quotes and comma.
const WORD_BYTES: u64 = 69;
/// A slot with its value in JSON.
const SLOT_BYTES: u64 = 140;
/// A call without its data.
const FRAME_BYTES: u64 = 1024;
/// A log without its data: an address, topics, positions.
const LOG_BYTES: u64 = 512;
/// A selector with a count.
const SELECTOR_BYTES: u64 = 32;
/// An account without code and storage.
const ACCOUNT_BYTES: u64 = 256;

/// What is recorded of each step.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Steps {
    pub(super) stack: bool,
    pub(super) memory: bool,
    pub(super) storage: bool,
    pub(super) return_data: bool,
    /// The most steps in one trace.
    pub(super) limit: u64,
}

/// What the tracers record: how many of them record a thing, since each writes it down.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Recorded {
    pub(super) steps: Option<Steps>,
    pub(super) frames: u64,
    pub(super) selectors: u64,
    pub(super) logs: u64,
    pub(super) accounts: u64,
    pub(super) codes: u64,
    pub(super) slots: u64,
}

/// An inspector that halts every frame once more was recorded than the trace may be long.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    recorded: Recorded,
    bytes_left: u64,
    steps_left: u64,
    spent: bool,
}

impl Budget {
    pub(super) fn new(recorded: Recorded, bytes: u64) -> Self {
        let mut budget = Self { recorded, bytes_left: bytes, steps_left: 0, spent: false };
        budget.begin_transaction();
        budget
    }

    /// The next transaction of a block has as many steps again, but only the bytes that are left.
    pub(super) fn begin_transaction(&mut self) {
        self.steps_left = self.recorded.steps.map_or(0, |steps| steps.limit);
    }

    /// Whether the trace is too long, so that none may be built.
    pub(super) const fn is_spent(&self) -> bool {
        self.spent
    }

    /// Counts the accounts that a transaction touched, which are written down once it has ended. `db` is the state before.
    pub(super) fn count_accounts<DB: DatabaseRef>(
        &mut self,
        state: &EvmState,
        db: &DB,
    ) -> Result<(), DB::Error> {
        let Recorded { accounts, codes, slots, .. } = self.recorded;
        if accounts == 0 {
            return Ok(());
        }
        for (address, account) in state {
            self.take(accounts * ACCOUNT_BYTES + slots * SLOT_BYTES * account.storage.len() as u64);
            if codes > 0 {
                let before = code_length(db, *address)?;
                let after = account.info.code.as_ref().map_or(0, |code| code.len() as u64);
                self.take(codes * 2 * before.max(after));
            }
        }
        Ok(())
    }

    const fn take(&mut self, bytes: u64) {
        match self.bytes_left.checked_sub(bytes) {
            Some(left) => self.bytes_left = left,
            None => self.spent = true,
        }
    }

    const fn take_frame(&mut self, input_bytes: usize) {
        let Recorded { frames, selectors, .. } = self.recorded;
        self.take(frames * (FRAME_BYTES + 2 * input_bytes as u64) + selectors * SELECTOR_BYTES);
    }

    const fn take_output(&mut self, output_bytes: usize) {
        self.take(self.recorded.frames * 2 * output_bytes as u64);
    }

    fn take_step<CTX: ContextTr<Journal: JournalExt>>(
        &mut self,
        interpreter: &Interpreter<EthInterpreter>,
        context: &CTX,
    ) {
        let Some(steps) = self.recorded.steps.filter(|_| self.steps_left > 0) else {
            return;
        };
        self.steps_left -= 1;
        let mut bytes = STEP_BYTES;
        if steps.stack {
            bytes += WORD_BYTES * interpreter.stack.len() as u64;
        }
        if steps.memory {
            bytes += WORD_BYTES * interpreter.memory.size().div_ceil(32) as u64;
        }
        if steps.return_data {
            bytes += 2 * interpreter.return_data.buffer().len() as u64;
        }
        // Each of these steps shows all slots of the contract that were touched until then.
        if steps.storage && matches!(interpreter.bytecode.opcode(), opcode::SLOAD | opcode::SSTORE) {
            let contract = context.journal_ref().evm_state().get(&interpreter.input.target_address());
            bytes += SLOT_BYTES * (1 + contract.map_or(0, |account| account.storage.len() as u64));
        }
        self.take(bytes);
    }
}

fn code_length<DB: DatabaseRef>(db: &DB, address: Address) -> Result<u64, DB::Error> {
    let code_hash = db.basic_ref(address)?.map_or(KECCAK_EMPTY, |account| account.code_hash);
    if code_hash == KECCAK_EMPTY {
        return Ok(0);
    }
    Ok(db.code_by_hash_ref(code_hash)?.len() as u64)
}

impl<CTX: ContextTr<Journal: JournalExt>> Inspector<CTX, EthInterpreter> for Budget {
    fn step(&mut self, interpreter: &mut Interpreter<EthInterpreter>, context: &mut CTX) {
        self.take_step(interpreter, context);
        if self.spent {
            // The error ends the whole run; the halt ends this frame, which then finds the error.
            *context.error() = Err(ContextError::Custom("the trace is too large".to_owned()));
            interpreter.halt_fatal();
        }
    }

    fn log(&mut self, _context: &mut CTX, log: Log) {
        self.take(self.recorded.logs * (LOG_BYTES + 2 * log.data.data.len() as u64));
    }

    fn call(&mut self, _context: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        self.take_frame(inputs.input.len());
        None
    }

    fn call_end(&mut self, _context: &mut CTX, _inputs: &CallInputs, outcome: &mut CallOutcome) {
        self.take_output(outcome.result.output.len());
    }

    fn create(&mut self, _context: &mut CTX, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        self.take_frame(inputs.init_code().len());
        None
    }

    fn create_end(&mut self, _context: &mut CTX, _inputs: &CreateInputs, outcome: &mut CreateOutcome) {
        self.take_output(outcome.result.output.len());
    }
}
