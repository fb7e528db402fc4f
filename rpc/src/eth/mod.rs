//! The `eth` namespace: the execution API's methods and geth's behaviour.

mod fees;
mod logs;
mod methods;
mod state;

pub(crate) use logs::{check_size, to_filter};
pub(crate) use methods::{Eth, EthApiServer};
