//! Proofs of equivocation: kept in memory for the RPC, and in a file, one JSON object a line, so that a restart does not
//! forget a liar.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use quorate_consensus::Evidence;
use quorate_rpc::{ConsensusRecord, EvidenceRecord, SignedBytes};
use quorate_types::{Domain, Phase, Signable, Signed};

use crate::{clock, metrics};

/// The file in the data folder.
const FILE: &str = "evidence.jsonl";

/// The file with the record that it fills. Its size is bounded by what the record keeps.
pub(crate) struct EvidenceFile {
    path: PathBuf,
    domain: Domain,
    record: ConsensusRecord,
}

impl EvidenceFile {
    /// Takes back what was kept before. A line that is no proof (torn by a crash, say) is passed over.
    pub(crate) fn open(data_dir: &Path, domain: Domain, record: ConsensusRecord) -> Self {
        let path = data_dir.join(FILE);
        match read_and_mend(&path) {
            Ok(bytes) => {
                let known = bytes.split(|byte| *byte == b'\n');
                let known = known.filter_map(|line| serde_json::from_slice::<EvidenceRecord>(line).ok());
                let kept = known.filter(|it| record.keep(it.clone())).count();
                if kept > 0 {
                    tracing::warn!(kept, file = %path.display(), "validators of this chain have signed contradictions");
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, file = %path.display(), "cannot read the evidence"),
        }
        Self { path, domain, record }
    }

    /// Keeps a pair, and says so once; what it is about. The same lie told again is only counted.
    pub(crate) fn keep(&self, evidence: &Evidence) -> Option<EvidenceRecord> {
        let record = self.describe(evidence);
        metrics::equivocation(&record.validator);
        if !self.record.keep(record.clone()) {
            return None;
        }
        tracing::error!(
            validator = %record.validator, kind = record.kind, height = %record.height, view = %record.view,
            "a validator signed two things that exclude each other; quorate_evidence serves the pair"
        );
        if let Err(error) = self.write(&record) {
            tracing::warn!(%error, file = %self.path.display(), "cannot write the evidence; it is kept in memory");
        }
        Some(record)
    }

    fn write(&self, record: &EvidenceRecord) -> io::Result<()> {
        let line = serde_json::to_string(record)?;
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        file.write_all(format!("{line}\n").as_bytes())
    }

    fn describe(&self, evidence: &Evidence) -> EvidenceRecord {
        match evidence {
            Evidence::Proposals(first, second) => self.pair("proposals", first, second),
            Evidence::Votes(first, second) => {
                let kind = match first.statement.phase {
                    Phase::Prevote => "prevotes",
                    Phase::Commit => "commits",
                };
                self.pair(kind, first, second)
            }
            Evidence::ViewChanges(first, second) => self.pair("viewChanges", first, second),
        }
    }

    fn pair<S: Signable>(&self, kind: &str, first: &Signed<S>, second: &Signed<S>) -> EvidenceRecord {
        let statement = first.statement.statement();
        let signed = |it: &Signed<S>| SignedBytes {
            bytes: self.domain.signed_bytes(&it.statement.statement()).into(),
            signature: it.signature.0.to_vec().into(),
        };
        EvidenceRecord {
            time_ms: clock::now_ms(),
            kind: kind.to_owned(),
            validator: first.signer,
            height: statement.height(),
            view: statement.view(),
            first: signed(first),
            second: signed(second),
        }
    }
}

/// The file's bytes; a torn last line is ended first, or the next proof would be glued to it and lost as well.
fn read_and_mend(path: &Path) -> io::Result<Vec<u8>> {
    let bytes = fs::read(path)?;
    if bytes.last().is_some_and(|last| *last != b'\n') {
        OpenOptions::new().append(true).open(path)?.write_all(b"\n")?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;
    use quorate_types::{B256, Ed25519, Height, NodeKey, Signature, Verifier as _, View, Vote};

    use super::*;

    const DOMAIN: Domain = Domain { chain_id: 20200, genesis_hash: B256::repeat_byte(9) };

    fn vote(key: &NodeKey, block: u8) -> Signed<Vote> {
        let block_hash = B256::repeat_byte(block);
        let vote = Vote { phase: Phase::Commit, height: Height(7), view: View(1), block_hash };
        Signed::sign(vote, &DOMAIN, key).expect("a key in memory signs")
    }

    /// Given two commits of one key, when the node is started again, then the pair is still served, and its signatures
    /// can be checked by anyone.
    #[test]
    fn evidence_outlives_a_restart_and_proves_itself() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = NodeKey::from_seed([3; 32]);
        let lie = Evidence::Votes(vote(&key, 1), vote(&key, 2));
        let file = EvidenceFile::open(folder.path(), DOMAIN, ConsensusRecord::default());
        assert!(file.keep(&lie).is_some());
        assert!(file.keep(&lie).is_none(), "the same lie is kept once");

        let record = ConsensusRecord::default();
        EvidenceFile::open(folder.path(), DOMAIN, record.clone());
        let kept = record.evidence();
        assert_eq!(kept.len(), 1);
        let EvidenceRecord { kind, validator, height, view, first, second, .. } = &kept[0];
        assert_eq!((kind.as_str(), *validator, *height, *view), ("commits", key.id(), Height(7), View(1)));
        assert_ne!(first.bytes, second.bytes);
        for signed in [first, second] {
            let signature = Signature(signed.signature.to_vec().try_into().expect("64 bytes"));
            assert!(Ed25519.verify(validator, &signed.bytes, &signature));
        }
    }

    /// Given one lie told twice, then the metric counts each, under the name of who told it.
    #[test]
    fn each_lie_that_is_noticed_is_counted() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = NodeKey::from_seed([3; 32]);
        let lie = Evidence::Votes(vote(&key, 1), vote(&key, 2));
        let recorder = PrometheusBuilder::new().build_recorder();
        ::metrics::with_local_recorder(&recorder, || {
            let file = EvidenceFile::open(folder.path(), DOMAIN, ConsensusRecord::default());
            file.keep(&lie);
            file.keep(&lie);
        });
        let shown = recorder.handle().render();
        let count = format!("quorate_equivocations_total{{validator=\"{}\"}} 2", key.id());
        assert!(shown.contains(&count), "{shown}");
    }

    /// Given a line that a crash has torn within a letter, when a proof is kept after it and the node started again, then
    /// that proof is served.
    #[test]
    fn a_torn_line_costs_nothing_but_itself() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = NodeKey::from_seed([3; 32]);
        std::fs::write(folder.path().join(FILE), b"\xc3\n{\"timeMs\":1,\"kin\xc3").expect("written");
        let record = ConsensusRecord::default();
        let file = EvidenceFile::open(folder.path(), DOMAIN, record.clone());
        assert!(record.evidence().is_empty());
        assert!(file.keep(&Evidence::Votes(vote(&key, 1), vote(&key, 2))).is_some());

        let record = ConsensusRecord::default();
        EvidenceFile::open(folder.path(), DOMAIN, record.clone());
        assert_eq!(record.evidence().len(), 1);
    }
}
