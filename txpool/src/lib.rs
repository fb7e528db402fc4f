//! # quorate-txpool: which transactions wait, and which go next
//!
//! The pool owns the transactions between their arrival and their block: it admits them, keeps
//! each sender's in nonce order, bounds what it holds, and chooses for a proposal. It never knows
//! clocks (time enters as `now_ms`), locks, threads, disks, peers, or how a transaction executes:
//! the node puts it behind a mutex and tells it what each block changed.
//!
//! ## From arrival to block
//! ```text
//! UnrecoveredTransaction --check--> (sender recovered elsewhere) --add--> one queue per sender
//!
//!   nonce of the account                       first gap, or first that the balance does not cover
//!        |---------------- executable ----------------|-------------- queued --------------|
//!        n           n+1          n+2       n+3          n+5        n+6
//!
//! best / select -> a proposal;  has_work -> is there a reason for a block at all
//! on_committed  -> included ones leave, the rest moves up;  expire -> what never could move
//! ```
//! *Executable* means: by the chain's rules alone this transaction can follow the head, once those
//! before it in its sender's queue have. A transaction whose fee cap is below the base fee keeps
//! its place, and is not *ready*. No setting of one node decides what is work (consensus/PROTOCOL.md,
//! R14).
//!
//! ## When the pool is full
//! The newcomer is put in, then transactions leave from the tails of queues until the bounds hold:
//! 1. behind a gap: from the sender that has most of them;
//! 2. below the base fee: the lowest fee cap first;
//! 3. from the sender furthest above [`FAIR_SHARE`], then the lowest tip, then the youngest.
//!
//! If that picks the newcomer, all is put back and it is refused. So a flood of one sender displaces
//! the flood itself, never another's first [`FAIR_SHARE`] unless it pays more, and nothing that is
//! gapped displaces anything that can execute.
//!
//! ```
//! use quorate_txpool::{NextBlock, Pool, PoolConfig};
//! use quorate_types::{ChainConfig, Height};
//! let next = NextBlock { height: Height(1), base_fee: 0 };
//! let pool = Pool::new(PoolConfig::default(), ChainConfig::new(20_200), next);
//! assert!(!pool.has_work());
//! assert_eq!(pool.best(0).count(), 0);
//! ```

mod admission;
mod best;
mod config;
mod error;
mod pool;
mod queue;
mod ranks;
mod rules;
mod view;

#[cfg(test)]
mod tests;

pub use admission::Added;
pub use best::{Best, BestTransactions};
pub use config::{FAIR_SHARE, NextBlock, PoolConfig};
pub use error::PoolError;
pub use pool::{Departed, Pool};
pub use view::{Content, PoolStatus};
