//! How many parameters a method takes, by their description: the framework ignores what is too many, and has no words for what
//! is missing.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::error::RpcError;

#[derive(Deserialize)]
struct Document {
    methods: Vec<Method>,
}

#[derive(Deserialize)]
struct Method {
    name: String,
    params: Vec<Parameter>,
}

#[derive(Deserialize)]
struct Parameter {
    required: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Arity {
    required: usize,
    most: usize,
}

impl Arity {
    fn of(parameters: &[Parameter]) -> Self {
        Self { required: parameters.iter().filter(|it| it.required).count(), most: parameters.len() }
    }
}

/// Those of all methods, by name.
#[derive(Debug)]
pub(crate) struct Arities(HashMap<String, Arity>);

impl Arities {
    /// As an OpenRPC document describes them.
    pub(crate) fn of(document: &Value) -> Self {
        let document = Document::deserialize(document).expect("a test reads it");
        Self(document.methods.into_iter().map(|it| (it.name, Arity::of(&it.params))).collect())
    }

    /// Refuses too few and too many parameters, in geth's words. Parameters by name, and methods that do not exist, are left
    /// to who reads them.
    ///
    /// # Errors
    /// [`RpcError::InvalidParams`].
    pub(crate) fn check(&self, method: &str, params: Option<&RawValue>) -> Result<(), RpcError> {
        let Some(Arity { required, most }) = self.0.get(method).copied() else { return Ok(()) };
        let given: Vec<&RawValue> = match params.map(|params| serde_json::from_str(params.get())) {
            None => Vec::new(),
            Some(Ok(given)) => given,
            Some(Err(_)) => return Ok(()),
        };
        if given.len() > most {
            return Err(RpcError::InvalidParams(format!("too many arguments, want at most {most}")));
        }
        let is_missing = |place: &usize| given.get(*place).is_none_or(|value| value.get() == "null");
        match (0..required).find(is_missing) {
            Some(place) => {
                Err(RpcError::InvalidParams(format!("missing value for required argument {place}")))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::description;

    fn refusal(method: &str, params: impl Into<Option<&'static str>>) -> Option<String> {
        let params: Option<Box<RawValue>> =
            params.into().map(|params| serde_json::from_str(params).expect("JSON"));
        let arities = Arities::of(&description(None));
        arities.check(method, params.as_deref()).err().map(|error| error.to_string())
    }

    #[test]
    fn missing_and_surplus_arguments_are_refused_in_geths_words() {
        let missing = |place| Some(format!("missing value for required argument {place}"));
        assert_eq!(refusal("eth_getBalance", None), missing(0));
        assert_eq!(refusal("eth_getBalance", "[]"), missing(0));
        assert_eq!(refusal("eth_getBalance", "[null]"), missing(0));
        assert_eq!(refusal("eth_getStorageAt", r#"["0x00"]"#), missing(1));
        assert_eq!(refusal("eth_getBalance", r#"["0x00"]"#), None, "the block may be left out");
        assert_eq!(refusal("eth_getBalance", r#"["0x00",null]"#), None);
        let surplus = Some("too many arguments, want at most 2".to_owned());
        assert_eq!(refusal("eth_getBalance", r#"["0x00","latest",1]"#), surplus);
        assert_eq!(refusal("eth_chainId", "[1]"), Some("too many arguments, want at most 0".to_owned()));
        assert_eq!(refusal("eth_getBalance", r#"{"address":"0x00"}"#), None, "by name");
        assert_eq!(refusal("eth_mine", "[1,2,3]"), None, "there is no such method");
    }

    /// What may be left out stands behind what may not, so a count says all.
    #[test]
    fn required_parameters_come_first() {
        let document = Document::deserialize(description(None)).expect("a description");
        for method in document.methods {
            assert!(method.params.is_sorted_by(|one, next| one.required >= next.required), "{}", method.name);
        }
    }
}
