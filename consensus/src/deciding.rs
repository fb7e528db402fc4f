//! Decisions, and the way from one height to the next.

use quorate_types::{CommitCertificate, Decided};

use crate::{
    BlockSource, Candidate, Effect, Fact, Head, Replica, Timer,
    undecided::{BlockState, Undecided},
};

impl Replica {
    pub(crate) fn on_decided(&mut self, decided: Decided) -> bool {
        let Decided { certificate, block } = decided;
        if let Some(block) = block {
            self.check_block(certificate.block_hash(), BlockSource::Block(block), false);
        }
        self.now.decided.get_or_insert(certificate);
        // Whoever else is behind says so itself, and is helped by its neighbours.
        false
    }

    /// Decide (R10): a quorum of commits for one (height, view, hash), whatever the view.
    pub(crate) fn try_decide(&mut self) {
        let Some(certificate) = self.now.decided.clone() else { return };
        let block_hash = certificate.block_hash();
        match self.now.blocks.get(&block_hash) {
            Some(BlockState::Valid(candidate)) => {
                let candidate = candidate.clone();
                self.decide(candidate, certificate);
            }
            Some(&BlockState::Invalid { reason, roots }) => self.diverge(certificate, reason, roots),
            // Also when it is under check: it may wait for the clock, which nobody asks about what is decided.
            Some(BlockState::Checking { .. }) | None => self.fetch_from_signers(&certificate),
        }
    }

    fn decide(&mut self, candidate: Candidate, certificate: CommitCertificate) {
        // The timer stops before the write: a decision is not to be doubted while the disk is slow
        // (faults.md, timeout-during-commit).
        self.stop_timers();
        self.note(Fact::Decided { view: certificate.view(), block_hash: certificate.block_hash() });
        self.note_decided_in(certificate.view());
        let head = Head {
            height: self.now.height,
            hash: candidate.block.hash(),
            next_validators: candidate.next_validators.clone(),
        };
        self.emit(Effect::Decide { candidate, certificate });
        self.go_on_from(head);
    }

    pub(crate) fn on_synced(&mut self, head: Head) {
        self.durable = self.durable.max(head.height);
        if head.height >= self.now.height {
            self.stop_timers();
            self.go_on_from(head);
        } else {
            self.heed_earlier_wishes();
        }
    }

    fn go_on_from(&mut self, head: Head) {
        let changed = *self.now.validators != *head.next_validators;
        self.head_height = head.height;
        self.now = Undecided::new(head.height.next(), head.next_validators, head.hash);
        self.work = false;
        self.liveness.passed_over = 0;
        if changed {
            let set = &self.now.validators;
            self.note(Fact::SetChanged { validators: set.len(), quorum: set.quorum() });
        }
        self.begin_height();
        self.progress();
    }

    pub(crate) fn begin_height(&mut self) {
        let height = self.now.height;
        self.note(Fact::Entered);
        self.liveness.relayed.clear();
        self.emit(Effect::Enter { height, validators: self.now.validators.clone() });
        self.recovered = self.recovered.split_off(&height);
        if let Some(record) = self.recovered.remove(&height) {
            self.restore(record);
        }
        self.emit(Effect::SetTimer(Timer::BlockInterval(height), self.config.min_block_interval));
        if let Some(interval) = self.config.empty_block_interval {
            self.emit(Effect::SetTimer(Timer::EmptyBlock(height), interval));
        }
        self.emit(Effect::SetTimer(Timer::Resend(height), self.config.resend_interval()));
        self.arm_view_timer();
    }

    fn stop_timers(&mut self) {
        let (height, view) = (self.now.height, self.now.view);
        self.emit(Effect::CancelTimer(Timer::View(height, view)));
        for timer in [Timer::HalfView, Timer::BlockInterval, Timer::EmptyBlock, Timer::Resend] {
            self.emit(Effect::CancelTimer(timer(height)));
        }
    }
}
