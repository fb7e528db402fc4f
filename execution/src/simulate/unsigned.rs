//! A call as a transaction of a block.

use alloy_consensus::{SignableTransaction, TxEip1559, TxEip2930, TxEip7702, TxLegacy};
use alloy_primitives::Signature;
use quorate_types::{Envelope, U256};
use revm::primitives::TxKind;

use crate::{CallFee, CallRequest};

/// The transaction that does what `request` says, with a signature of zeros. Its type follows from the fields, and is EIP-1559's
/// when they fit any.
pub(super) fn envelope(request: &CallRequest, nonce: u64, gas_limit: u64, chain_id: u64) -> Envelope {
    let unsigned = Signature::new(U256::ZERO, U256::ZERO, false);
    let to = request.to.map_or(TxKind::Create, TxKind::Call);
    let (value, input) = (request.value, request.data.clone());
    let access_list = request.access_list.clone();
    let (max_fee_per_gas, max_priority_fee_per_gas) =
        (request.fee.highest(), request.fee.tip().unwrap_or_default());
    match (request.fee, request.to) {
        (_, Some(to)) if !request.authorization_list.is_empty() => TxEip7702 {
            chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas,
            max_priority_fee_per_gas,
            to,
            value,
            access_list,
            authorization_list: request.authorization_list.clone(),
            input,
        }
        .into_signed(unsigned)
        .into(),
        (CallFee::Price(gas_price), _) if access_list.is_empty() => {
            TxLegacy { chain_id: Some(chain_id), nonce, gas_price, gas_limit, to, value, input }
                .into_signed(unsigned)
                .into()
        }
        (CallFee::Price(gas_price), _) => {
            TxEip2930 { chain_id, nonce, gas_price, gas_limit, to, value, access_list, input }
                .into_signed(unsigned)
                .into()
        }
        (CallFee::Free | CallFee::Dynamic { .. }, _) => TxEip1559 {
            chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas,
            max_priority_fee_per_gas,
            to,
            value,
            access_list,
            input,
        }
        .into_signed(unsigned)
        .into(),
    }
}
