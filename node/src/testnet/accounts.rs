//! The accounts of a development network: known to everybody, hence worth nothing elsewhere.

use std::{collections::BTreeMap, fs, path::Path};

use alloy_genesis::GenesisAccount;
use alloy_signer_local::{MnemonicBuilder, coins_bip39::English};
use eyre::WrapErr as _;
use quorate_types::{Address, U256, hex};
use serde_json::{Value, json};

/// The phrase that hardhat, foundry and others use: tools know its accounts already.
pub const MNEMONIC: &str = "test test test test test test test test test test test junk";
/// How many accounts of the phrase are funded.
const COUNT: u32 = 10;
/// 10,000 ether each, in wei.
const BALANCE: U256 = U256::from_limbs([0x19e0_c9ba_b240_0000, 0x21e, 0, 0]);

/// A funded account whose key everybody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevelopmentAccount {
    /// Its BIP-44 path.
    pub path: String,
    /// Its address.
    pub address: Address,
    /// Its private key, hex with `0x`.
    pub private_key: String,
}

/// The accounts of [`MNEMONIC`].
///
/// # Errors
/// When the derivation fails, which for this phrase it does not.
pub fn development_accounts() -> eyre::Result<Vec<DevelopmentAccount>> {
    let account = |index| {
        let path = format!("m/44'/60'/0'/0/{index}");
        let builder = MnemonicBuilder::<English>::default().phrase(MNEMONIC).derivation_path(&path)?;
        let signer = builder.build()?;
        let private_key = hex::encode_prefixed(signer.to_bytes());
        Ok(DevelopmentAccount { path, address: signer.address(), private_key })
    };
    (0..COUNT).map(account).collect()
}

/// The accounts of block 0: the development accounts, then those of `file`, which win.
pub(crate) fn alloc(
    accounts: &[DevelopmentAccount],
    file: Option<&Path>,
) -> eyre::Result<BTreeMap<Address, GenesisAccount>> {
    let funded = |it: &DevelopmentAccount| (it.address, GenesisAccount::default().with_balance(BALANCE));
    let mut alloc: BTreeMap<_, _> = accounts.iter().map(funded).collect();
    if let Some(file) = file {
        alloc.extend(read(file).wrap_err_with(|| format!("--alloc {}", file.display()))?);
    }
    Ok(alloc)
}

fn read(file: &Path) -> eyre::Result<BTreeMap<Address, GenesisAccount>> {
    let mut value: Value = serde_json::from_str(&fs::read_to_string(file)?)?;
    let alloc = value.get_mut("alloc").map(Value::take).unwrap_or(value);
    serde_json::from_value(alloc).wrap_err(
        "neither geth's alloc, {\"0xADDRESS\": {\"balance\": \"1000\"}}, nor a genesis that has one",
    )
}

/// The file that names the accounts.
pub(crate) fn listing(accounts: &[DevelopmentAccount]) -> Value {
    let entry = |it: &DevelopmentAccount| json!({ "address": it.address, "privateKey": it.private_key, "path": it.path });
    json!({
        "warning": "DEV ONLY: everybody knows these keys. Whatever is sent to them elsewhere is lost.",
        "mnemonic": MNEMONIC,
        "accounts": accounts.iter().map(entry).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use quorate_types::address;

    use super::*;

    #[test]
    fn the_accounts_are_those_that_tools_know() {
        let accounts = development_accounts().expect("derived");
        assert_eq!(accounts.len(), 10);
        assert_eq!(accounts[0].address, address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"));
        let key = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
        assert_eq!(accounts[0].private_key, key);
        assert_eq!(accounts[9].address, address!("a0Ee7A142d267C1f36714E4a8F75612F20a79720"));
    }

    #[test]
    fn each_has_ten_thousand_ether_and_a_file_may_say_otherwise() {
        let accounts = development_accounts().expect("derived");
        let alloc = alloc(&accounts, None).expect("no file");
        assert_eq!(
            alloc[&accounts[9].address].balance,
            U256::from(10_000) * U256::from(10).pow(U256::from(18))
        );

        let folder = tempfile::tempdir().expect("a folder");
        for text in
            ["{\"ADDRESS\": {\"balance\": \"7\"}}", "{\"alloc\": {\"ADDRESS\": {\"balance\": \"0x7\"}}}"]
        {
            let file = folder.path().join("alloc.json");
            fs::write(&file, text.replace("ADDRESS", &accounts[0].address.to_string())).expect("written");
            let alloc = super::alloc(&accounts, Some(&file)).expect("geth's form");
            assert_eq!((alloc.len(), alloc[&accounts[0].address].balance), (10, U256::from(7)));
        }
    }

    #[test]
    fn a_file_of_another_shape_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("alloc.json");
        fs::write(&file, "{\"balance\": 7}").expect("written");
        let error = format!("{:#}", alloc(&[], Some(&file)).expect_err("no alloc"));
        assert!(error.contains("alloc.json") && error.contains("0xADDRESS"), "{error}");
    }
}
