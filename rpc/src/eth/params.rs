//! Parameters that are read more leniently, or refused in other words, than the libraries' types would.

use alloy_rpc_types_eth::Filter;
use quorate_types::{B256, U256, hex};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IntoDeserializer as _},
};
use serde_json::{Map, Value};

/// A filter for logs. Keys that it does not know are ignored, as geth does: clients send their own along.
#[derive(Clone, Debug, Default)]
pub(crate) struct FilterParam {
    pub(crate) filter: Filter,
    /// How many places for topics it names, those for any topic as well: the library's type forgets them.
    pub(crate) places: usize,
}

impl<'de> Deserialize<'de> for FilterParam {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const KEYS: [&str; 5] = ["fromBlock", "toBlock", "blockHash", "address", "topics"];
        let mut map = Map::deserialize(deserializer)?;
        map.retain(|key, _| KEYS.contains(&key.as_str()));
        let places = map.get("topics").and_then(Value::as_array).map_or(0, Vec::len);
        let filter = serde_json::from_value(Value::Object(map)).map_err(D::Error::custom)?;
        Ok(Self { filter, places })
    }
}

/// Bytes as the specification writes them. The libraries' types take them without `0x` as well, where geth refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Prefixed<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Prefixed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if !text.starts_with("0x") && !text.starts_with("0X") {
            return Err(D::Error::custom("hex string without 0x prefix"));
        }
        T::deserialize(text.into_deserializer()).map(Self)
    }
}

/// A storage slot as clients write it: hex of any length up to 32 bytes, as geth reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StorageKey {
    pub(crate) slot: U256,
    /// Whether it was written as a whole word; proofs write it as it was.
    pub(crate) is_whole: bool,
}

impl<'de> Deserialize<'de> for StorageKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(&text);
        if digits.len() > 2 * size_of::<B256>() {
            return Err(D::Error::custom(format!("storage key too long (want at most 32 bytes): {text:?}")));
        }
        let padded = format!("{digits:0>64}");
        let bytes: [u8; 32] = hex::decode_to_array(padded)
            .map_err(|_| D::Error::custom(format!("invalid hex in storage key: {text:?}")))?;
        Ok(Self { slot: U256::from_be_bytes(bytes), is_whole: digits.len() == 2 * size_of::<B256>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_a_prefix() {
        let read = |text: &str| serde_json::from_value::<Prefixed<B256>>(Value::from(text));
        let digits = "0a".repeat(32);
        assert_eq!(read(&format!("0x{digits}")).expect("a hash"), Prefixed(B256::repeat_byte(10)));
        assert_eq!(read(&digits).expect_err("no prefix").to_string(), "hex string without 0x prefix");
        assert!(read("0x0a").is_err(), "too short");
    }

    /// geth's `decodeStorageKey`: with or without `0x`, of odd length, and never longer than a word.
    #[test]
    fn storage_keys_are_hex_of_at_most_a_word() {
        let read = |text: &str| serde_json::from_value::<StorageKey>(Value::from(text));
        let word = format!("0x{}", "0".repeat(63) + "f");
        for text in ["0xf", "0x0f", "f", "0X0f", word.as_str()] {
            let key = StorageKey { slot: U256::from(15), is_whole: text == word };
            assert_eq!(read(text).expect(text), key, "{text}");
        }
        let long = read(&format!("{word}0")).expect_err("33 bytes").to_string();
        assert!(long.starts_with("storage key too long (want at most 32 bytes): \"0x00"), "{long}");
        assert_eq!(read("0xzz").expect_err("no hex").to_string(), "invalid hex in storage key: \"0xzz\"");
    }

    /// ethers and web3.js put keys of their own beside the filter's; what a filter says must still make sense.
    #[test]
    fn unknown_keys_of_a_filter_are_ignored() {
        let read = |text: &str| serde_json::from_str::<FilterParam>(text);
        let FilterParam { filter, .. } = read(r#"{"fromBlock":"0x1","network":"main"}"#).expect("a filter");
        assert_eq!(filter.block_option.get_from_block().and_then(|tag| tag.as_number()), Some(1));
        let both = format!(r#"{{"fromBlock":"0x1","blockHash":"{}"}}"#, B256::ZERO);
        assert!(read(&both).expect_err("both").to_string().contains("cannot specify both"));
    }
}
