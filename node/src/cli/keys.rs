//! Private keys, which come in files alone: what is an argument is seen by everybody on the machine.

use std::path::Path;

use alloy_signer_local::PrivateKeySigner;
use quorate_types::B256;

use crate::exit::{Exit, Failure};

/// Reads a private key of 32 bytes in hex, with or without 0x; `whose` it must be says who is wrong.
pub(super) fn read_signer(file: &Path, whose: &str) -> Result<PrivateKeySigner, Failure> {
    let failure = |why: String| {
        Failure::new(
            Exit::Configuration,
            format!("{}: {why}; it must hold {whose} private key, 64 hex digits", file.display()),
        )
    };
    let text = std::fs::read_to_string(file).map_err(|error| failure(error.to_string()))?;
    // The reason of a failure never repeats what was read.
    let key: B256 = text.trim().parse().map_err(|_| failure("no private key in hex".to_owned()))?;
    PrivateKeySigner::from_bytes(&key).map_err(|_| failure("no private key of secp256k1".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_read_and_a_wrong_one_never_repeated() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("key");
        let key = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
        for text in [key.to_owned(), format!("0x{key}\n")] {
            std::fs::write(&file, text).expect("written");
            let address = read_signer(&file, "the administrator's").expect("a key").address().to_string();
            assert_eq!(address, "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
        }
        for text in [&key[..62], "", &"0".repeat(64)] {
            std::fs::write(&file, text).expect("written");
            let failure = read_signer(&file, "the administrator's").expect_err("no key");
            assert_eq!(failure.exit, Exit::Configuration);
            assert!(text.is_empty() || !failure.message.contains(text), "{failure}");
        }
    }
}
