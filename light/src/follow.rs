//! From the genesis file to the header of any height, by the changes of the validator set alone.

use quorate_types::{B256, CommitCertificate, Domain, Ed25519, Genesis, Header, Height, ValidatorSet};

use crate::LightError;

/// Knows the set that votes after the last header that it was shown. It has to be shown the last header
/// of every set; those between may be left out.
#[derive(Clone, Debug)]
pub struct Follower {
    domain: Domain,
    height: Height,
    hash: B256,
    set: ValidatorSet,
}

impl Follower {
    /// Starts with block 0, which nobody signs: the genesis file is what is trusted.
    ///
    /// # Errors
    /// [`LightError::Genesis`] when it makes no block 0.
    pub fn new(genesis: &Genesis) -> Result<Self, LightError> {
        let domain = genesis.domain()?;
        Ok(Self { domain, height: Height::ZERO, hash: domain.genesis_hash, set: genesis.validator_set()? })
    }

    /// The height of the last header that was followed.
    #[must_use]
    pub const fn height(&self) -> Height {
        self.height
    }

    /// Its hash.
    #[must_use]
    pub const fn hash(&self) -> B256 {
        self.hash
    }

    /// Who votes on the height after it.
    #[must_use]
    pub const fn validators(&self) -> &ValidatorSet {
        &self.set
    }

    /// Checks that the set known so far decided the header, which then is as good as genesis: its state
    /// root may be used for proofs. Returns its hash, and changes nothing.
    ///
    /// # Errors
    /// When the header is not above the last one, or the next one and on another parent; when the
    /// certificate is of another block, or too few of the set signed it.
    pub fn verify(&self, header: &Header, certificate: &CommitCertificate) -> Result<B256, LightError> {
        let (height, hash) = (Height(header.number), header.hash_slow());
        if height <= self.height {
            return Err(LightError::NotAbove { found: height, followed: self.height });
        }
        if height == self.height.next() && header.parent_hash != self.hash {
            let (expected, found) = (self.hash, header.parent_hash);
            return Err(LightError::WrongParent { height, expected, found });
        }
        if (certificate.height(), certificate.block_hash()) != (height, hash) {
            return Err(LightError::OtherBlock { certified: certificate.block_hash(), found: hash });
        }
        let verified = certificate.verify(&self.domain, &self.set, &Ed25519);
        verified.map_err(|source| LightError::Certificate { height, source })?;
        Ok(hash)
    }

    /// Goes on to a header, and to the set that it binds: `next`, or the same one as before when that is
    /// `None`. A list of validators from anybody will do, since the header has its hash; so does
    /// [`crate::proven_validators`].
    ///
    /// # Errors
    /// Those of [`Follower::verify`], and [`LightError::OtherSet`]. Nothing is changed then.
    pub fn follow(
        &mut self,
        header: &Header,
        certificate: &CommitCertificate,
        next: Option<ValidatorSet>,
    ) -> Result<(), LightError> {
        let hash = self.verify(header, certificate)?;
        let height = Height(header.number);
        let set = next.unwrap_or_else(|| self.set.clone());
        if header.extra_data[..] != set.hash()[..] {
            return Err(LightError::OtherSet { height });
        }
        *self = Self { domain: self.domain, height, hash, set };
        Ok(())
    }
}
