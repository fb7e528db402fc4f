//! Parameters as FISCO's clients send them: `[group, node, ...]` of version 3, `[1, ...]` of version 2.

use jsonrpsee::types::Params;
use quorate_types::Height;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Addressed, GROUP};
use crate::error::RpcError;

/// What a method is asked for, behind the group and the node.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Arguments {
    values: Vec<Value>,
    /// Whether the client is one of version 2, whose flags mean other things.
    pub(super) is_version_2: bool,
}

impl Arguments {
    /// The parameters behind those that say whom they are for. Any node's name is taken: who asks a node means it.
    pub(super) fn read(params: &Params<'_>, addressed: Addressed) -> Result<Self, RpcError> {
        let mut values: Vec<Value> = if params.as_str().is_none() {
            Vec::new()
        } else {
            params.parse().map_err(|_| invalid("params", "they must be a list"))?
        };
        let is_version_2 = values.first().is_some_and(Value::is_number);
        let is_ours = match values.first() {
            None => true,
            Some(Value::Number(group)) => group.as_u64() == Some(1),
            Some(Value::String(group)) => [GROUP, "1", ""].contains(&group.as_str()),
            Some(_) => false,
        };
        if !is_ours {
            return Err(RpcError::Limit(format!("The group {} does not exist!", values[0])));
        }
        let names = if is_version_2 || addressed == Addressed::ToGroup { 1 } else { 2 };
        values.drain(..names.min(values.len()));
        Ok(Self { values, is_version_2 })
    }

    /// What stands at `place`, which must be there.
    pub(super) fn required<T: DeserializeOwned>(&self, place: usize, name: &str) -> Result<T, RpcError> {
        let value = self.values.get(place).ok_or_else(|| invalid(name, "it is missing"))?;
        serde_json::from_value(value.clone()).map_err(|error| invalid(name, &error.to_string()))
    }

    /// A flag at `place`, if one is there.
    pub(super) fn flag(&self, place: usize) -> Option<bool> {
        self.values.get(place).and_then(Value::as_bool)
    }

    /// A height: a number, or text of one in decimal or hex.
    pub(super) fn height(&self, place: usize) -> Result<Height, RpcError> {
        let number = match self.values.get(place) {
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => match text.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16).ok(),
                None => text.parse().ok(),
            },
            _ => None,
        };
        number.map(Height).ok_or_else(|| invalid("block number", "it is none"))
    }
}

pub(super) fn invalid(name: &str, why: &str) -> RpcError {
    RpcError::InvalidParams(format!("invalid argument {name}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(params: &str) -> Result<Arguments, RpcError> {
        Arguments::read(&Params::new(Some(params)), Addressed::ToNode)
    }

    #[test]
    fn clients_of_both_versions_are_understood() {
        for (params, is_version_2) in [
            (r#"["group0","",16]"#, false),
            (r#"["group0","node0","16"]"#, false),
            (r#"["1","node0","0x10"]"#, false),
            (r#"[1,"0x10"]"#, true),
            (r#"[1,"16"]"#, true),
        ] {
            let arguments = read(params).expect(params);
            assert_eq!(arguments.height(0).expect(params), Height(16), "{params}");
            assert_eq!(arguments.is_version_2, is_version_2, "{params}");
        }
        assert_eq!(read("[]").expect("nothing"), Arguments::default());
        let other = read(r#"["group1",""]"#).expect_err("another chain");
        assert_eq!(other.to_string(), "The group \"group1\" does not exist!");
        assert!(read("[2]").is_err() && read("[null]").is_err());
        assert!(read(r#"["group0"]"#).expect("no number").height(0).is_err());
    }
}
