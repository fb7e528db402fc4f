//! # State tests: Ethereum's published cases, run by what runs this chain's blocks
//!
//! A case is a state, a block's surroundings and one transaction; what it expects is the root of the state after it, and the
//! hash of its logs. `fixture` is the format of the files
//! ([GeneralStateTests](https://ethereum-tests.readthedocs.io/en/latest/test_types/gstate_tests.html)), `case` runs them:
//! ```text
//! file -> Suite -> Case -> Executor::run_alone -> StateChanges -> TrieUpdate: the root -> Verdict
//! ```
//! The chain has three forks, so the cases of the others are counted and left out.

mod case;
mod fixture;

pub use case::{Case, Verdict};
pub use fixture::Suite;
