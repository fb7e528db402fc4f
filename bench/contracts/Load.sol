// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// What `node bench` calls. `node compile.mjs` makes the .hex files, with the compiler of examples/contracts.

/// The part of ERC-20 that a transfer needs: two balances change, and an event.
contract Token {
    event Transfer(address indexed from, address indexed to, uint256 value);

    mapping(address => uint256) public balanceOf;

    function mint(address[] calldata accounts, uint256 value) external {
        for (uint256 i = 0; i < accounts.length; i++) {
            balanceOf[accounts[i]] += value;
        }
    }

    function transfer(address to, uint256 value) external returns (bool) {
        balanceOf[msg.sender] -= value;
        balanceOf[to] += value;
        emit Transfer(msg.sender, to, value);
        return true;
    }
}

/// Fills slots that were empty.
contract Storage {
    mapping(bytes32 => uint256) private slots;
    uint256 private filled;

    function fill(uint256 count) external {
        uint256 from = filled;
        for (uint256 i = from; i < from + count; i++) {
            slots[keccak256(abi.encode(i))] = i + 1;
        }
        filled = from + count;
    }
}
