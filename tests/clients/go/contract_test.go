package client

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/accounts/abi/bind"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/eth/tracers/logger"
	"github.com/ethereum/go-ethereum/ethclient/gethclient"
	"github.com/ethereum/go-ethereum/ethdb/memorydb"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/ethereum/go-ethereum/trie"

	"quorate/clients/go/counter"
)

func newHasher() types.ListHasher { return trie.NewStackTrie(nil) }

// deploy makes a counter that starts at `start`.
func (a *account) deploy(start int64) (common.Address, *counter.Counter, *types.Receipt) {
	a.t.Helper()
	address, transaction, bound, err := counter.DeployCounter(a.transactor(), a, big.NewInt(start))
	if err != nil {
		a.t.Fatal(err)
	}
	expect(a.t, "where it is", must[common.Address](a.t)(bind.WaitDeployed(a.ctx, a, transaction)), address)
	return address, bound, must[*types.Receipt](a.t)(a.TransactionReceipt(a.ctx, transaction.Hash()))
}

func (a *account) set(bound *counter.Counter, to int64) *types.Receipt {
	a.t.Helper()
	transaction := must[*types.Transaction](a.t)(bound.Set(a.transactor(), big.NewInt(to)))
	return must[*types.Receipt](a.t)(bind.WaitMined(a.ctx, a, transaction))
}

func TestAContractIsDeployedWrittenAndRead(t *testing.T) {
	a := connect(t, "RPC_URL")
	address, bound, deployed := a.deploy(5)
	written := a.set(bound, 42)

	read := func(height *big.Int) int64 {
		t.Helper()
		return must[*big.Int](t)(bound.Number(&bind.CallOpts{Context: a.ctx, BlockNumber: height})).Int64()
	}
	expect(t, "the number now", read(nil), 42)
	expect(t, "the number then", read(deployed.BlockNumber), 5)
	expect(t, "the slot", new(big.Int).SetBytes(must[[]byte](t)(a.StorageAt(a.ctx, address, common.Hash{}, nil))).Int64(), 42)
	before := new(big.Int).Sub(deployed.BlockNumber, common.Big1)
	expect(t, "code before it was deployed", len(must[[]byte](t)(a.CodeAt(a.ctx, address, before))), 0)
	changed := must[*counter.CounterChanged](t)(bound.ParseChanged(*written.Logs[0]))
	expect(t, "the event's number", changed.Number.Int64(), 42)
	expect(t, "the event's account", changed.By, a.address)
}

func TestARevertTellsItsReason(t *testing.T) {
	a := connect(t, "RPC_URL")
	address, bound, _ := a.deploy(0)
	parsed := must[*abi.ABI](t)(counter.CounterMetaData.GetAbi())
	for _, gas := range []uint64{0, 100_000} {
		// Without a limit the binding estimates first; with one it sends what will revert.
		options := a.transactor()
		options.GasLimit = gas
		transaction, err := bound.Set(options, big.NewInt(13))
		if gas == 0 {
			expect(t, "the error", err.Error(), "execution reverted: 13 brings bad luck")
		} else {
			receipt := must[*types.Receipt](t)(bind.WaitMined(a.ctx, a, transaction))
			expect(t, "status", receipt.Status, types.ReceiptStatusFailed)
		}
	}
	input := must[[]byte](t)(parsed.Pack("set", big.NewInt(2_000_000)))
	_, err := a.CallContract(a.ctx, ethereum.CallMsg{From: a.address, To: &address, Data: input}, nil)
	var failure rpc.DataError
	if !errors.As(err, &failure) {
		t.Fatalf("no data: %v", err)
	}
	data := hexutil.MustDecode(failure.ErrorData().(string))
	selector := [4]byte(data[:4])
	custom := must[*abi.Error](t)(parsed.ErrorByID(selector))
	expect(t, "the contract's own error", custom.Name, "TooLarge")
	arguments := must[any](t)(custom.Unpack(data)).([]any)
	expect(t, "its number", arguments[0].(*big.Int).Int64(), 2_000_000)
	expect(t, "the code", err.(rpc.Error).ErrorCode(), 3)
}

func TestLogsAreFilteredAndResumed(t *testing.T) {
	a := connect(t, "RPC_URL")
	address, bound, deployed := a.deploy(0)
	for number := range int64(3) {
		a.set(bound, 100+number)
	}
	filter := func(from *big.Int) []types.Log {
		t.Helper()
		query := ethereum.FilterQuery{Addresses: []common.Address{address}, FromBlock: from}
		return must[[]types.Log](t)(a.FilterLogs(a.ctx, query))
	}
	first := filter(deployed.BlockNumber)
	expect(t, "logs so far", len(first), 4)
	last := first[len(first)-1]
	next := new(big.Int).SetUint64(last.BlockNumber + 1)
	expect(t, "logs behind the last", len(filter(next)), 0)
	written := a.set(bound, 200)
	resumed := filter(next)
	expect(t, "logs that came since", len(resumed), 1)
	expect(t, "the new one", resumed[0].TxHash, written.TxHash)
	expect(t, "logs above the head", len(filter(new(big.Int).SetUint64(a.head()+1))), 0)

	events := must[*counter.CounterChangedIterator](t)(bound.FilterChanged(&bind.FilterOpts{Context: a.ctx}, []common.Address{a.address}))
	var numbers []int64
	for events.Next() {
		numbers = append(numbers, events.Event.Number.Int64())
	}
	expect(t, "events", len(numbers), 5)
	expect(t, "the last event", numbers[4], 200)
}

func TestLogsAreSubscribedTo(t *testing.T) {
	a := connect(t, "WS_URL")
	_, bound, _ := a.deploy(0)
	events := make(chan *counter.CounterChanged, 8)
	subscription, err := bound.WatchChanged(&bind.WatchOpts{Context: a.ctx}, events, []common.Address{a.address})
	if err != nil {
		t.Fatal(err)
	}
	defer subscription.Unsubscribe()
	for number := range int64(3) {
		written := a.set(bound, 300+number)
		select {
		case event := <-events:
			expect(t, "the number", event.Number.Int64(), 300+number)
			expect(t, "its transaction", event.Raw.TxHash, written.TxHash)
		case err := <-subscription.Err():
			t.Fatal(err)
		case <-a.ctx.Done():
			t.Fatal("no event")
		}
	}
}

// Logs from a block on, over a disconnect: what geth's own subscriptions cannot do.
func TestLogsGoOnBehindACursor(t *testing.T) {
	type event struct {
		Log    types.Log `json:"log"`
		Cursor string    `json:"cursor"`
	}
	a := connect(t, "WS_URL")
	address, bound, deployed := a.deploy(0)
	follow := func(node *account, request map[string]any) event {
		t.Helper()
		request["filter"] = map[string]any{"address": address}
		events := make(chan event, 8)
		subscription := must[*rpc.ClientSubscription](t)(node.Client.Client().Subscribe(node.ctx, "quorate", events, "logs", request))
		defer subscription.Unsubscribe()
		select {
		case event := <-events:
			return event
		case <-node.ctx.Done():
			t.Fatal("no event")
			panic("unreachable")
		}
	}
	first := follow(a, map[string]any{"fromBlock": hexutil.EncodeBig(deployed.BlockNumber)})
	written := a.set(bound, 400)
	second := follow(connect(t, "OTHER_WS_URL"), map[string]any{"cursor": first.Cursor})
	expect(t, "the first", first.Log.TxHash, deployed.TxHash)
	expect(t, "the one behind the cursor, from another node", second.Log.TxHash, written.TxHash)
}

// Proofs are checked by geth's trie, not by ours.
func TestAProofLeadsToTheStateRoot(t *testing.T) {
	a := connect(t, "RPC_URL")
	address, _, deployed := a.deploy(77)
	geth := gethclient.New(a.Client.Client())
	proof := must[*gethclient.AccountResult](t)(geth.GetProof(a.ctx, address, []string{"0x0"}, deployed.BlockNumber))
	header := must[*types.Header](t)(a.HeaderByNumber(a.ctx, deployed.BlockNumber))

	account := prove(t, header.Root, address[:], proof.AccountProof)
	decoded := must[*types.StateAccount](t)(types.FullAccount(account))
	expect(t, "the account's storage root", decoded.Root, proof.StorageHash)
	slot := prove(t, proof.StorageHash, make([]byte, 32), proof.StorageProof[0].Proof)
	expect(t, "the slot", new(big.Int).SetBytes(slot[len(slot)-1:]).Int64(), 77)
}

func prove(t *testing.T, root common.Hash, key []byte, nodes []string) []byte {
	t.Helper()
	database := memorydb.New()
	for _, node := range nodes {
		raw := hexutil.MustDecode(node)
		if err := database.Put(crypto.Keccak256(raw), raw); err != nil {
			t.Fatal(err)
		}
	}
	return must[[]byte](t)(trie.VerifyProof(root, crypto.Keccak256(key), database))
}

func TestCallsTakeOverridesAccessListsAndTraces(t *testing.T) {
	a := connect(t, "RPC_URL")
	address, bound, _ := a.deploy(1)
	parsed := must[*abi.ABI](t)(counter.CounterMetaData.GetAbi())
	geth := gethclient.New(a.Client.Client())
	read := ethereum.CallMsg{From: a.address, To: &address, Data: must[[]byte](t)(parsed.Pack("number"))}

	overrides := map[common.Address]gethclient.OverrideAccount{address: {StateDiff: map[common.Hash]common.Hash{{}: {31: 9}}}}
	output := must[[]byte](t)(geth.CallContract(a.ctx, read, nil, &overrides))
	expect(t, "the number under an override", new(big.Int).SetBytes(output).Int64(), 9)
	list, gas, reverted, err := geth.CreateAccessList(a.ctx, read)
	if err != nil || reverted != "" {
		t.Fatal(err, reverted)
	}
	expect(t, "the list's account", (*list)[0].Address, address)
	expect(t, "gas was used", gas > 21_000, true)
	written := a.set(bound, 2)
	var trace logger.ExecutionResult
	if err := a.Client.Client().CallContext(a.ctx, &trace, "debug_traceTransaction", written.TxHash); err != nil {
		t.Fatal(err)
	}
	expect(t, "the trace's gas", trace.Gas, written.GasUsed)
	expect(t, "the trace's end", strings.Contains(string(trace.StructLogs[len(trace.StructLogs)-1]), `"op":"STOP"`), true)
}
