// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// A number that everybody may change, and everybody hears of.
contract Counter {
    /// `by` has made the number `number`.
    event Changed(address indexed by, uint256 number);
    /// The number would be above `limit`.
    error TooLarge(uint256 number, uint256 limit);

    uint256 public constant LIMIT = 1_000_000;
    uint256 public number;

    constructor(uint256 start) {
        change(start);
    }

    function set(uint256 to) external {
        require(to != 13, "13 brings bad luck");
        change(to);
    }

    function increment() external {
        change(number + 1);
    }

    function change(uint256 to) private {
        if (to > LIMIT) revert TooLarge(to, LIMIT);
        number = to;
        emit Changed(msg.sender, to);
    }
}
