//! Blocks and calls on a chain in memory.

mod access_lists;
mod blocks;
mod calls;
mod chain;
mod changes;
mod checking;
mod consensus_contract;
mod forks;
mod oracle;
mod overrides;
mod simulated_calls;
mod simulated_chains;
mod trace_bounds;
mod traced;
mod traces;
