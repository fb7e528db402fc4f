//! `rpc_modules` and `rpc.discover`: which namespaces and methods there are.

use std::collections::BTreeMap;

use jsonrpsee::{RpcModule, core::RegisterMethodError};
use serde_json::{Value, json};

use crate::arity::OPENRPC;

/// geth's: namespaces have had no other version since they have one.
const VERSION: &str = "1.0";

/// Adds `rpc_modules`, which names the namespaces of `methods`, and `rpc.discover`, which describes each of them.
pub(crate) fn register(methods: &mut RpcModule<()>) -> Result<(), RegisterMethodError> {
    let names = methods.method_names().chain(["rpc_modules"]);
    let modules: BTreeMap<String, &str> =
        names.filter_map(|name| Some((name.split_once('_')?.0.to_owned(), VERSION))).collect();
    methods.register_method("rpc_modules", move |_, (), _| json!(modules))?;
    let document: Value = serde_json::from_str(OPENRPC).expect("a test reads it");
    methods.register_method("rpc.discover", move |_, (), _| document.clone())?;
    Ok(())
}
