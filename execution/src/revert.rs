//! What a contract said when it reverted, in geth's words.

use alloy_sol_types::{Panic, Revert, SolError};
use revm::context_interface::result::HaltReason;

/// Solidity's panic codes as geth words them.
const PANICS: [(u64, &str); 10] = [
    (0x00, "generic panic"),
    (0x01, "assert(false)"),
    (0x11, "arithmetic underflow or overflow"),
    (0x12, "division or modulo by zero"),
    (0x21, "enum overflow"),
    (0x22, "invalid encoded storage byte array accessed"),
    (0x31, "out-of-bounds array access; popping on an empty array"),
    (0x32, "out-of-bounds access of an array or bytesN"),
    (0x41, "out of memory"),
    (0x51, "uninitialized function"),
];

/// The reason in the data of a revert: the text of `Error(string)` or the meaning of
/// `Panic(uint256)`. `None` for custom errors and anything else.
#[must_use]
pub fn decode_revert(data: &[u8]) -> Option<String> {
    if let Ok(revert) = Revert::abi_decode(data) {
        return Some(revert.reason);
    }
    let code = Panic::abi_decode(data).ok()?.code;
    let known = PANICS.iter().find(|(number, _)| code == *number);
    Some(known.map_or_else(|| format!("unknown panic code: {code:#x}"), |(_, text)| (*text).to_owned()))
}

/// The message that goes with error code 3: `execution reverted`, and the reason if there is one.
#[must_use]
pub fn revert_message(data: &[u8]) -> String {
    decode_revert(data)
        .map_or_else(|| "execution reverted".to_owned(), |reason| format!("execution reverted: {reason}"))
}

/// Why the EVM halted, as geth words it.
pub(crate) fn halt_message(reason: &HaltReason) -> String {
    let text = match reason {
        HaltReason::OutOfGas(_) => "out of gas",
        HaltReason::OpcodeNotFound | HaltReason::NotActivated => "invalid opcode",
        HaltReason::InvalidFEOpcode => "invalid opcode: INVALID",
        HaltReason::InvalidJump => "invalid jump destination",
        HaltReason::StackUnderflow => "stack underflow",
        HaltReason::StackOverflow => "stack limit reached 1024 (1023)",
        HaltReason::OutOfOffset => "return data out of bounds",
        HaltReason::CreateCollision => "contract address collision",
        HaltReason::PrecompileError => "precompiled contract failed",
        HaltReason::PrecompileErrorWithContext(message) => message,
        HaltReason::NonceOverflow => "nonce uint64 overflow",
        HaltReason::CreateContractSizeLimit => "max code size exceeded",
        HaltReason::CreateContractStartingWithEF => "invalid code: must not begin with 0xef",
        HaltReason::CreateInitCodeSizeLimit => "max initcode size exceeded",
        HaltReason::OverflowPayment => "gas uint64 overflow",
        HaltReason::StateChangeDuringStaticCall | HaltReason::CallNotAllowedInsideStatic => {
            "write protection"
        }
        HaltReason::OutOfFunds => "insufficient balance for transfer",
        HaltReason::CallTooDeep => "max call depth exceeded",
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{U256, hex};

    use super::*;

    #[test]
    fn reasons_are_worded_like_geth() {
        let error = Revert::from("not the owner").abi_encode();
        let panic = |code: u64| Panic { code: U256::from(code) }.abi_encode();
        assert_eq!(revert_message(&error), "execution reverted: not the owner");
        assert_eq!(revert_message(&panic(0x11)), "execution reverted: arithmetic underflow or overflow");
        assert_eq!(revert_message(&panic(0x77)), "execution reverted: unknown panic code: 0x77");
    }

    /// A reverting contract is free to return anything: it must neither panic nor pass for a reason.
    #[test]
    fn other_data_has_no_reason() {
        let truncated = &Revert::from("a reason").abi_encode()[..40];
        let huge_offset = hex!("08c379a0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff");
        for data in [&[][..], &hex!("08c379a0"), &hex!("deadbeef00"), truncated, &huge_offset] {
            assert_eq!(decode_revert(data), None, "{data:02x?}");
            assert_eq!(revert_message(data), "execution reverted");
        }
    }
}
