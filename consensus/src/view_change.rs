//! Timers, wishes for another view, and the jump that keeps validators together.

use quorate_types::{SignedViewChange, View, ViewChange};

use crate::{
    Effect, Evidence, Fact, Replica, Timer, Unsigned, ViewChangeReason, VoteBatch,
    config::HOLD_BACK_BASES,
    mutant::Mutant,
    undecided::{BlockState, ViewTimer},
};

impl Replica {
    /// Moves to `view`, which somebody justified: its timer starts at once.
    pub(crate) fn enter_view(&mut self, view: View, reason: ViewChangeReason) {
        self.leave_view(view, reason);
        self.arm_view_timer();
    }

    /// The only way from one view to another: upwards (R12).
    fn leave_view(&mut self, view: View, reason: ViewChangeReason) {
        debug_assert!(view > self.now.view, "the view never goes down");
        self.note(Fact::ViewChanged { to: view, reason });
        self.note_failed_turn(reason);
        self.emit(Effect::CancelTimer(Timer::View(self.now.height, self.now.view)));
        self.now.view = view;
        self.now.timer = ViewTimer::default();
    }

    /// Starts the view timer when its condition holds and it does not run. View 0: there is work (R14), else the
    /// chain would churn while idle, and the interval is over (R1). Above: a quorum is in this view or a higher one (R15), so that views do not run away
    /// while the cluster is down; or its leader's justified proposal arrived, which proves the same.
    pub(crate) fn arm_view_timer(&mut self) {
        let (height, view) = (self.now.height, self.now.view);
        let proposed = self.now.proposals.contains_key(&view);
        let due = if view == View::ZERO {
            let others = (self.is_block_due() && self.may_follow_parent()) || proposed;
            if self.config.breaks(Mutant::OwnWorkOnly) { self.work } else { others }
        } else if self.config.breaks(Mutant::ViewsRunAway) {
            true
        } else {
            // Votes count beside wishes: who came here by a proposal and lost it in a restart has no wish to show.
            proposed || self.now.weight_reaching(view) >= self.now.validators.quorum()
        };
        if !due && view == View::ZERO && self.now.timer.armed {
            self.now.timer = ViewTimer::default();
            self.emit(Effect::CancelTimer(Timer::View(height, view)));
            self.emit(Effect::CancelTimer(Timer::HalfView(height)));
        }
        if !due || self.now.timer.armed || self.now.decided.is_some() || !self.may_sign() {
            return;
        }
        self.now.timer.armed = true;
        self.emit(Effect::SetTimer(Timer::View(height, view), self.config.view_timeout(view)));
        if view == View::ZERO {
            self.emit(Effect::SetTimer(Timer::HalfView(height), self.config.base_timeout / 2));
        }
        self.pass_over_leader();
    }

    /// The timer of `view` fired. While the valid proposal of the view is being executed it is held back (R16).
    pub(crate) fn on_view_timeout(&mut self, view: View) {
        if view != self.now.view || !self.now.timer.armed || self.now.decided.is_some() {
            return;
        }
        let executing = self.now.proposals.get(&view).is_some_and(|proposal| {
            let state = self.now.blocks.get(&proposal.propose.statement.block_hash);
            matches!(state, Some(BlockState::Checking { executing: true, .. }))
        });
        let may_be_held = !self.config.breaks(Mutant::NeverHoldsBack);
        let within_bounds =
            self.now.timer.held_back < HOLD_BACK_BASES || self.config.breaks(Mutant::HoldsBackForEver);
        let held_back = within_bounds && may_be_held;
        if executing && held_back {
            self.now.timer.held_back += 1;
            self.note(Fact::HeldBack);
            self.emit(Effect::SetTimer(Timer::View(self.now.height, view), self.config.base_timeout));
            return;
        }
        self.change_view(view.next(), ViewChangeReason::Timeout);
    }

    /// Timeout (R11, R12): from here on no vote in a view below `view`, and the wish carries the lock.
    pub(crate) fn change_view(&mut self, view: View, reason: ViewChangeReason) {
        if !self.may_sign() {
            // Both come up again once it may.
            self.now.timer.armed = false;
            return;
        }
        self.leave_view(view, reason);
        let prepared = self.now.lock().filter(|_| !self.config.breaks(Mutant::WishesWithoutLock));
        let certificate = self
            .now
            .prepared
            .as_ref()
            .filter(|_| prepared.is_some())
            .map(|(certificate, _)| certificate.clone());
        self.now.own.changed.insert(view, prepared);
        let change = ViewChange { height: self.now.height, view, prepared };
        let prepared = self.now.unlogged_lock();
        self.emit(Effect::Vote(VoteBatch {
            height: self.now.height,
            statements: vec![Unsigned::ViewChange { change, certificate }],
            prepared,
        }));
        // A transaction known to this node alone must still get into a block (faults.md, lone-transaction).
        self.share_work();
    }

    /// One wish is kept for each validator, the highest (R13).
    pub(crate) fn on_view_change(&mut self, mut change: SignedViewChange) -> bool {
        let signer = change.signed.signer;
        if let Some(known) = self.now.view_changes.get(&signer) {
            let (known, new) = (known.signed, change.signed);
            if new.statement.view == known.statement.view && new.statement != known.statement {
                self.report(Evidence::ViewChanges(known, new));
            }
            if new.statement.view <= known.statement.view || self.config.breaks(Mutant::KeepsFirstWish) {
                return false;
            }
        }
        let certificate = change.certificate.clone();
        if self.config.breaks(Mutant::DropsAttachment) {
            change.certificate = None;
        }
        // Before the lock is looked at: its signer has the block on disk, should that be missing here.
        self.now.view_changes.insert(signer, change);
        self.learn_lock(certificate);
        self.heed_wishes();
        true
    }

    /// This node may sign again, perhaps: what came meanwhile led nowhere (R13, R14).
    pub(crate) fn heed_earlier_wishes(&mut self) {
        if !self.config.breaks(Mutant::ForgetsWishes) {
            self.heed_wishes();
        }
    }

    /// Goes where the wishes lead, and starts the timer when its time has come.
    fn heed_wishes(&mut self) {
        self.jump();
        self.arm_view_timer();
    }

    /// Jump (R13): to the highest view that validators with an honest one among them wish for or beyond. One liar
    /// moves nobody (faults.md, liar-high-view).
    fn jump(&mut self) {
        let wished = self.now.view_changes.values().map(|change| change.signed.statement.view);
        let above = wished.filter(|view| *view > self.now.view);
        let mut honest = self.now.validators.honest();
        if self.config.breaks(Mutant::JumpsToHighest) {
            honest = 1;
        } else if self.config.breaks(Mutant::CountsDuplicates) {
            honest = honest.div_ceil(2);
        }
        let target: Option<View> = above.filter(|view| self.now.weight_changing_to(*view) >= honest).max();
        if let Some(view) = target {
            self.change_view(view, ViewChangeReason::Jump);
        }
    }
}
