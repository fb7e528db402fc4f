//! Whether two genesis files say the same, without hashing all their accounts into a trie.

use std::io::{self, Write};

use alloy_primitives::{B256, Keccak256};

use crate::{Genesis, GenesisError};

/// Hashes what is written.
struct Hashing(Keccak256);

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Genesis {
    /// The same for files that say the same, however they are laid out, and another one for all others. It says nothing to
    /// other nodes: another version may write it in another way.
    ///
    /// # Errors
    /// When a value has no JSON form, which none of these lacks.
    pub fn digest(&self) -> Result<B256, GenesisError> {
        let mut hashing = io::BufWriter::new(Hashing(Keccak256::new()));
        serde_json::to_writer(&mut hashing, self)?;
        let hashing = hashing
            .into_inner()
            .map_err(|error| GenesisError::Json(serde_json::Error::io(error.into_error())))?;
        Ok(hashing.0.finalize())
    }
}

#[cfg(test)]
mod tests {
    use alloy_genesis::GenesisAccount;
    use alloy_primitives::{Address, U256};

    use crate::{ChainConfig, Genesis, GenesisValidator, NodeKey};

    #[test]
    fn a_digest_changes_with_what_the_file_says_and_not_with_its_form() {
        let key = NodeKey::from_seed([1; 32]).id();
        let mut genesis = Genesis {
            config: ChainConfig::new(7),
            timestamp: 1,
            validators: vec![GenesisValidator { key, weight: 1, fee_recipient: Address::ZERO }],
            alloc: Default::default(),
        };
        let digest = genesis.digest().expect("JSON");
        let pretty = Genesis::from_json(&genesis.to_json().expect("JSON")).expect("sound");
        assert_eq!(pretty.digest().expect("JSON"), digest);
        genesis.alloc.insert(Address::ZERO, GenesisAccount::default().with_balance(U256::from(1)));
        assert_ne!(genesis.digest().expect("JSON"), digest);
    }
}
