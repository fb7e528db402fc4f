//! What validators sign, as small numbers: a state is hashed and compared millions of times a second.

use std::fmt;

/// Views that fit the packed forms below.
pub const MAX_VIEWS: u8 = 8;

/// Two blocks are enough. No rule looks into a block, and none asks that two blocks differ: renaming one that was
/// decided to `A` and all others to `B` turns each run with more blocks into a run with two, and keeps the fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Block {
    /// One block.
    A,
    /// The other.
    B,
}

impl Block {
    /// Both.
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    /// The other block.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// The highest prepare certificate that a validator holds with its block, or none: 0, or 1 + 2 * view + block. The
/// order of these numbers is that of the locks.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lock(u8);

impl Lock {
    /// No lock.
    pub const NONE: Self = Self(0);

    /// The lock on `block` of `view`.
    #[must_use]
    pub const fn new(view: u8, block: Block) -> Self {
        Self(1 + 2 * view + block as u8)
    }

    /// Its view and block.
    #[must_use]
    pub const fn get(self) -> Option<(u8, Block)> {
        match self.0 {
            0 => None,
            code if code % 2 == 1 => Some(((code - 1) / 2, Block::A)),
            code => Some(((code - 1) / 2, Block::B)),
        }
    }

    /// Whether it is of a view below `view`, as a wish for that view demands.
    #[must_use]
    pub fn is_below(self, view: u8) -> bool {
        self.get().is_none_or(|(of, _)| of < view)
    }

    /// With the two blocks exchanged.
    #[must_use]
    pub const fn swapped(self) -> Self {
        match self.get() {
            None => self,
            Some((view, block)) => Self::new(view, block.other()),
        }
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            None => f.write_str("no lock"),
            Some((view, block)) => write!(f, "lock {block:?} of view {view}"),
        }
    }
}

/// The votes of one kind that one validator signed: a bit for each view and block, so that voting twice can be said.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Votes(u16);

impl Votes {
    const OF_A: u16 = 0x5555;

    /// Adds one.
    #[must_use]
    pub const fn with(self, view: u8, block: Block) -> Self {
        Self(self.0 | 1 << (2 * view + block as u8))
    }

    /// Whether it voted for `block` in `view`.
    #[must_use]
    pub const fn contains(self, view: u8, block: Block) -> bool {
        self.0 & 1 << (2 * view + block as u8) != 0
    }

    /// Whether it voted in `view`.
    #[must_use]
    pub const fn any(self, view: u8) -> bool {
        self.0 & 0b11 << (2 * view) != 0
    }

    /// The highest view that it voted in; 0 without any.
    #[must_use]
    pub const fn highest(self) -> u8 {
        match self.0.checked_ilog2() {
            None => 0,
            Some(bit) => (bit / 2).to_le_bytes()[0],
        }
    }

    /// Those in `view` and above, and all of `others` below.
    #[must_use]
    pub const fn with_below(self, view: u8, others: Self) -> Self {
        let below = (1 << (2 * view)) - 1;
        Self(self.0 & !below | others.0 & below)
    }

    /// Whether some view has votes for both blocks.
    #[must_use]
    pub const fn contradict(self) -> bool {
        self.0 & self.0 >> 1 & Self::OF_A != 0
    }

    /// With the two blocks exchanged.
    #[must_use]
    pub const fn swapped(self) -> Self {
        Self((self.0 & Self::OF_A) << 1 | self.0 >> 1 & Self::OF_A)
    }
}

impl fmt::Debug for Votes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = (0..MAX_VIEWS).flat_map(|view| Block::ALL.map(|block| (view, block)));
        f.debug_list().entries(all.filter(|(view, block)| self.contains(*view, *block))).finish()
    }
}

/// The wishes that one validator signed: for each view four bits, 0 or 1 + the lock that the wish carries.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wishes(u32);

impl Wishes {
    /// Adds the wish for `view`, the first for it.
    #[must_use]
    pub const fn with(self, view: u8, lock: Lock) -> Self {
        Self(self.0 | (1 + lock.0 as u32) << (4 * view))
    }

    /// The lock that the wish for `view` carries, if there is such a wish.
    #[must_use]
    pub const fn get(self, view: u8) -> Option<Lock> {
        match (self.0 >> (4 * view)).to_le_bytes()[0] & 0xf {
            0 => None,
            code => Some(Lock(code - 1)),
        }
    }

    /// Those for `view` and above.
    #[must_use]
    pub const fn since(self, view: u8) -> Self {
        Self(self.0 >> (4 * view) << (4 * view))
    }

    /// The highest view wished for; 0 without any.
    #[must_use]
    pub const fn highest(self) -> u8 {
        match self.0.checked_ilog2() {
            None => 0,
            Some(bit) => (bit / 4).to_le_bytes()[0],
        }
    }

    /// With the two blocks exchanged: the last of the four bits, where the wish carries a lock.
    #[must_use]
    pub const fn swapped(self) -> Self {
        let locks = (self.0 >> 1 | self.0 >> 2 | self.0 >> 3) & 0x1111_1111;
        Self(self.0 ^ locks)
    }
}

impl fmt::Debug for Wishes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries((1..MAX_VIEWS).filter_map(|view| Some((view, self.get(view)?)))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_again() {
        let lock = Lock::new(2, Block::A);
        let wishes = Wishes::default().with(1, Lock::NONE).with(3, lock);
        assert_eq!((wishes.get(1), wishes.get(2), wishes.get(3)), (Some(Lock::NONE), None, Some(lock)));
        assert_eq!((wishes.highest(), Wishes::default().highest()), (3, 0));
        assert_eq!((wishes.since(2).get(1), wishes.since(2).get(3)), (None, Some(lock)));
        let votes = Votes::default().with(0, Block::A).with(5, Block::B);
        assert_eq!((votes.highest(), Votes::default().highest()), (5, 0));
        assert!(votes.any(5) && !votes.any(4) && !votes.contradict() && votes.with(5, Block::A).contradict());
        assert_eq!(votes.with_below(5, Votes::default()), Votes::default().with(5, Block::B));
    }

    #[test]
    fn blocks_are_exchanged_and_views_stay() {
        let highest = Lock::new(MAX_VIEWS - 2, Block::B);
        let wishes = Wishes::default().with(1, Lock::NONE).with(MAX_VIEWS - 1, highest);
        let swapped = Wishes::default().with(1, Lock::NONE).with(MAX_VIEWS - 1, highest.swapped());
        assert_eq!((wishes.swapped(), wishes.swapped().swapped()), (swapped, wishes));
        assert_eq!(highest.swapped().get(), Some((MAX_VIEWS - 2, Block::A)));
        let votes = Votes::default().with(0, Block::A).with(7, Block::B);
        assert_eq!(votes.swapped(), Votes::default().with(0, Block::B).with(7, Block::A));
    }

    #[test]
    fn a_lock_of_a_later_view_is_higher() {
        assert!(Lock::NONE < Lock::new(0, Block::A) && Lock::new(0, Block::B) < Lock::new(1, Block::A));
        assert!(
            Lock::NONE.is_below(0)
                && Lock::new(0, Block::B).is_below(1)
                && !Lock::new(1, Block::A).is_below(1)
        );
    }
}
