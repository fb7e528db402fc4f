//! Tracers by name, and what watches them.

use alloy_rpc_types_trace::geth::{
    GethDebugBuiltInTracerType as BuiltIn, GethDebugTracerConfig, GethDebugTracerType,
    GethDebugTracingOptions, GethTrace, PreStateConfig, PreStateFrame,
};
use revm::{DatabaseRef, context_interface::result::ResultAndState};
use revm_inspectors::tracing::{DebugInspector, DebugInspectorError, MuxError, TransactionContext};

use super::{
    TraceError, TraceLimits,
    budget::{Budget, Recorded, Steps},
    duration,
};
use crate::{Fault, deadline::Deadline, executor::Vm};

/// The tracer of a request, the bound on what it gives, and the time it has.
pub(super) type Watched = ((DebugInspector, Budget), Deadline);

/// # Errors
/// When there is no such tracer, or it has no such settings.
pub(super) fn watched(options: &GethDebugTracingOptions, limits: TraceLimits) -> Result<Watched, TraceError> {
    let asked = options.timeout.as_deref().map(duration::parse).transpose().map_err(TraceError::Config)?;
    let time = asked.unwrap_or(limits.time).min(limits.time);
    let budget = Budget::new(recorded(options)?, limits.bytes);
    let tracer = DebugInspector::new(options.clone()).map_err(refused)?;
    Ok(((tracer, budget), Deadline::after(time)))
}

fn refused(error: DebugInspectorError) -> TraceError {
    match error {
        DebugInspectorError::UnsupportedTracer
        | DebugInspectorError::JsTracerNotEnabled
        | DebugInspectorError::MuxInspector(MuxError::UnsupportedTracerType(_)) => TraceError::TracerNotFound,
        other => TraceError::Config(other.to_string()),
    }
}

/// What the request's tracers write down.
fn recorded(options: &GethDebugTracingOptions) -> Result<Recorded, TraceError> {
    let mut recorded = Recorded::default();
    match &options.tracer {
        None => recorded.steps = Some(steps(options)),
        // As an absent one: the struct logger.
        Some(GethDebugTracerType::JsTracer(name)) if name.is_empty() => recorded.steps = Some(steps(options)),
        Some(GethDebugTracerType::BuiltInTracer(BuiltIn::MuxTracer)) => {
            let tracers = options.tracer_config.clone().into_mux_config();
            for (tracer, config) in tracers.map_err(|_| invalid_config())?.0 {
                recorded.add(&tracer, config.unwrap_or_default())?;
            }
        }
        Some(tracer) => recorded.add(tracer, options.tracer_config.clone())?,
    }
    Ok(recorded)
}

fn steps(options: &GethDebugTracingOptions) -> Steps {
    let config = &options.config;
    Steps {
        stack: config.is_stack_enabled(),
        memory: config.is_memory_enabled(),
        storage: config.is_storage_enabled(),
        return_data: config.is_return_data_enabled(),
        limit: config.limit.filter(|limit| *limit > 0).unwrap_or(u64::MAX),
    }
}

fn invalid_config() -> TraceError {
    TraceError::Config("invalid tracer config".to_owned())
}

impl Recorded {
    fn add(&mut self, tracer: &GethDebugTracerType, config: GethDebugTracerConfig) -> Result<(), TraceError> {
        let GethDebugTracerType::BuiltInTracer(tracer) = tracer else {
            return Err(TraceError::TracerNotFound);
        };
        match tracer {
            BuiltIn::CallTracer => {
                let config = config.into_call_config().map_err(|_| invalid_config())?;
                self.frames += 1;
                self.logs += u64::from(config.with_log == Some(true));
            }
            BuiltIn::FlatCallTracer => self.frames += 1,
            BuiltIn::PreStateTracer => {
                let config: PreStateConfig = config.into_pre_state_config().map_err(|_| invalid_config())?;
                let states = if config.is_diff_mode() { 2 } else { 1 };
                self.accounts += states;
                self.codes += if config.code_enabled() { states } else { 0 };
                self.slots += if config.storage_enabled() { states } else { 0 };
            }
            BuiltIn::FourByteTracer => self.selectors += 1,
            BuiltIn::NoopTracer | BuiltIn::StateGasTracer => {}
            // A tracer inside of itself has no place in the answer; the other records every step beside its frames.
            BuiltIn::MuxTracer | BuiltIn::Erc7562Tracer => return Err(TraceError::TracerNotFound),
        }
        Ok(())
    }
}

/// Whether the run so far kept within its bounds; else it was ended, and there is no trace.
pub(super) fn check_bounds(((_, budget), deadline): &Watched) -> Result<(), TraceError> {
    if budget.is_spent() {
        return Err(TraceError::TooLarge);
    }
    if deadline.has_passed() { Err(TraceError::Timeout(deadline.limit())) } else { Ok(()) }
}

/// Forgets the transaction before; what it took of the bounds stays taken.
pub(super) fn begin_transaction(((tracer, budget), _): &mut Watched) -> Result<(), TraceError> {
    budget.begin_transaction();
    tracer.fuse().map_err(refused)
}

/// The trace of the transaction or call that ended so and was not kept: the state of `vm` must be the one before.
pub(super) fn result<DB: DatabaseRef>(
    vm: &mut Vm<DB, Watched>,
    transaction: Option<TransactionContext>,
    ended: &ResultAndState,
) -> Result<GethTrace, TraceError> {
    let context = &mut vm.ctx;
    let ((tracer, budget), _) = &mut vm.inspector;
    let db = &mut context.journaled_state.database;
    budget.count_accounts(&ended.state, db).map_err(Fault::state)?;
    if budget.is_spent() {
        return Err(TraceError::TooLarge);
    }
    let trace = tracer.get_result(transaction, &context.tx, &context.block, ended, db);
    let mut trace = trace.map_err(|error| Fault::new("a trace cannot be put together", error.to_string()))?;
    drop_empty(&mut trace, db).map_err(Fault::state)?;
    Ok(trace)
}

/// Takes accounts that were empty out of the state before, as geth does whatever happened to them then; revm-inspectors
/// keeps those that were only funded.
fn drop_empty<DB: DatabaseRef>(trace: &mut GethTrace, db: &DB) -> Result<(), DB::Error> {
    match trace {
        GethTrace::PreStateTracer(PreStateFrame::Diff(diff)) => {
            for address in diff.pre.keys().copied().collect::<Vec<_>>() {
                if db.basic_ref(address)?.is_none_or(|account| account.is_empty()) {
                    diff.pre.remove(&address);
                }
            }
        }
        GethTrace::MuxTracer(frame) => frame.0.values_mut().try_for_each(|it| drop_empty(it, db))?,
        _ => {}
    }
    Ok(())
}
