// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Box} from "../src/Box.sol";
import {vm} from "../src/Vm.sol";

/// Runs on a fork of the node's chain, where BOX is.
contract BoxTest {
    bool public constant IS_TEST = true;
    Box private box;

    function setUp() external {
        box = Box(vm.envAddress("BOX"));
    }

    function testTheForkHasTheChainsState() external view {
        require(block.chainid == vm.envUint("CHAIN_ID"), "chain id");
        require(box.value() == 42, "the value that was sent");
    }

    function testOthersMayNotStore() external {
        vm.expectRevert(abi.encodeWithSelector(Box.NotOwner.selector, address(this)));
        box.store(1);
    }

    function testTheOwnerStores() external {
        vm.prank(box.owner());
        box.store(43);
        require(box.value() == 43, "the new value");
    }
}
