//! # quorate-model: the rules, in all states within bounds
//!
//! `consensus/PROTOCOL.md` says why two blocks are never decided at one height. Here a machine tries every order of
//! events to prove it wrong: [`Views`] within one height, [`Heights`] between heights. It models the rules as they are
//! written, and knows nothing of the code that follows them; that code is the simulator's matter.
//!
//! ## The liar and the network
//! Of four validators three are honest, and these have a state: what they signed, all of it on disk. There is no network.
//! What was signed may be read by anyone, now, later or never: that is loss, delay, reordering and duplication in one.
//! The fourth validator lies, and has no state either. All that it can sign is taken as signed: so two honest votes are a
//! certificate, and two honest wishes a justification, in which the liar's own wish carries whatever lock can be
//! certified and leaves out the honest wish that it likes least. It is also taken for the leader of every view, so there
//! are no proposals in the model: a block may be prevoted once a proposal of it can be justified. An honest leader
//! could only offer less.
//!
//! What is true of this liar is true of any. The same holds for timers, which may fire at any time; for blocks, of which two
//! are enough ([`Block`]); and for a validator that has decided, and goes on here.
//!
//! A restart brings back what is on disk, and all of a state is on disk: so it changes nothing, until a rule is left out.
//!
//! ## Symmetry and order
//! Since no rule knows the name of a validator or of a block, one state stands for the twelve that differ by these.
//! With [`Order::Any`] nothing else is assumed, and three views are within reach. More are with [`Order::Ascending`],
//! which looks at one order of views and forgets what lies behind ([`Views::close_below`] says why nothing is missed; for two
//! views a test compares all states that either order reaches, and for three views it was done once).
//!
//! ## Between heights
//! [`Heights`] leaves blocks and views out, and asks one thing: does a key ever sign at a height at which it signed before its
//! log was lost? This is where the commit that waits for the record before (R9), frames that stay (R20) and M + 3 (R21)
//! meet. One log is lost at a time, beside the liar.
//! The last [`Mutant`] shows that R21 does not cover more than that.
//!
//! ## What it does not show
//! Progress; other numbers of validators or weights; what a block holds and whether it is at hand; changes of the validator
//! set; faults of the code. States are told apart by 64 bits of hash: with twenty million of them the odds that some two
//! were taken for one are one in a hundred thousand.
//!
//! ## Figures
//! `model [--views N] [--order any|ascending] [--heights N] [--losses N]` on one core of a shared AMD EPYC, processor
//! time:
//!
//! | model | bounds | states | different | time | memory |
//! |---|---|---|---|---|---|
//! | one height | 2 views, any order | 19,366 | 5,771 | 0.01 s | 6 MB |
//! | one height | 3 views, any order | 11,700,233 | 3,319,073 | 5 s | 42 MB |
//! | one height | 6 views, ascending | 5,168,567 | 933,794 | 2.1 s | 23 MB |
//! | one height | 8 views, ascending | 129,825,699 | 19,633,307 | 69 s | 317 MB |
//! | several heights | 6 heights, 1 lost log | 909,546 | 154,552 | 0.2 s | 6 MB |
//! | several heights | 12 heights, 2 lost logs | 134,760,597 | 20,852,443 | 49 s | 336 MB |
//!
//! Everything that must hold does, and everything that must be possible is. With a rule left out ([`Mutant`]) the command
//! prints the run that breaks the others, and fails.
//!
//! ```
//! use quorate_model::{Mutant, Order, Views};
//!
//! let rules = Views { count: 2, order: Order::Any, mutant: None };
//! assert!(rules.check().holds());
//!
//! let report = Views { mutant: Some(Mutant::QuorumMinusOne), ..rules }.check();
//! let broken = report.broken().expect("two blocks are decided");
//! assert_eq!((broken.property, broken.path.len()), ("agreement", 4));
//! ```

mod check;
mod heights;
mod mutant;
mod statements;
mod views;

pub use check::{Must, Report, Search, Verdict, check};
pub use heights::{Chain, Event, Heights};
pub use mutant::Mutant;
pub use statements::{Block, Lock, MAX_VIEWS, Votes, Wishes};
pub use views::{Action, Order, Statements, Views};

/// Honest validators.
pub const HONEST: usize = 3;
/// Q of four: any two sets of so many share an honest member.
pub const QUORUM: usize = 3;

impl Views {
    /// Visits all states within the bounds, or, with a rule left out, looks for a fork.
    #[must_use]
    pub fn check(self) -> Report {
        let bounds = format!("views 0 to {}, {} order", self.count.saturating_sub(1), self.order);
        check("one height", bounds, self, Search::of(self.mutant), Statements::representative)
    }
}

impl Heights {
    /// Visits all states within the bounds, or, with a rule left out, looks for a key that signs twice.
    #[must_use]
    pub fn check(self) -> Report {
        let bounds = format!("heights 1 to {}, lost logs: {}", self.last, self.losses);
        check("several heights", bounds, self, Search::of(self.mutant), Chain::representative)
    }
}
