//! Blocks and calls on a chain in memory.

mod blocks;
mod calls;
mod chain;
mod changes;
mod checking;
mod forks;
mod oracle;
