//! Ending a call that runs too long.

use std::time::{Duration, Instant};

use revm::{
    Inspector,
    context_interface::{ContextTr, context::ContextError},
    interpreter::{
        CallInputs, CallOutcome, CreateInputs, CreateOutcome, Interpreter, interpreter::EthInterpreter,
    },
};

/// How many instructions run between two looks at the clock: a look costs about as much as ten
/// instructions, and this many never take longer than some milliseconds.
const STEPS_BETWEEN_LOOKS: u32 = 512;

/// An inspector that halts every frame once the time is up. It looks at the clock at each call as
/// well, because a precompiled contract is one instruction and may take long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    at: Instant,
    limit: Duration,
    steps: u32,
    passed: bool,
}

impl Deadline {
    pub(crate) fn after(limit: Duration) -> Self {
        Self { at: Instant::now() + limit, limit, steps: 0, passed: false }
    }

    /// Whether it ended a run.
    pub(crate) const fn has_passed(&self) -> bool {
        self.passed
    }

    /// The time there was at first.
    pub(crate) const fn limit(&self) -> Duration {
        self.limit
    }

    /// Looks at the clock.
    pub(crate) fn look(&mut self) {
        self.passed = self.passed || Instant::now() >= self.at;
    }
}

impl<CTX: ContextTr> Inspector<CTX, EthInterpreter> for Deadline {
    fn step(&mut self, interpreter: &mut Interpreter<EthInterpreter>, context: &mut CTX) {
        self.steps = self.steps.wrapping_add(1);
        if self.steps.is_multiple_of(STEPS_BETWEEN_LOOKS) {
            self.look();
        }
        if self.passed {
            // The error ends the whole run; the halt ends this frame, which then finds the error.
            *context.error() = Err(ContextError::Custom("the time is up".to_owned()));
            interpreter.halt_fatal();
        }
    }

    fn call(&mut self, _context: &mut CTX, _inputs: &mut CallInputs) -> Option<CallOutcome> {
        self.look();
        None
    }

    fn create(&mut self, _context: &mut CTX, _inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        self.look();
        None
    }
}
