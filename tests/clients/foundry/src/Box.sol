// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// A value that its owner changes.
contract Box {
    event Stored(address indexed by, uint256 value);
    error NotOwner(address sender);

    address public immutable owner = msg.sender;
    uint256 public value;

    function store(uint256 to) external {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        value = to;
        emit Stored(msg.sender, to);
    }
}
