// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Box} from "../src/Box.sol";
import {vm} from "../src/Vm.sol";

contract Deploy {
    function run() external returns (Box box) {
        vm.startBroadcast(vm.envUint("PRIVATE_KEY"));
        box = new Box();
        box.store(5);
        vm.stopBroadcast();
    }
}
